import { ApiCommand } from '../../lib/cli/api-command.ts';
import { id } from '../../lib/cli/flags.ts';
import type { Result } from '../../lib/cli/result.ts';
import { PAYMENT_COLUMNS } from '../../lib/cli/output/resource-columns.ts';
import type { Recording } from '../../lib/cli/manifest.ts';

export default class PaymentsGet extends ApiCommand<typeof PaymentsGet> {
  static override summary = 'show one payment';
  static override description =
    'With - in place of the id, ids are read from stdin: one per line, or JSON objects with an id.';
  static override examples = [
    '<%= config.bin %> payments get pay_7Tq1Zc4M',
    '<%= config.bin %> payments list --quiet | <%= config.bin %> payments get - --field status',
  ];
  static override agentTool = 'read' as const;
  static override recorded: Recording[] = [{ args: '{payment}' }];
  static override args = {
    id: id({ completes: { ids: ['pay_'] }, required: true, description: 'payment id, or - for ids on stdin' }),
  };

  async run(): Promise<Result> {
    const read = (id: string) => this.call('payments.get', { id });
    return this.each(this.args.id, PAYMENT_COLUMNS, read, await this.penceMembers());
  }
}
