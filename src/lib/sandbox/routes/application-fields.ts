/** The rules of an application's fields (partner API §7.1). */
import {
  email,
  integer,
  matching,
  metadata,
  oneOf,
  returnUri,
  text,
  textField,
  type Field,
  type Miss,
} from '../fields.ts';
import type { Companies } from '../outcomes.ts';

/** The two inputs a decision is made on; a refresh takes them too (partner API §8). */
export const AMOUNT_AND_TERM: readonly Field[] = [
  {
    path: 'amount_pence',
    required: true,
    is: integer,
    range: amountRange,
    bounds: { minimum: 100_000, maximum: 25_000_000 },
  },
  { path: 'term_months', required: true, is: integer, range: termRange, bounds: { minimum: 3, maximum: 60 } },
];

export const PURPOSES = ['working_capital', 'asset_finance', 'expansion', 'refinance', 'stock'];

/** The rows of partner API §7.1, in its order. `company` judges an upper- or lower-case number. */
export function applicationFields(company: (number: string) => Miss | null): Field[] {
  return [
    ...AMOUNT_AND_TERM,
    {
      path: 'business.company_number',
      required: true,
      is: matching(/^[A-Za-z0-9]{8}$/, '8 letters or digits', { pattern: '^[A-Za-z0-9]{8}$' }),
      range: (value) => company(String(value)),
    },
    { path: 'purpose', is: oneOf(...PURPOSES) },
    { path: 'applicant.email', is: email },
    textField('applicant.first_name', 100),
    { path: 'redirect_uri', is: returnUri },
    textField('reference', 128),
    { path: 'introduction_id', is: text },
    metadata,
  ];
}

function amountRange(value: unknown): Miss | null {
  if (Number(value) < 100_000)
    return { code: 'amount_below_minimum', message: 'amount_pence is under 100000 (£1,000).' };
  if (Number(value) <= 25_000_000) return null;
  return { code: 'amount_above_maximum', message: 'amount_pence is over 25000000 (£250,000).' };
}

function termRange(value: unknown): Miss | null {
  if (Number(value) >= 3 && Number(value) <= 60) return null;
  return { code: 'term_out_of_range', message: 'term_months is outside 3 to 60.' };
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
