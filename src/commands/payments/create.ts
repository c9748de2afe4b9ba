import * as Flags from '@oclif/core/flags';
import { WriteCommand } from '../../lib/cli/api-command.ts';
import * as Typed from '../../lib/cli/flags.ts';
import { askMissing } from '../../lib/cli/ask/prompt.ts';
import { object, type Result } from '../../lib/cli/result.ts';
import { formatPounds } from '../../lib/contract/money.ts';
import type { Recording } from '../../lib/cli/manifest.ts';

export default class PaymentsCreate extends WriteCommand<typeof PaymentsCreate> {
  static override summary = 'collect a payment, or request the drawdown of an approved application';
  static override description = `Without --application it is a collection. With it, a drawdown request: no call releases money, a person at Credicorp does.
A payment is processing when it is created; it settles or fails later, and a webhook reports it.`;
  static override examples = [
    '<%= config.bin %> payments create --amount 2,500 --reference INV-5512',
    'id=$(<%= config.bin %> payments create --amount-pence 250000 --scheme direct_debit --mandate mnd_sbx_active --field id)',
  ];
  static override agentTool = 'write' as const;
  static override recorded: Recording[] = [{ args: '--amount 10', gives: { payment: 'id' } }];
  static override flags = {
    ...Typed.amountFlags,
    currency: Typed.currency({ helpGroup: 'MONEY', summary: 'ISO 4217 code [default: GBP]' }),
    scheme: Flags.string({
      completes: Typed.DOCUMENTED_VALUES.scheme,
      helpValue: '<scheme>',
      summary: `${Typed.joinWithOr(Typed.DOCUMENTED_VALUES.scheme)} [default: pisp]`,
    }),
    reference: Flags.string({ helpValue: '<text>', summary: 'your own reference, up to 64 characters' }),
    application: Typed.applicationFlag({ summary: 'the approved application to draw down' }),
    mandate: Typed.idFlag({ summary: 'mandate id of a direct debit' }),
    ...Typed.metadataFlags,
  };

  async run(): Promise<Result> {
    const { flags } = this;
    const amount =
      flags['amount-pence'] ??
      flags.amount ??
      (await askMissing(this.asking, {
        ...{ flag: '--amount', parser: Typed.pounds(), message: 'Amount in pounds' },
        example: '--amount 2500 (pounds) or --amount-pence 250000 (pence)',
      }));
    const body = paymentBody({
      ...flags,
      amount,
      currency: flags.currency ?? 'GBP',
      scheme: flags.scheme ?? (flags.mandate === undefined ? 'pisp' : 'direct_debit'),
    });
    const planned = await this.planned('payments.create', { body });
    if (planned) return planned;
    const made = await this.sent('payments.create', { body }, `create a payment of ${formatPounds(amount)}`);
    return object(made.json, { pence: await this.penceMembers() });
  }
}

interface PaymentValues {
  /** Pence. */
  amount: number;
  currency: string;
  scheme: string;
  reference?: string | undefined;
  application?: string | undefined;
  mandate?: string | undefined;
  metadata?: readonly Typed.Pair[] | undefined;
}

/** The request (partner-api.md#create-a-payment). */
function paymentBody(values: PaymentValues): Record<string, unknown> {
  return Typed.withoutUndefined({
    amount: values.amount,
    currency: values.currency,
    scheme: values.scheme,
    reference: values.reference,
    application_id: values.application,
    mandate_id: values.mandate,
    metadata: Typed.metadataOf(values.metadata),
  });
}
