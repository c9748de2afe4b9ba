import { ApiCommand } from '../../lib/cli/api-command.ts';
import { id } from '../../lib/cli/flags.ts';
import type { Result } from '../../lib/cli/result.ts';
import { CHECK_COLUMNS } from '../../lib/cli/output/resource-columns.ts';
import type { Recording } from '../../lib/cli/manifest.ts';

export default class IdentityGet extends ApiCommand<typeof IdentityGet> {
  static override summary = 'show one identity check';
  static override description =
    'With - in place of the id, ids are read from stdin: one per line, or JSON objects with an id.';
  static override examples = [
    '<%= config.bin %> identity get idc_4Wm9Xb2Q',
    'status=$(<%= config.bin %> identity get idc_4Wm9Xb2Q --field status)',
  ];
  static override agentTool = 'read' as const;
  static override recorded: Recording[] = [{ args: '{check}' }];
  static override args = {
    id: id({ completes: { ids: ['idc_'] }, required: true, description: 'identity check id, or - for ids on stdin' }),
  };

  async run(): Promise<Result> {
    return this.each(this.args.id, CHECK_COLUMNS, (id) => this.call('identity.get', { id }));
  }
}
