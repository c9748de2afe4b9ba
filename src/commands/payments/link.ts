import * as Flags from '@oclif/core/flags';
import type * as Interfaces from '@oclif/core/interfaces';
import { WriteCommand } from '../../lib/cli/api-command.ts';
import { askMissing } from '../../lib/cli/ask/prompt.ts';
import { bulkFlags } from '../../lib/cli/bulk/bulk-flags.ts';
import * as Typed from '../../lib/cli/flags.ts';
import { object, type Result } from '../../lib/cli/result.ts';
import { formatPounds } from '../../lib/contract/money.ts';
import { isoSeconds } from '../../lib/contract/time.ts';
import { usage } from '../../lib/failure.ts';
import type { Recording } from '../../lib/cli/manifest.ts';

/**
 * Flags of one payment link, and columns of many (partner-api.md#create-a-payment-link). Without `--expires-in`: the same row must send the
 * same request whenever it is run.
 */
const linkFlags = {
  ...Typed.amountFlags,
  currency: Typed.currency({ helpGroup: 'MONEY', summary: 'ISO 4217 code [default: GBP]' }),
  reference: Flags.string({ helpValue: '<text>', summary: 'what the payer sees, 1 to 64 characters' }),
  'payer-name': Flags.string({ helpGroup: 'PAYER', helpValue: '<name>', summary: "the payer's name" }),
  'payer-email': Typed.email({ helpGroup: 'PAYER', summary: "the payer's e-mail address" }),
  'redirect-uri': Typed.uri({ helpGroup: 'PAYER', summary: 'where the payer is sent afterwards' }),
  application: Typed.applicationFlag({ summary: 'the application this repays' }),
  'expires-at': Typed.moment({ summary: 'when the link expires: 2026-07-06T12:00:00Z [default: in 7 days]' }),
  ...Typed.metadataFlags,
};

type LinkRow = Partial<Interfaces.InferredFlags<typeof linkFlags>>;

export default class PaymentsLink extends WriteCommand<typeof PaymentsLink> {
  static override summary = 'create a payment link that a payer opens to pay from their bank, or many from a file';
  static override description = `A link collects; it never pays out. The API receives the amount in pence.
--from ends with the status of the worst row; the same command again finishes what is left and creates nothing twice.`;
  static override examples = [
    '<%= config.bin %> payments link --amount 450 --reference INV-5512 --qr',
    'url=$(<%= config.bin %> payments link --amount-pence 45000 --reference INV-5512 --field url)',
    '<%= config.bin %> payments link --from invoices.csv --field result.url',
  ];
  static override agentTool = 'write' as const;
  static override recorded: Recording[] = [
    { args: '--amount 10 --reference R', gives: { link: 'id' } },
    { args: '--from links.csv', files: { 'links.csv': 'amount,reference\n10,R\n' } },
  ];
  static override flags = {
    ...linkFlags,
    'expires-in': Typed.duration({
      summary: 'how long the link is valid: 24h, 7d [default: 7d]',
      exclusive: ['expires-at', 'from'],
    }),
    qr: Typed.notForAgents(Flags.boolean({ summary: 'show the link as a QR code on the terminal' })),
    open: Typed.notForAgents(Flags.boolean({ summary: 'open the payment page in a browser' })),
    ...bulkFlags,
  };

  async run(): Promise<Result> {
    const { flags } = this;
    if (flags.from !== undefined) return this.createMany({ ...flags, from: flags.from });
    const { amount, reference } = await this.amountAndReference();
    const expiresAt = await this.expiresAt();
    const body = linkBody({ ...flags, amount, reference, currency: flags.currency ?? 'GBP', expiresAt });
    const planned = await this.planned('links.create', { body });
    if (planned) return planned;
    const made = await this.sent('links.create', { body }, `create a payment link for ${formatPounds(amount)}`);
    const { url, expires_at: until } = made.data;
    if (flags.qr && url)
      await (await import('../../lib/cli/output/qr-code.ts')).showQr(this.context, url, this.view.color);
    if (flags.open) await (await import('../../lib/cli/system/browser.ts')).openPage(this.context, url);
    if (this.context.stderr.isTTY === true) await this.noteAmount(amount, until);
    return object(made.json, { pence: await this.penceMembers() });
  }

  private async expiresAt(): Promise<number | undefined> {
    const { 'expires-in': length, 'expires-at': at } = this.flags;
    if (length === undefined && at === undefined) return undefined;
    if (length !== undefined) this.volatileMembers = ['expires_at'];
    const now = await this.serverNow();
    return length === undefined ? inFuture(at, now) : now + length;
  }

  /** An embedded sandbox may have a clock of its own. */
  private async serverNow(): Promise<number> {
    const [session, { serverNow }] = await Promise.all([this.session(), import('../../lib/cli/sign-in/proof.ts')]);
    return serverNow(session, this.context.now());
  }

  private async amountAndReference(): Promise<{ amount: number; reference: string }> {
    const { flags } = this;
    const amount =
      flags['amount-pence'] ??
      flags.amount ??
      (await askMissing(this.asking, {
        ...{ flag: '--amount', parser: Typed.pounds(), message: 'Amount in pounds' },
        example: '--amount 450 (pounds) or --amount-pence 45000 (pence)',
      }));
    const reference =
      flags.reference ??
      (await askMissing(this.asking, {
        ...{ flag: '--reference', parser: linkFlags.reference, message: 'Reference that the payer sees' },
        example: '--reference INV-5512',
      }));
    return { amount, reference };
  }

  /** The amount in pounds and in pence: a wrong unit is one key away. */
  private async noteAmount(amount: number, expiresAt: unknown): Promise<void> {
    const { localTime } = await import('../../lib/cli/output/terminal-text.ts');
    const expires = typeof expiresAt === 'string' ? `, expires ${localTime(expiresAt)}` : '';
    this.note(`payment link for ${formatPounds(amount)} (${amount} pence)${expires}`);
  }

  private async createMany(options: { from: string }): Promise<Result> {
    const [{ requiredCell, rowAmount }, now] = await Promise.all([
      import('../../lib/cli/bulk/row-requests.ts'),
      this.serverNow(),
    ]);
    const bodyOf = (row: LinkRow): Record<string, unknown> =>
      linkBody({
        ...row,
        amount: requiredCell(rowAmount(row), 'amount'),
        currency: row.currency ?? 'GBP',
        reference: requiredCell(row.reference, 'reference'),
        expiresAt: inFuture(row['expires-at'], now),
      });
    return this.bulk('links.create', options, { columns: linkFlags, what: 'payment links', bodyOf });
  }
}

/** @param now of the server @throws Failure `usage` when the instant is past by the server's clock */
function inFuture(at: number | undefined, now: number): number | undefined {
  if (at === undefined || at > now) return at;
  throw usage(`${isoSeconds(at)} is in the past: the server's time is ${isoSeconds(now)}`, {
    param: '--expires-at',
    next: 'give an instant in the future',
  });
}

interface LinkValues {
  /** Pence. */
  amount: number;
  currency: string;
  reference: string;
  'payer-name'?: string | undefined;
  'payer-email'?: string | undefined;
  application?: string | undefined;
  'redirect-uri'?: string | undefined;
  /** Milliseconds since the epoch. */
  expiresAt?: number | undefined;
  metadata?: readonly Typed.Pair[] | undefined;
}

/** The request (partner-api.md#create-a-payment-link). */
function linkBody(values: LinkValues): Record<string, unknown> {
  return Typed.withoutUndefined({
    amount: values.amount,
    currency: values.currency,
    reference: values.reference,
    payer: Typed.objectOrNothing({ name: values['payer-name'], email: values['payer-email'] }),
    application_id: values.application,
    redirect_uri: values['redirect-uri'],
    expires_at: values.expiresAt === undefined ? undefined : isoSeconds(values.expiresAt),
    metadata: Typed.metadataOf(values.metadata),
  });
}
