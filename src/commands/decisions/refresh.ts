import { WriteCommand } from '../../lib/cli/api-command.ts';
import { amountFlags, count, id, withoutUndefined } from '../../lib/cli/flags.ts';
import type { Result } from '../../lib/cli/result.ts';
import type { Recording } from '../../lib/cli/manifest.ts';

export default class DecisionsRefresh extends WriteCommand<typeof DecisionsRefresh> {
  static override summary = 'request a new decision, with another amount or term if given';
  static override description = `The new outcome arrives later, by webhook and by reading: credicorp decisions get ID --wait. The application keeps what was requested.`;
  static override examples = [
    '<%= config.bin %> decisions refresh app_8Kd2c9Qm --amount 20,000 --term 24',
    '<%= config.bin %> decisions refresh app_8Kd2c9Qm --quiet && <%= config.bin %> decisions get app_8Kd2c9Qm --wait --field outcome',
  ];
  static override agentTool = 'write' as const;
  static override recorded: Recording[] = [{ args: '{application} --amount 20000', after: 'decisions get' }];
  static override args = {
    id: id({ completes: { ids: ['app_', 'dec_'] }, required: true, description: 'decision id or application id' }),
  };
  static override flags = {
    ...amountFlags,
    term: count({ helpGroup: 'MONEY', helpValue: '<months>', summary: 'term in months, 3 to 60', max: 1200 }),
  };

  async run(): Promise<Result> {
    const { flags } = this;
    const body = withoutUndefined({ amount_pence: flags['amount-pence'] ?? flags.amount, term_months: flags.term });
    const operation = Object.keys(body).length === 0 ? { id: this.args.id } : { id: this.args.id, body };
    return this.write('decisions.refresh', operation, `refresh the decision on ${this.args.id}`);
  }
}
