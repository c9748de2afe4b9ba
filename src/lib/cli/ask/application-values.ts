/** Company, amount, term and purpose of an application: given, asked for on a terminal, or defaults outside live. */
import { formatPounds } from '../../contract/money.ts';
import { usage } from '../../failure.ts';
import { companyNumber, count, DOCUMENTED_VALUES, pounds } from '../flags.ts';
import { note } from '../output/write.ts';
import type { FlagQuestion, PromptContext } from './prompt.ts';

interface Given {
  company?: string | undefined;
  amount?: number | undefined;
  term?: number | undefined;
  purpose?: string | undefined;
}

interface RequiredValues {
  company: string;
  /** Pence. */
  amount: number;
  /** Months. */
  term: number;
  purpose?: string | undefined;
}

/** £25,000 over 12 months (command-line.md#commands). */
const DEFAULTS = { amount: 2_500_000, term: 12 };

/** @throws Failure `usage` naming what is missing */
export async function requiredValues(
  asking: PromptContext,
  given: Given,
  isLive: () => Promise<boolean>,
): Promise<RequiredValues> {
  const { amount, term } = given;
  if (asking.mayAsk) return askRequired(asking, given);
  const company = given.company ?? (await ask(asking, COMPANY));
  if (amount !== undefined && term !== undefined) return { company, amount, term, purpose: given.purpose };
  const filled = withDefaults(given, await isLive());
  note(asking.context, `using ${formatPounds(filled.amount)} over ${filled.term} months`);
  return { company, ...filled, purpose: given.purpose };
}

async function askRequired(asking: PromptContext, given: Given): Promise<RequiredValues> {
  const company = given.company ?? (await ask(asking, COMPANY));
  // Without --company the user is answering questions anyway, so the optional purpose is asked too.
  const purpose = given.company === undefined ? (given.purpose ?? (await askPurpose(asking))) : given.purpose;
  const amount = given.amount ?? (await ask(asking, AMOUNT));
  return { company, amount, term: given.term ?? (await ask(asking, TERM)), purpose };
}

async function ask<T>(asking: PromptContext, question: FlagQuestion<T>): Promise<T> {
  const { askMissing } = await import('./prompt.ts');
  return askMissing(asking, question);
}

/** The defaults apply on `local` and `sandbox`; on `live` amount and term must be given. @throws Failure `usage` */
export function withDefaults({ amount, term }: Given, isLive: boolean): { amount: number; term: number } {
  if (isLive && (amount === undefined || term === undefined)) {
    const missing = [amount === undefined ? '--amount' : '', term === undefined ? '--term' : ''].filter(Boolean);
    throw usage(`on live, ${missing.join(' and ')} must be given`, {
      param: missing[0] ?? '',
      next: 'for example: --amount 25000 --term 12',
    });
  }
  return { amount: amount ?? DEFAULTS.amount, term: term ?? DEFAULTS.term };
}

async function askPurpose({ context }: PromptContext): Promise<string | undefined> {
  const { askChoice } = await import('./prompt.ts');
  const values = DOCUMENTED_VALUES.purpose.map((value) => ({
    value: value as string,
    name: value.replaceAll('_', ' '),
  }));
  return (await askChoice(context, 'What is it for?', [{ value: '', name: 'skip' }, ...values])) || undefined;
}

const COMPANY: FlagQuestion<string> = {
  flag: '--company',
  parser: companyNumber(),
  message: 'Companies House number',
  example: '--company 16093826',
};
const AMOUNT: FlagQuestion<number> = {
  flag: '--amount',
  parser: pounds(),
  message: 'Amount in pounds',
  initial: '25,000',
  example: '--amount 25000',
};
const TERM: FlagQuestion<number> = {
  flag: '--term',
  parser: count(),
  message: 'Term in months',
  initial: '12',
  example: '--term 12',
};
