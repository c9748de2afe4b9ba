import * as Flags from '@oclif/core/flags';
import type * as Interfaces from '@oclif/core/interfaces';
import { DEFAULT_WAIT, WriteCommand } from '../../lib/cli/api-command.ts';
import { requiredValues, withDefaults } from '../../lib/cli/ask/application-values.ts';
import { bulkFlags } from '../../lib/cli/bulk/bulk-flags.ts';
import * as Typed from '../../lib/cli/flags.ts';
import { object, type Result } from '../../lib/cli/result.ts';
import { formatPounds } from '../../lib/contract/money.ts';
import type { Recording } from '../../lib/cli/manifest.ts';

/** Flags of one application, and columns of many (partner-api.md#create-an-application). */
const applicationFlags = {
  company: Typed.companyNumber({ helpGroup: 'BUSINESS', summary: 'Companies House number, 8 letters or digits' }),
  ...Typed.amountFlags,
  term: Typed.count({ helpGroup: 'MONEY', helpValue: '<months>', summary: 'term in months, 3 to 60', max: 1200 }),
  purpose: Flags.string({
    completes: Typed.DOCUMENTED_VALUES.purpose,
    helpGroup: 'BUSINESS',
    helpValue: '<purpose>',
    summary: Typed.joinWithOr(Typed.DOCUMENTED_VALUES.purpose),
  }),
  email: Typed.email({ helpGroup: 'APPLICANT', summary: "the applicant's e-mail address" }),
  'first-name': Flags.string({
    helpGroup: 'APPLICANT',
    helpValue: '<name>',
    summary: "the applicant's first name, prefilled in the form",
  }),
  'redirect-uri': Typed.uri({ helpGroup: 'APPLICANT', summary: 'where the applicant is sent after the form' }),
  reference: Flags.string({ helpValue: '<text>', summary: 'your own reference, echoed on objects and webhooks' }),
  'introduction-id': Flags.string({ helpValue: '<id>', summary: 'introduction to attribute the application to' }),
  ...Typed.metadataFlags,
};

type ApplicationRow = Partial<Interfaces.InferredFlags<typeof applicationFlags>>;

export default class AppsCreate extends WriteCommand<typeof AppsCreate> {
  static override summary = 'create a loan application, or many from a file';
  static override description = `On a terminal, it asks for what is missing. Elsewhere, on local and sandbox, --amount and --term default to £25,000 over 12 months; on live they must be given.
--wait ends with the application once it is decided, and with status 8 when the time runs out. --from ends with the status of the worst row; the same command again finishes what is left and creates nothing twice.`;
  static override examples = [
    '<%= config.bin %> apps create --company 16093826',
    'id=$(<%= config.bin %> apps create --company 16093826 --amount 40000 --term 24 --field id)',
    '<%= config.bin %> apps create --from companies.csv --rejects rejects.csv --json > results.ndjson',
  ];
  static override agentTool = 'write' as const;
  static override recorded: Recording[] = [
    { args: '--company 16093826 --amount 25000 --term 12', gives: { application: 'id' } },
    { args: '--company 00000408', gives: { unwanted: 'id' } },
    { args: '--company 16093826 --dry-run' },
    {
      args: '--from rows.csv',
      files: { 'rows.csv': 'company,amount,term\n16093826,25000,12\n00000411,25000,12\n' },
      status: 1,
    },
    { args: '--company 1', stage: 'end', status: 2 },
  ];
  static override bareFlags = { wait: DEFAULT_WAIT };
  static override flags = {
    ...applicationFlags,
    wait: Typed.duration({ summary: `wait for the decision; --wait alone means --wait=${DEFAULT_WAIT}` }),
    open: Typed.notForAgents(Flags.boolean({ summary: "open the applicant's form in a browser" })),
    ...bulkFlags,
  };

  async run(): Promise<Result> {
    const { flags } = this;
    if (flags.from !== undefined) return this.createMany({ ...flags, from: flags.from });
    const given = { ...flags, amount: flags['amount-pence'] ?? flags.amount };
    const required = await requiredValues(this.asking, given, () => this.isLive());
    const operation = { body: applicationBody({ ...flags, ...required }) };
    const planned = await this.planned('applications.create', operation);
    if (planned) return planned;
    const summary = `create an application for company ${required.company}`;
    const created = await this.sent('applications.create', operation, summary);
    if (flags.open)
      await (await import('../../lib/cli/system/browser.ts')).openPage(this.context, created.data.handoff_url);
    if (flags.wait === undefined) return object(created.json);
    const { waitForStatus } = await import('../../lib/cli/wait-for-status.ts');
    const { id } = created.data;
    const unfinished = ['created', 'submitted', 'in_review'];
    const awaited = await this.awaited(`application ${id}`, id, flags.wait);
    const decided = await waitForStatus(awaited, unfinished, () => this.call('applications.get', { id }));
    return object(decided.json);
  }

  private async createMany(options: { from: string }): Promise<Result> {
    const [{ requiredCell, rowAmount }, isLive] = await Promise.all([
      import('../../lib/cli/bulk/row-requests.ts'),
      this.isLive(),
    ]);
    const noted = new Set<string>();
    const noteOnce = (line: string): void => {
      if (!noted.has(line)) this.note(line);
      noted.add(line);
    };
    const bodyOf = (row: ApplicationRow): Record<string, unknown> => {
      const given = { amount: rowAmount(row), term: row.term };
      const filled = withDefaults(given, isLive);
      if (given.amount === undefined) noteOnce(`rows without an amount: using ${formatPounds(filled.amount)}`);
      if (given.term === undefined) noteOnce(`rows without a term: using ${filled.term} months`);
      return applicationBody({ ...row, company: requiredCell(row.company, 'company'), ...filled });
    };
    return this.bulk('applications.create', options, { columns: applicationFlags, what: 'applications', bodyOf });
  }
}

interface ApplicationValues {
  company: string;
  /** Pence. */
  amount: number;
  /** Months. */
  term: number;
  purpose?: string | undefined;
  email?: string | undefined;
  'first-name'?: string | undefined;
  'redirect-uri'?: string | undefined;
  reference?: string | undefined;
  'introduction-id'?: string | undefined;
  metadata?: readonly Typed.Pair[] | undefined;
}

/** The request (partner-api.md#create-an-application). */
function applicationBody(values: ApplicationValues): Record<string, unknown> {
  return Typed.withoutUndefined({
    business: { company_number: values.company },
    amount_pence: values.amount,
    term_months: values.term,
    purpose: values.purpose,
    applicant: Typed.objectOrNothing({ email: values.email, first_name: values['first-name'] }),
    redirect_uri: values['redirect-uri'],
    reference: values.reference,
    introduction_id: values['introduction-id'],
    metadata: Typed.metadataOf(values.metadata),
  });
}
