/** Flag and argument types that check and convert what was typed: durations, amounts, dates, ids, URLs. */
import * as Args from '@oclif/core/args';
import * as Flags from '@oclif/core/flags';
import { isLoopback } from '../contract/environments.ts';
import { parsePounds } from '../contract/money.ts';
import { parseDuration, parseInstant } from '../contract/time.ts';
import { usage } from '../failure.ts';
import { contextOf } from './context.ts';
import type { Completion } from './manifest.ts';

/** Milliseconds, more than 0. */
export const duration = Flags.custom<number>({
  helpValue: '<duration>',
  parse: async (text) => parseDuration(text) || bad(`${quoted(text)} is not a duration`, 'write 500ms, 10s, 2m or 1h'),
});

/** Milliseconds since the epoch. A duration means "ago". */
export const instant = Flags.custom<number>({
  helpValue: '<when>',
  parse: async (text, command) =>
    parseInstant(text, contextOf(command).now()) ??
    bad(`${quoted(text)} is not a point in time`, 'write 2026-06-29, 2026-06-29T10:00:00Z, or 10m for ten minutes ago'),
});

/** Pence, from pounds. */
export const pounds = Flags.custom<number>({
  helpValue: '<pounds>',
  parse: async (text) =>
    parsePounds(text) ??
    bad(`${quoted(text)} is not an amount in pounds`, 'write 25000, 25,000 or 25000.50; for pence use --amount-pence'),
});

/** Whole pence. */
const pence = Flags.custom<number>({
  helpValue: '<pence>',
  parse: async (text) =>
    wholeNumber(text) ??
    bad(`${quoted(text)} is not a whole number of pence`, 'write 2500000 for £25,000.00; for pounds use --amount'),
});

/** Companies House number: 8 letters or digits, upper-cased (partner-api.md#create-an-application). */
export const companyNumber = Flags.custom<string>({
  helpValue: '<number>',
  parse: async (text) => {
    const number = text.trim().toUpperCase();
    if (/^[A-Z0-9]{8}$/.test(number)) return number;
    return bad(
      `${quoted(text)} is not a Companies House number`,
      'it has 8 letters or digits, with leading zeros: 16093826, 00000401, SC000401',
    );
  },
});

export const email = Flags.custom<string>({
  helpValue: '<email>',
  parse: async (text) =>
    /^[^\s@]+@[^\s@]+$/.test(text) ? text : bad(`${quoted(text)} is not an e-mail address`, 'write ada@example.com'),
});

/** Absolute https URL; http for loopback only (partner-api.md#create-an-application). */
export const uri = Flags.custom<string>({
  helpValue: '<url>',
  parse: async (text) => {
    if (isWebAddress(text)) return text;
    return bad(
      `${quoted(text)} is not an absolute https URL`,
      'write https://yourapp.example/return (http is accepted for localhost only)',
    );
  },
});

/** `https`, or `http` on loopback, without a name and password inside. */
function isWebAddress(text: string): boolean {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || url.username !== '' || url.password !== '') return false;
  if (url.protocol === 'https:') return true;
  return url.protocol === 'http:' && isLoopback(url.hostname);
}

/** A day of the calendar, `YYYY-MM-DD` (partner-api.md#conventions). */
export const date = Flags.custom<string>({
  helpValue: '<date>',
  parse: async (text) => {
    const at = /^\d{4}-\d{2}-\d{2}$/.test(text) ? Date.parse(`${text}T00:00:00Z`) : Number.NaN;
    // 30 February is a number to the parser and no day to anybody else.
    if (!Number.isNaN(at) && new Date(at).toISOString().startsWith(text)) return text;
    return bad(`${quoted(text)} is not a date`, 'write year, month and day: 1990-01-31');
  },
});

/** Milliseconds since the epoch, from a date or an instant; past ones are accepted, since the server's clock may differ. */
export const moment = Flags.custom<number>({
  helpValue: '<instant>',
  parse: async (text, command) =>
    (/^\d{4}/.test(text) ? parseInstant(text, contextOf(command).now()) : null) ??
    bad(`${quoted(text)} is not a point in time`, 'write 2026-07-06 or 2026-07-06T12:00:00Z'),
});

/** ISO 4217, three letters. */
export const currency = Flags.custom<string>({
  helpValue: '<code>',
  parse: async (text) =>
    /^[A-Za-z]{3}$/.test(text) ? text.toUpperCase() : bad(`${quoted(text)} is not a currency`, 'write GBP'),
});

/** An amount in pounds or in pence, not both (command-line.md#global-flags). */
export const amountFlags = {
  amount: pounds({ helpGroup: 'MONEY', summary: 'amount in pounds: 25000 or 25,000.50', exclusive: ['amount-pence'] }),
  'amount-pence': pence({ helpGroup: 'MONEY', summary: 'amount in pence: 2500000 is £25,000.00' }),
};

export interface Pair {
  key: string;
  value: string;
}

/** `key=value`; limits on length and number are checked by `metadataOf`. */
export const pair = Flags.custom<Pair>({
  helpValue: '<key=value>',
  parse: async (text) => {
    const at = text.indexOf('=');
    if (at < 1) return bad(`${quoted(text)} is not a key=value pair`, 'write key=value');
    return { key: text.slice(0, at), value: text.slice(at + 1) };
  },
});

/** `--metadata order=88421 --metadata shop=7`. */
export const metadataFlags = {
  metadata: pair({
    summary: 'a metadata pair; may be repeated, up to 20',
    multiple: true,
    multipleNonGreedy: true,
  }),
};

/** At most 20 pairs, keys to 40 and values to 500 characters (partner-api.md#create-an-application). */
export function metadataOf(pairs: readonly Pair[] | undefined): Record<string, string> | undefined {
  if (!pairs || pairs.length === 0) return undefined;
  const metadata = Object.fromEntries(pairs.map(({ key, value }) => [key, value]));
  if (Object.keys(metadata).length > 20) throw usage('more than 20 metadata pairs', { param: '--metadata' });
  for (const [key, value] of Object.entries(metadata)) {
    if (key.length > 40)
      throw usage(`the metadata key ${quoted(key)} is longer than 40 characters`, { param: '--metadata' });
    if (value.length > 500)
      throw usage(`the metadata value of ${quoted(key)} is longer than 500 characters`, { param: '--metadata' });
  }
  return metadata;
}

/** The members of a request body that were given: those that are undefined are left out. */
export function withoutUndefined(members: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined));
}

/** An object of the members that were given; undefined where none was. */
export function objectOrNothing(members: Record<string, string | undefined>): Record<string, unknown> | undefined {
  const given = withoutUndefined(members);
  return Object.keys(given).length === 0 ? undefined : given;
}

/** Values that the API documents for a member. A new one is passed on: the server decides (partner-api.md#evidence-tags-and-optional-routes rule 4). */
export const DOCUMENTED_VALUES = {
  purpose: ['working_capital', 'asset_finance', 'expansion', 'refinance', 'stock'],
  application: ['created', 'submitted', 'in_review', 'approved', 'declined', 'funded', 'withdrawn'],
  payment: ['processing', 'settled', 'failed'],
  account: ['active', 'in_arrears', 'closed'],
  scheme: ['pisp', 'direct_debit'],
  provider: ['credicorp', 'acountpay', 'acountpay-v2'],
} as const;

/** `a, b or c`, for a summary. */
export function joinWithOr(values: readonly string[]): string {
  return values.join(', ').replace(/, ([^,]*)$/, ' or $1');
}

/** A whole number within bounds. */
export const count = Flags.custom<number, { min?: number; max?: number }>({
  helpValue: '<n>',
  parse: async (text, _context, { min = 0, max = Number.MAX_SAFE_INTEGER }) => {
    const number = wholeNumber(text);
    if (number === null || number < min || number > max)
      return bad(`${quoted(text)} is not a whole number from ${min} to ${max}`, `write a number from ${min} to ${max}`);
    return number;
  },
});

/** An id from the API: opaque text, safe as one path segment. */
export const id = Args.custom<string, { completes?: Completion }>({
  ignoreStdin: true,
  required: true,
  parse: async (text) => checkedId(text),
});

/** Any id as the value of a flag. */
export const idFlag = Flags.custom<string, { completes?: Completion }>({
  helpValue: '<id>',
  parse: async (text) => checkedId(text),
});

/** The id of an application as the value of a flag. */
export const applicationFlag = (options: { summary: string }) => idFlag({ ...options, completes: { ids: ['app_'] } });

/** @throws Failure `usage` when the text cannot be an id */
export function checkedId(text: string): string {
  if (text !== '' && text.length <= 255 && !/[\s/?#%\\]/.test(text) && text !== '.' && text !== '..') return text;
  return bad(`${quoted(text)} is not an id`, 'ids look like app_8Kd2c9Qm');
}

function wholeNumber(text: string): number | null {
  if (!/^\d{1,16}$/.test(text.trim())) return null;
  const number = Number(text);
  return Number.isSafeInteger(number) ? number : null;
}

function bad(message: string, next: string): never {
  throw usage(message, { next });
}

/** The input in quotes, shortened: it may be a pasted secret or a file. */
function quoted(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 57)}...` : text);
}

/** A flag that agents are not offered: it is for a person or a script, or names a file, a host or a secret. */
export function notForAgents<F>(flag: F): F {
  return { ...flag, forAgents: false };
}
