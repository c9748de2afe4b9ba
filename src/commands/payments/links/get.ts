import { ApiCommand } from '../../../lib/cli/api-command.ts';
import { id } from '../../../lib/cli/flags.ts';
import type { Result } from '../../../lib/cli/result.ts';
import { LINK_COLUMNS } from '../../../lib/cli/output/resource-columns.ts';
import type { Recording } from '../../../lib/cli/manifest.ts';

export default class PaymentsLinksGet extends ApiCommand<typeof PaymentsLinksGet> {
  static override summary = 'show one payment link';
  static override description =
    'With - in place of the id, ids are read from stdin: one per line, or JSON objects with an id.';
  static override examples = [
    '<%= config.bin %> payments links get plink_2Vn8Rk0s',
    'url=$(<%= config.bin %> payments links get plink_2Vn8Rk0s --field url)',
  ];
  static override agentTool = 'read' as const;
  static override recorded: Recording[] = [{ args: '{link}' }];
  static override args = {
    id: id({ completes: { ids: ['plink_'] }, required: true, description: 'payment link id, or - for ids on stdin' }),
  };

  async run(): Promise<Result> {
    const read = (id: string) => this.call('links.get', { id });
    return this.each(this.args.id, LINK_COLUMNS, read, await this.penceMembers());
  }
}
