import * as Flags from '@oclif/core/flags';
import { ACCOUNT_COLUMNS } from '../../lib/cli/output/resource-columns.ts';
import { applicationFlag, DOCUMENTED_VALUES, joinWithOr } from '../../lib/cli/flags.ts';
import { ListCommand, listFlags } from '../../lib/cli/list-command.ts';
import type { Result } from '../../lib/cli/result.ts';
import type { Recording } from '../../lib/cli/manifest.ts';

export default class AccountsList extends ListCommand<typeof AccountsList> {
  static override summary = 'list servicing accounts: balance, arrears, next payment';
  static override examples = [
    '<%= config.bin %> accounts list --status in_arrears',
    "<%= config.bin %> accounts list --all --json | jq -s 'map(.balance_pence) | add'",
  ];
  static override agentTool = 'read' as const;
  static override recorded: Recording[] = [{ after: 'api', gives: { account: 'data.0.id' } }];
  static override flags = {
    status: Flags.string({
      completes: DOCUMENTED_VALUES.account,
      helpValue: '<status>',
      summary: `only in this state: ${joinWithOr(DOCUMENTED_VALUES.account)}`,
    }),
    application: applicationFlag({ summary: 'only the account of this application' }),
    ...listFlags,
  };

  async run(): Promise<Result> {
    const { status, application } = this.flags;
    const empty = 'no accounts; one opens when an application is funded';
    return this.list('accounts.list', { status, application_id: application }, ACCOUNT_COLUMNS, empty);
  }
}
