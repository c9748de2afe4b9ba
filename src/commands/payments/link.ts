import * as Flags from '@oclif/core/flags';
import { WriteCommand } from '../../lib/cli/api-command.ts';
import { linkBody } from '../../lib/cli/requests/bodies.ts';
import { bulkFlags } from '../../lib/cli/many/bulk-flags.ts';
import { duration, pounds } from '../../lib/cli/flags.ts';
import { linkFlags, type LinkRow, linkRow, toCome } from '../../lib/cli/requests/link-flags.ts';
import { askedFor } from '../../lib/cli/ask/missing.ts';
import { object, type Result } from '../../lib/cli/result.ts';
import { formatPounds } from '../../lib/contract/money.ts';

export default class PaymentsLink extends WriteCommand<typeof PaymentsLink> {
  static override summary = 'make a link that a payer opens to pay from their bank, or many from a file';
  static override description = `A link collects; it never pays out. The amount goes over the wire in pence.
--from ends with the status of the worst row; the same command again finishes what is left and makes nothing twice.`;
  static override examples = [
    '<%= config.bin %> payments link --amount 450 --reference INV-5512 --qr',
    'url=$(<%= config.bin %> payments link --amount-pence 45000 --reference INV-5512 --field url)',
    '<%= config.bin %> payments link --from invoices.csv --field result.url',
  ];
  static override flags = {
    ...linkFlags,
    'expires-in': duration({
      summary: 'how long the link can be paid: 24h, 7d [default: 7d]',
      exclusive: ['expires-at', 'from'],
    }),
    qr: Flags.boolean({ summary: 'draw the link as a QR code on the terminal' }),
    open: Flags.boolean({ summary: 'open the payment page in a browser' }),
    ...bulkFlags,
  };

  async run(): Promise<Result> {
    const { flags } = this;
    if (flags.from !== undefined) {
      const now = await this.serverNow();
      const rows = { columns: linkFlags, what: 'payment links', bodyOf: (row: LinkRow) => linkRow(row, now) };
      return this.many<LinkRow>('links.create', { ...flags, from: flags.from }, rows);
    }
    const { amount, reference } = await this.amountAndReference();
    const expiresAt = await this.expiresAt();
    const body = linkBody({ ...flags, amount, reference, currency: flags.currency ?? 'GBP', expiresAt });
    const planned = await this.planned('links.create', { body });
    if (planned) return planned;
    const made = await this.sent('links.create', { body }, `make a payment link over ${formatPounds(amount)}`);
    const { url, expires_at: until } = made.data;
    if (flags.qr && url)
      await (await import('../../lib/cli/output/qr-code.ts')).showQr(this.context, url, this.view.color);
    if (flags.open) await (await import('../../lib/cli/system/browser.ts')).openPage(this.context, url);
    if (this.context.stderr.isTTY === true) await this.sayWhat(amount, until);
    return object(made.json, { pence: await this.penceMembers() });
  }

  private async expiresAt(): Promise<number | undefined> {
    const { 'expires-in': length, 'expires-at': at } = this.flags;
    if (length === undefined && at === undefined) return undefined;
    const now = await this.serverNow();
    return length === undefined ? toCome(at, now) : now + length;
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
      (await askedFor(this.asking, {
        ...{ flag: '--amount', reader: pounds(), message: 'Amount in pounds' },
        example: '--amount 450 (pounds) or --amount-pence 45000 (pence)',
      }));
    const reference =
      flags.reference ??
      (await askedFor(this.asking, {
        ...{ flag: '--reference', reader: linkFlags.reference, message: 'Reference that the payer sees' },
        example: '--reference INV-5512',
      }));
    return { amount, reference };
  }

  /** The unit once more, in words: 450 pounds and 450 pence are one key apart. */
  private async sayWhat(amount: number, until: unknown): Promise<void> {
    const { localTime } = await import('../../lib/cli/output/terminal-text.ts');
    const when = typeof until === 'string' ? `, to be paid until ${localTime(until)}` : '';
    this.note(`a link over ${formatPounds(amount)} (${amount} pence)${when}`);
  }
}
