import { ApiCommand } from '../../lib/cli/api-command.ts';
import { id } from '../../lib/cli/flags.ts';
import type { Result } from '../../lib/cli/result.ts';
import { ACCOUNT_COLUMNS } from '../../lib/cli/output/resource-columns.ts';
import type { Recording } from '../../lib/cli/manifest.ts';

export default class AccountsGet extends ApiCommand<typeof AccountsGet> {
  static override summary = 'show one servicing account: balance, arrears, next payment';
  static override description =
    'With - in place of the id, ids are read from stdin: one per line, or JSON objects with an id.';
  static override examples = [
    '<%= config.bin %> accounts get acc_1Jx6Pz3T',
    '<%= config.bin %> accounts get acc_1Jx6Pz3T --field next_payment.due_on',
  ];
  static override agentTool = 'read' as const;
  static override recorded: Recording[] = [{ args: '{account}' }];
  static override args = {
    id: id({ completes: { ids: ['acc_'] }, required: true, description: 'account id, or - for ids on stdin' }),
  };

  async run(): Promise<Result> {
    return this.each(this.args.id, ACCOUNT_COLUMNS, (id) => this.call('accounts.get', { id }));
  }
}
