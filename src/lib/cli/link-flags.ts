/** What can be said about a payment link: as flags of one, or as columns of many (partner API §9.2). */
import * as Flags from '@oclif/core/flags';
import type * as Interfaces from '@oclif/core/interfaces';
import { linkBody } from './bodies.ts';
import * as Typed from './flags.ts';
import { amountOf, needed } from './row-values.ts';

/** Without `--expires-in`: the same row must send the same request whenever it is run. */
export const linkFlags = {
  ...Typed.amountFlags,
  currency: Typed.currency({ helpGroup: 'MONEY', summary: 'ISO 4217 code [default: GBP]' }),
  reference: Flags.string({ helpValue: '<text>', summary: 'what the payer sees, 1 to 64 characters' }),
  'payer-name': Flags.string({ helpGroup: 'PAYER', helpValue: '<name>', summary: "the payer's name" }),
  'payer-email': Typed.email({ helpGroup: 'PAYER', summary: "the payer's e-mail address" }),
  'redirect-uri': Typed.uri({ helpGroup: 'PAYER', summary: 'where the payer goes afterwards' }),
  application: Typed.idFlag({ summary: 'the application this repays' }),
  'expires-at': Typed.future({ summary: 'until when the link can be paid: 2026-07-06T12:00:00Z [default: 7 days]' }),
  ...Typed.metadataFlags,
};

export type LinkRow = Partial<Interfaces.InferredFlags<typeof linkFlags>>;

/** The request of a row. @throws Failure `usage` */
export function linkRow(row: LinkRow): Record<string, unknown> {
  return linkBody({
    ...row,
    amount: needed(amountOf(row), 'amount'),
    currency: row.currency ?? 'GBP',
    reference: needed(row.reference, 'reference'),
    expiresAt: row['expires-at'],
  });
}
