/**
 * Filters and queries on the journal's table. A filter is implemented twice, as SQL for entries in the table and as a test of one entry
 * that a remote sandbox sent; both must select the same entries.
 */
import type { SQLInputValue, StatementSync } from 'node:sqlite';
import type { RecordSource } from '../contract/exchange.ts';
import { Failure, usage } from '../failure.ts';
import type { Store } from '../store/store.ts';
import { toEntry, type JournalEntry } from './entries.ts';

/** Every member that is set must match. */
export interface JournalFilter {
  /** `429`, or a class: `4xx`. */
  status?: string;
  method?: string;
  /** `*` matches anything; the query string is ignored, and `/partner/v1` may be left out. */
  path?: string;
  requestId?: string;
  source?: RecordSource;
}

/** The filter as an SQL condition and its values. @param since milliseconds since the epoch @throws Failure `usage` */
export function filterSql(filter: JournalFilter, since: number | null): { where: string; values: SQLInputValue[] } {
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
    // `*` is the only wild card; SQLite's `?` and `[` are escaped.
    if (filter.path.length > LONGEST_PATTERN)
      throw usage(`a path pattern has at most ${LONGEST_PATTERN} characters`, { param: '--path' });
    const pattern = filter.path.replace(/[?[]/g, '[$&]');
    add(`(${BARE_PATH} GLOB ? OR (path GLOB '/partner/v1/*' AND substr(${BARE_PATH}, 12) GLOB ?))`, pattern, pattern);
  }
  return { where: conditions.join(' AND '), values };
}

/** SQLite takes 50,000 bytes, and no path of the API comes near this. */
const LONGEST_PATTERN = 2000;
const BARE_PATH = "substr(path, 1, instr(path || '?', '?') - 1)";

/** Whether one entry matches the filter. @param since milliseconds since the epoch @throws Failure `usage` */
export function matchesFilter(entry: JournalEntry, filter: JournalFilter, since: number | null): boolean {
  const [least, most] = filter.status === undefined ? [0, Infinity] : statusRange(filter.status);
  const path = entry.path.split('?')[0] ?? '';
  return (
    (since === null || entry.at >= since) &&
    (filter.status === undefined || (entry.status !== null && entry.status >= least && entry.status <= most)) &&
    equals(filter.method?.toUpperCase(), entry.method) &&
    equals(filter.requestId, entry.requestId) &&
    equals(filter.source, entry.source) &&
    (filter.path === undefined ||
      matchesGlob(path, filter.path) ||
      matchesGlob(path.replace(/^\/partner\/v1(?=\/)/, ''), filter.path))
  );
}

function equals(wanted: string | undefined, found: string | null): boolean {
  return wanted === undefined || wanted === found;
}

/** Matches `*` wild cards part by part from the left: in linear time, which a regular expression does not guarantee. */
function matchesGlob(text: string, pattern: string): boolean {
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

/** Prepared queries on one open store that read entries in order. */
export class JournalReader {
  readonly #store: Store;
  readonly #where: string;
  readonly #values: SQLInputValue[];
  readonly #between: StatementSync;
  readonly #newest: StatementSync;
  readonly #first: StatementSync;

  /**
   * @param since of the entries already there, only those from this instant on, in milliseconds since the epoch. Entries written later
   * are always included, although their call may have started before.
   */
  constructor(store: Store, filter: JournalFilter, since: number | null) {
    this.#store = store;
    const { where, values } = filterSql(filter, null);
    const { db } = store;
    this.#newest = db.prepare("SELECT seq FROM sqlite_sequence WHERE name = 'journal'");
    this.#where = since === null ? where : `${where} AND (at >= ? OR seq > ?)`;
    this.#values = since === null ? values : [...values, since, this.newest()];
    const sql = `SELECT * FROM journal WHERE seq > ? AND seq <= ? AND ${this.#where} ORDER BY seq LIMIT ?`;
    this.#between = db.prepare(sql);
    this.#first = db.prepare('SELECT min(seq) AS seq FROM journal');
  }

  between(after: number, until: number, limit: number): JournalEntry[] {
    return this.#between.all(after, until, ...this.#values, limit).map(toEntry);
  }

  /** The highest sequence number ever assigned; 0 when there has been no entry. */
  newest(): number {
    return Number(this.#newest.get()?.['seq'] ?? 0);
  }

  /** The lowest sequence number still stored; without entries, the next one to be assigned. */
  first(): number {
    return Number(this.#first.get()?.['seq'] ?? this.newest() + 1);
  }

  /** The sequence number before the first entry at `since` or later. */
  before(since: number): number {
    const found = this.#store.db.prepare('SELECT min(seq) AS seq FROM journal WHERE at >= ?').get(since);
    return Number(found?.['seq'] ?? this.newest() + 1) - 1;
  }

  /** The sequence number before the last `count` entries that match the filter. */
  beforeLast(count: number): number {
    const sql = `SELECT min(seq) AS seq FROM (SELECT seq FROM journal WHERE ${this.#where} ORDER BY seq DESC LIMIT ?)`;
    const found = this.#store.db.prepare(sql).get(...this.#values, count);
    return Number(found?.['seq'] ?? this.newest() + 1) - 1;
  }

  /** True when entries at `since` or later may have been pruned already. */
  lost(since: number | null): boolean {
    const first = this.first();
    if (since === null || first <= 1) return false;
    const oldest = this.#store.db.prepare('SELECT at FROM journal WHERE seq = ?').get(first);
    return oldest === undefined || Number(oldest['at']) > since;
  }
}

/**
 * Every recorded exchange of one request, delivery or event, oldest first: all attempts, and both ends when both run on this machine.
 * @param id `req_…`, `whd_…` or `evt_…`
 */
export function exchangesOf(store: Store, id: string): JournalEntry[] {
  const sql =
    'SELECT * FROM journal WHERE request_id = ?1 OR delivery_id = ?1 OR event_id = ?1 ORDER BY seq LIMIT 1000';
  return store.db.prepare(sql).all(id).map(toEntry);
}
