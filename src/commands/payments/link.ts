import * as Flags from '@oclif/core/flags';
import { WriteCommand } from '../../lib/cli/api-command.ts';
import { duration, email, metadataOf, pair, pence, pounds, uri } from '../../lib/cli/flags.ts';
import type { Result } from '../../lib/cli/result.ts';
import { formatPounds } from '../../lib/contract/money.ts';
import { isoSeconds } from '../../lib/contract/time.ts';
import { usage } from '../../lib/failure.ts';

export default class PaymentsLink extends WriteCommand<typeof PaymentsLink> {
  static override summary = 'make a payment link that a payer opens to pay from their bank';
  static override description = 'A link collects; it never pays out. The amount goes over the wire in pence.';
  static override examples = [
    '<%= config.bin %> payments link --amount 450 --reference INV-5512',
    'url=$(<%= config.bin %> payments link --amount-pence 45000 --reference INV-5512 --field url)',
  ];
  static override flags = {
    amount: pounds({ summary: 'amount in pounds: 450 or 1,250.50', exclusive: ['amount-pence'] }),
    'amount-pence': pence({ summary: 'amount in pence: 45000' }),
    reference: Flags.string({
      helpValue: '<text>',
      summary: 'what the payer sees, 1 to 64 characters',
      required: true,
    }),
    'payer-name': Flags.string({ helpValue: '<name>', summary: "the payer's name" }),
    'payer-email': email({ summary: "the payer's e-mail address" }),
    application: Flags.string({ helpValue: '<id>', summary: 'the application this repays' }),
    'redirect-uri': uri({ summary: 'where the payer goes afterwards' }),
    'expires-in': duration({ summary: 'how long the link can be paid: 24h, 7d [default: 7d]' }),
    metadata: pair({ summary: 'a pair to keep with the link; up to 20', multiple: true, multipleNonGreedy: true }),
  };

  async run(): Promise<Result> {
    const { flags } = this;
    const amount = flags['amount-pence'] ?? flags.amount;
    if (amount === undefined)
      throw usage('an amount is needed', {
        param: '--amount',
        next: 'pounds: --amount 450; pence: --amount-pence 45000',
      });
    const payer = { name: flags['payer-name'], email: flags['payer-email'] };
    const expires = flags['expires-in'];
    const body = {
      amount,
      currency: 'GBP',
      reference: flags.reference,
      payer: payer.name === undefined && payer.email === undefined ? undefined : payer,
      application_id: flags.application,
      redirect_uri: flags['redirect-uri'],
      expires_at: expires === undefined ? undefined : isoSeconds(this.context.now() + expires),
      metadata: metadataOf(flags.metadata),
    };
    const sent = Object.fromEntries(Object.entries(body).filter(([, value]) => value !== undefined));
    return this.write('links.create', { body: sent }, `make a payment link over ${formatPounds(amount)}`);
  }
}
