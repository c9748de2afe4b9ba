import * as Flags from '@oclif/core/flags';
import { instant } from '../../lib/cli/flags.ts';
import { ListCommand, listFlags } from '../../lib/cli/list-command.ts';
import type { Result } from '../../lib/cli/result.ts';
import { isoSeconds } from '../../lib/contract/time.ts';

export default class AppsList extends ListCommand<typeof AppsList> {
  static override summary = 'list applications, newest first';
  static override examples = [
    '<%= config.bin %> apps list --status approved',
    `<%= config.bin %> apps list --all --json | jq -r 'select(.status=="funded").id'`,
  ];
  static override flags = {
    status: Flags.string({
      helpValue: '<status>',
      summary: 'created, submitted, in_review, approved, declined, funded or withdrawn',
    }),
    'created-after': instant({ summary: 'not older than this: 2026-06-01, an instant, or 7d' }),
    ...listFlags,
  };

  async run(): Promise<Result> {
    const after = this.flags['created-after'];
    const query = { status: this.flags.status, created_after: after === undefined ? undefined : isoSeconds(after) };
    const columns = [
      { path: 'id' },
      { path: 'status' },
      { path: 'amount_pence', title: 'amount' },
      { path: 'term_months', title: 'months' },
      { path: 'business.company_number', title: 'company' },
      { path: 'created_at', title: 'created' },
    ];
    return this.list(
      'applications.list',
      query,
      columns,
      'no applications yet; make one: credicorp apps create --company 16093826',
    );
  }
}
