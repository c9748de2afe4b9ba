import * as Flags from '@oclif/core/flags';
import { PAYMENT_COLUMNS } from '../../lib/cli/output/resource-columns.ts';
import { applicationFlag, DOCUMENTED_VALUES, joinWithOr } from '../../lib/cli/flags.ts';
import { ListCommand, listFlags } from '../../lib/cli/list-command.ts';
import type { Result } from '../../lib/cli/result.ts';
import type { Recording } from '../../lib/cli/manifest.ts';

export default class PaymentsList extends ListCommand<typeof PaymentsList> {
  static override summary = 'list payments, newest first; amounts are in pence';
  static override examples = [
    '<%= config.bin %> payments list --status failed',
    `<%= config.bin %> payments list --all --json | jq -s 'map(select(.status=="settled").amount) | add'`,
  ];
  static override agentTool = 'read' as const;
  static override recorded: Recording[] = [{ after: 'payments create' }];
  static override flags = {
    status: Flags.string({
      completes: DOCUMENTED_VALUES.payment,
      helpValue: '<status>',
      summary: `only in this state: ${joinWithOr(DOCUMENTED_VALUES.payment)}`,
    }),
    application: applicationFlag({ summary: 'only payments of this application' }),
    ...listFlags,
  };

  async run(): Promise<Result> {
    const { status, application } = this.flags;
    const empty =
      'no payments; a link makes one when it is paid: credicorp payments link --amount 450 --reference INV-5512';
    return this.list('payments.list', { status, application_id: application }, PAYMENT_COLUMNS, empty);
  }
}
