/** Which entries are wanted: as a question to the table, and as a test of one entry. Both mean the same. */
import type { SQLInputValue } from 'node:sqlite';
import type { RecordSource } from '../contract/exchange.ts';
import { Failure } from '../failure.ts';
import type { JournalEntry } from './entries.ts';

/** All that are given must fit. */
export interface JournalFilter {
  /** `429`, or a class: `4xx`. */
  status?: string;
  method?: string;
  /** `*` stands for anything; the query is not looked at, and `/partner/v1` may be left out. */
  path?: string;
  requestId?: string;
  source?: RecordSource;
}

/** @param since milliseconds since the epoch @throws Failure `usage` */
export function conditionsOf(filter: JournalFilter, since: number | null): { where: string; values: SQLInputValue[] } {
  const conditions: string[] = ['1'];
  const values: SQLInputValue[] = [];
  const add = (condition: string, ...given: SQLInputValue[]): void => {
    conditions.push(condition);
    values.push(...given);
  };
  if (since !== null) add('at >= ?', since);
  if (filter.status !== undefined) add('status BETWEEN ? AND ?', ...statusRange(filter.status));
  if (filter.method !== undefined) add('method = ?', filter.method.toUpperCase());
  if (filter.requestId !== undefined) add('request_id = ?', filter.requestId);
  if (filter.source !== undefined) add('source = ?', filter.source);
  if (filter.path !== undefined) {
    // SQLite's own wild cards beside `*` stand for themselves.
    const pattern = filter.path.replace(/[?[]/g, '[$&]');
    add(`(${BARE_PATH} GLOB ? OR (path GLOB '/partner/v1/*' AND substr(${BARE_PATH}, 12) GLOB ?))`, pattern, pattern);
  }
  return { where: conditions.join(' AND '), values };
}

const BARE_PATH = "substr(path, 1, instr(path || '?', '?') - 1)";

/** @throws Failure `usage` */
export function matches(entry: JournalEntry, filter: JournalFilter, since: number | null): boolean {
  const [least, most] = filter.status === undefined ? [0, Infinity] : statusRange(filter.status);
  const path = entry.path.split('?')[0] ?? '';
  return (
    (since === null || entry.at >= since) &&
    (filter.status === undefined || (entry.status !== null && entry.status >= least && entry.status <= most)) &&
    fits(filter.method?.toUpperCase(), entry.method) &&
    fits(filter.requestId, entry.requestId) &&
    fits(filter.source, entry.source) &&
    (filter.path === undefined ||
      fitsGlob(path, filter.path) ||
      fitsGlob(path.replace(/^\/partner\/v1(?=\/)/, ''), filter.path))
  );
}

function fits(wanted: string | undefined, found: string | null): boolean {
  return wanted === undefined || wanted === found;
}

/** Part after part from the left, which is enough where `*` is the only wild card, and takes no longer than it must. */
function fitsGlob(text: string, pattern: string): boolean {
  const [first = '', ...rest] = pattern.split('*');
  const last = rest.pop();
  if (last === undefined) return text === first;
  if (!text.startsWith(first)) return false;
  let at = first.length;
  for (const part of rest) {
    const found = text.indexOf(part, at);
    if (found === -1) return false;
    at = found + part.length;
  }
  return text.length - last.length >= at && text.endsWith(last);
}

function statusRange(text: string): [number, number] {
  if (/^[1-5]xx$/i.test(text)) return [Number(text[0]) * 100, Number(text[0]) * 100 + 99];
  if (/^[1-5]\d\d$/.test(text)) return [Number(text), Number(text)];
  throw new Failure('usage', 'a status is three digits or a class such as 4xx', {
    param: '--status',
    code: 'bad_status',
  });
}
