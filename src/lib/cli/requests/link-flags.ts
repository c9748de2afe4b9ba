/** What can be said about a payment link: as flags of one, or as columns of many (partner-api.md#create-a-payment-link). */
import * as Flags from '@oclif/core/flags';
import type * as Interfaces from '@oclif/core/interfaces';
import { isoSeconds } from '../../contract/time.ts';
import { usage } from '../../failure.ts';
import { linkBody } from './bodies.ts';
import * as Typed from '../flags.ts';
import { amountOf, needed } from '../many/row-values.ts';

/** Without `--expires-in`: the same row must send the same request whenever it is run. */
export const linkFlags = {
  ...Typed.amountFlags,
  currency: Typed.currency({ helpGroup: 'MONEY', summary: 'ISO 4217 code [default: GBP]' }),
  reference: Flags.string({ helpValue: '<text>', summary: 'what the payer sees, 1 to 64 characters' }),
  'payer-name': Flags.string({ helpGroup: 'PAYER', helpValue: '<name>', summary: "the payer's name" }),
  'payer-email': Typed.email({ helpGroup: 'PAYER', summary: "the payer's e-mail address" }),
  'redirect-uri': Typed.uri({ helpGroup: 'PAYER', summary: 'where the payer goes afterwards' }),
  application: Typed.idFlag({ summary: 'the application this repays' }),
  'expires-at': Typed.moment({ summary: 'until when the link can be paid: 2026-07-06T12:00:00Z [default: 7 days]' }),
  ...Typed.metadataFlags,
};

export type LinkRow = Partial<Interfaces.InferredFlags<typeof linkFlags>>;

/** The request of a row. @param now of the server, in milliseconds since the epoch @throws Failure `usage` */
export function linkRow(row: LinkRow, now: number): Record<string, unknown> {
  return linkBody({
    ...row,
    amount: needed(amountOf(row), 'amount'),
    currency: row.currency ?? 'GBP',
    reference: needed(row.reference, 'reference'),
    expiresAt: toCome(row['expires-at'], now),
  });
}

/** @throws Failure `usage` when the instant is over by that clock */
export function toCome(at: number | undefined, now: number): number | undefined {
  if (at === undefined || at > now) return at;
  throw usage(`${isoSeconds(at)} is over already: it is ${isoSeconds(now)} there`, {
    param: '--expires-at',
    next: 'name an instant in the future',
  });
}
