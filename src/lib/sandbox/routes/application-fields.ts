/** The rules of an application's fields (partner-api.md#create-an-application). */
import * as z from 'zod/mini';
import {
  companyNumber,
  email,
  integer,
  metadata,
  oneOf,
  returnUri,
  text,
  textField,
  within,
  type Field,
  type Miss,
} from '../fields.ts';
import type { Companies } from '../outcomes.ts';

/** The two inputs a decision is made on; a refresh takes them too (partner-api.md#decisions). */
export const AMOUNT_AND_TERM: readonly Field[] = [
  {
    path: 'amount_pence',
    required: true,
    type: integer,
    range: integer.check(
      z.gte(100_000, 'amount_pence is under 100000 (£1,000).'),
      z.lte(25_000_000, 'amount_pence is over 25000000 (£250,000).'),
    ),
    codes: { too_small: 'amount_below_minimum', too_big: 'amount_above_maximum' },
  },
  {
    path: 'term_months',
    required: true,
    type: integer,
    range: within(integer, 3, 60, 'term_months is outside 3 to 60.'),
    codes: { too_small: 'term_out_of_range', too_big: 'term_out_of_range' },
  },
];

export const PURPOSES = ['working_capital', 'asset_finance', 'expansion', 'refinance', 'stock'];

/** The rows of partner-api.md#create-an-application, in its order. `eligible` judges an upper- or lower-case number. */
export function applicationFields(eligible: (number: string) => Miss | null): Field[] {
  const range = companyNumber.check(({ value, issues }) => {
    const miss = eligible(value);
    if (miss) issues.push({ code: 'custom', input: value, message: miss.message, params: { code: miss.code } });
  });
  return [
    ...AMOUNT_AND_TERM,
    { path: 'business.company_number', required: true, type: companyNumber, range },
    { path: 'purpose', type: oneOf(...PURPOSES) },
    { path: 'applicant.email', type: email },
    textField('applicant.first_name', 100),
    { path: 'redirect_uri', type: returnUri },
    textField('reference', 128),
    { path: 'introduction_id', type: text },
    metadata,
  ];
}

/** Why a company cannot apply; null when it can. */
export function companyRange(companies: Companies, number: string): Miss | null {
  const company = companies.find(number.toUpperCase());
  if (company?.effect === 'reject_not_eligible') {
    return { code: 'company_not_eligible', message: 'Applicant must be a UK incorporated company or LLP.' };
  }
  if (company !== null && company.effect !== 'reject_not_found') return null;
  const known = companies.all().map((row) => row.number);
  const more = known.length > 20 ? ' and more' : '';
  const message = `The number resolves to no active company. Reserved numbers: ${known.slice(0, 20).join(', ')}${more}.`;
  return { code: 'company_not_found', message };
}
