import * as Flags from '@oclif/core/flags';
import { WriteCommand } from '../../lib/cli/api-command.ts';
import { companyNumber, count, email, metadataOf, pair, pence, pounds, uri } from '../../lib/cli/flags.ts';
import type { Result } from '../../lib/cli/result.ts';
import { formatPounds } from '../../lib/contract/money.ts';
import { usage } from '../../lib/failure.ts';

const DEFAULT_PENCE = 2_500_000;
const DEFAULT_TERM = 12;

export default class AppsCreate extends WriteCommand<typeof AppsCreate> {
  static override summary = 'create a loan application';
  static override description =
    'On local and sandbox, --amount and --term default to £25,000 over 12 months; on live they are asked for or must be given.';
  static override examples = [
    '<%= config.bin %> apps create --company 16093826',
    'id=$(<%= config.bin %> apps create --company 16093826 --amount 40000 --term 24 --field id)',
  ];
  static override flags = {
    company: companyNumber({ summary: 'Companies House number, 8 letters or digits', required: true }),
    amount: pounds({ summary: 'amount in pounds: 25000 or 25,000.50', exclusive: ['amount-pence'] }),
    'amount-pence': pence({ summary: 'amount in pence: 2500000' }),
    term: count({ helpValue: '<months>', summary: 'term in months', max: 1200 }),
    purpose: Flags.string({
      helpValue: '<purpose>',
      summary: 'working_capital, asset_finance, expansion, refinance or stock',
    }),
    email: email({ summary: "the applicant's e-mail address" }),
    'first-name': Flags.string({ helpValue: '<name>', summary: "the applicant's first name, to fill in the form" }),
    'redirect-uri': uri({ summary: 'where the applicant goes after the journey' }),
    reference: Flags.string({ helpValue: '<text>', summary: 'your own reference, echoed on objects and webhooks' }),
    'introduction-id': Flags.string({ helpValue: '<id>', summary: 'partner attribution' }),
    metadata: pair({
      summary: 'a pair to keep with the application; up to 20',
      multiple: true,
      multipleNonGreedy: true,
    }),
  };

  async run(): Promise<Result> {
    const body = await this.body();
    return this.write('applications.create', { body }, `create an application for company ${this.flags.company}`);
  }

  /** Members in the order of the documented example (partner API §7.1). */
  private async body(): Promise<Record<string, unknown>> {
    const { flags } = this;
    const { amount, term } = await this.amountAndTerm();
    const applicant = { email: flags.email, first_name: flags['first-name'] };
    const body = {
      business: { company_number: flags.company },
      amount_pence: amount,
      term_months: term,
      purpose: flags.purpose,
      applicant: applicant.email === undefined && applicant.first_name === undefined ? undefined : applicant,
      redirect_uri: flags['redirect-uri'],
      reference: flags.reference,
      introduction_id: flags['introduction-id'],
      metadata: metadataOf(flags.metadata),
    };
    return Object.fromEntries(Object.entries(body).filter(([, value]) => value !== undefined));
  }

  private async amountAndTerm(): Promise<{ amount: number; term: number }> {
    const given = { amount: this.flags['amount-pence'] ?? this.flags.amount, term: this.flags.term };
    if (given.amount !== undefined && given.term !== undefined) return { amount: given.amount, term: given.term };
    const session = await this.session();
    if (session.identity.environment.value === 'live') {
      const missing = [given.amount === undefined ? '--amount' : '', given.term === undefined ? '--term' : ''].filter(
        Boolean,
      );
      throw usage(`on live, ${missing.join(' and ')} must be given`, {
        param: missing[0] ?? '',
        next: 'for example: --amount 25000 --term 12',
      });
    }
    const amount = given.amount ?? DEFAULT_PENCE;
    const term = given.term ?? DEFAULT_TERM;
    this.note(`using ${formatPounds(amount)} over ${term} months`);
    return { amount, term };
  }
}
