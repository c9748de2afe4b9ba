/** What an application needs at least: given, asked for on a terminal, or filled in where nothing real depends on it. */
import { formatPounds } from '../../contract/money.ts';
import { usage } from '../../failure.ts';
import { companyNumber, count, pounds } from '../flags.ts';
import { KNOWN_WORDS } from '../requests/known-words.ts';
import { type Asking, askedFor, type Question } from './missing.ts';
import { note } from '../output/write.ts';

/** What was said. */
interface Given {
  company?: string | undefined;
  amount?: number | undefined;
  term?: number | undefined;
  purpose?: string | undefined;
}

export interface Least {
  company: string;
  /** Pence. */
  amount: number;
  /** Months. */
  term: number;
  purpose?: string | undefined;
}

/** £25,000 over 12 months (command-line.md#commands). */
const USUAL = { amount: 2_500_000, term: 12 };

/** @throws Failure `usage` naming what is missing */
export async function leastOf(asking: Asking, given: Given, isLive: () => Promise<boolean>): Promise<Least> {
  const company = given.company ?? (await askedFor(asking, COMPANY));
  // Who is asked for the company came without flags: one more question is a help, not a hindrance.
  const purpose = given.company === undefined ? (given.purpose ?? (await askPurpose(asking))) : given.purpose;
  if (asking.mayAsk) {
    const amount = given.amount ?? (await askedFor(asking, AMOUNT));
    return { company, amount, term: given.term ?? (await askedFor(asking, TERM)), purpose };
  }
  const { amount, term } = given;
  if (amount !== undefined && term !== undefined) return { company, amount, term, purpose };
  const usual = usualOr(given, await isLive());
  note(asking.context, saidOf(usual));
  return { company, ...usual, purpose };
}

/** The usual on `local` and `sandbox`; on `live` nothing is made up. @throws Failure `usage` */
export function usualOr({ amount, term }: Given, isLive: boolean): { amount: number; term: number } {
  if (isLive && (amount === undefined || term === undefined)) {
    const missing = [amount === undefined ? '--amount' : '', term === undefined ? '--term' : ''].filter(Boolean);
    throw usage(`on live, ${missing.join(' and ')} must be given`, {
      param: missing[0] ?? '',
      next: 'for example: --amount 25000 --term 12',
    });
  }
  return { amount: amount ?? USUAL.amount, term: term ?? USUAL.term };
}

/** `using £25,000.00 over 12 months`. */
function saidOf({ amount, term }: { amount: number; term: number }): string {
  return `using ${formatPounds(amount)} over ${term} months`;
}

async function askPurpose({ context }: Asking): Promise<string | undefined> {
  const { askChoice } = await import('./prompt.ts');
  const words = KNOWN_WORDS.purpose.map((value) => ({ value: value as string, name: value.replaceAll('_', ' ') }));
  return (await askChoice(context, 'What is it for?', [{ value: '', name: 'not said' }, ...words])) || undefined;
}

const COMPANY: Question<string> = {
  flag: '--company',
  reader: companyNumber(),
  message: 'Companies House number',
  example: '--company 16093826',
};
const AMOUNT: Question<number> = {
  flag: '--amount',
  reader: pounds(),
  message: 'Amount in pounds',
  initial: '25,000',
  example: '--amount 25000',
};
const TERM: Question<number> = {
  flag: '--term',
  reader: count(),
  message: 'Term in months',
  initial: '12',
  example: '--term 12',
};
