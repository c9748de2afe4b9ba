import * as Flags from '@oclif/core/flags';
import { WriteCommand } from '../../lib/cli/api-command.ts';
import { applicationFlags, type ApplicationRow, applicationRow } from '../../lib/cli/requests/application-flags.ts';
import { leastOf } from '../../lib/cli/ask/ask-application.ts';
import { applicationBody } from '../../lib/cli/requests/bodies.ts';
import { bulkFlags } from '../../lib/cli/many/bulk-flags.ts';
import { duration } from '../../lib/cli/flags.ts';
import { object, type Result } from '../../lib/cli/result.ts';
import { USUAL_WAIT, waitForStatus } from '../../lib/cli/waiting.ts';

export default class AppsCreate extends WriteCommand<typeof AppsCreate> {
  static override summary = 'create a loan application, or many from a file';
  static override description = `On a terminal, what is missing is asked for. Elsewhere, on local and sandbox, --amount and --term default to £25,000 over 12 months; on live they must be given.
--wait ends with the application once it is decided, and with status 8 when the time runs out. --from ends with the status of the worst row; the same command again finishes what is left and makes nothing twice.`;
  static override examples = [
    '<%= config.bin %> apps create --company 16093826',
    'id=$(<%= config.bin %> apps create --company 16093826 --amount 40000 --term 24 --field id)',
    '<%= config.bin %> apps create --from companies.csv --rejects rejects.csv --json > results.ndjson',
  ];
  static override bareFlags = { wait: USUAL_WAIT };
  static override flags = {
    ...applicationFlags,
    wait: duration({ summary: `wait for the decision; --wait alone means --wait=${USUAL_WAIT}` }),
    open: Flags.boolean({ summary: "open the applicant's journey in a browser" }),
    ...bulkFlags,
  };

  async run(): Promise<Result> {
    const { flags } = this;
    if (flags.from !== undefined) return this.createMany({ ...flags, from: flags.from });
    const least = await leastOf(this.asking, { ...flags, amount: flags['amount-pence'] ?? flags.amount }, () =>
      this.isLive(),
    );
    const operation = { body: applicationBody({ ...flags, ...least }) };
    const planned = await this.planned('applications.create', operation);
    if (planned) return planned;
    const summary = `create an application for company ${least.company}`;
    const created = await this.sent('applications.create', operation, summary);
    if (flags.open)
      await (await import('../../lib/cli/system/browser.ts')).openPage(this.context, created.data.handoff_url);
    if (flags.wait === undefined) return object(created.json);
    const { id } = created.data;
    const unfinished = ['created', 'submitted', 'in_review'];
    const awaited = await this.awaited(`application ${id}`, id, flags.wait);
    const decided = await waitForStatus(awaited, unfinished, () => this.callOnly('applications.get', { id }));
    return object(decided.json);
  }

  private async createMany(choices: { from: string }): Promise<Result> {
    const isLive = await this.isLive();
    const said = new Set<string>();
    const once = (line: string): void => {
      if (!said.has(line)) this.note(line);
      said.add(line);
    };
    return this.many<ApplicationRow>('applications.create', choices, {
      columns: applicationFlags,
      what: 'applications',
      bodyOf: (row) => applicationRow(row, isLive, once),
    });
  }
}
