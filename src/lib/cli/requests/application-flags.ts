/** What can be said about an application: as flags of one, or as columns of many (partner-api.md#create-an-application). */
import * as Flags from '@oclif/core/flags';
import type * as Interfaces from '@oclif/core/interfaces';
import { formatPounds } from '../../contract/money.ts';
import { usualOr } from '../ask/ask-application.ts';
import { applicationBody } from './bodies.ts';
import * as Typed from '../flags.ts';
import { either, KNOWN_WORDS } from './known-words.ts';
import { amountOf, needed } from '../many/row-values.ts';

export const applicationFlags = {
  company: Typed.companyNumber({ helpGroup: 'BUSINESS', summary: 'Companies House number, 8 letters or digits' }),
  ...Typed.amountFlags,
  term: Typed.count({ helpGroup: 'MONEY', helpValue: '<months>', summary: 'term in months, 3 to 60', max: 1200 }),
  purpose: Flags.string({
    helpGroup: 'BUSINESS',
    helpValue: '<purpose>',
    summary: either(KNOWN_WORDS.purpose),
  }),
  email: Typed.email({ helpGroup: 'APPLICANT', summary: "the applicant's e-mail address" }),
  'first-name': Flags.string({
    helpGroup: 'APPLICANT',
    helpValue: '<name>',
    summary: "the applicant's first name, to fill in the form",
  }),
  'redirect-uri': Typed.uri({ helpGroup: 'APPLICANT', summary: 'where the applicant goes after the journey' }),
  reference: Flags.string({ helpValue: '<text>', summary: 'your own reference, echoed on objects and webhooks' }),
  'introduction-id': Flags.string({ helpValue: '<id>', summary: 'partner attribution' }),
  ...Typed.metadataFlags,
};

export type ApplicationRow = Partial<Interfaces.InferredFlags<typeof applicationFlags>>;

/** The request of a row. @throws Failure `usage` */
export function applicationRow(
  row: ApplicationRow,
  isLive: boolean,
  say: (line: string) => void,
): Record<string, unknown> {
  const given = { amount: amountOf(row), term: row.term };
  const least = usualOr(given, isLive);
  if (given.amount === undefined) say(`rows without an amount: ${formatPounds(least.amount)}`);
  if (given.term === undefined) say(`rows without a term: ${least.term} months`);
  return applicationBody({ ...row, company: needed(row.company, 'company'), ...least });
}
