/**
 * Writes exchanges to the journal, in batches, and deletes what exceeds its limits of age, number and bytes (`logs limits`). A write
 * never throws and never lets a command fail: what cannot be written is reported once and then dropped.
 */
import type { SQLInputValue, StatementSync } from 'node:sqlite';
import type { ExchangeRecord, RecordExchange } from '../contract/exchange.ts';
import { redactBody, redactHeaders } from '../contract/secrets.ts';
import { isDamage, sqliteCode } from '../store/sqlite-file.ts';
import type { Store } from '../store/store.ts';
import { RECORD_COLUMNS } from './entries.ts';

export interface JournalOptions {
  /** Opens the store when the first record is written, and again when that store is stale. The caller closes it, after `close`. */
  open: () => Store;
  /** Milliseconds since the epoch. */
  now: () => number;
  /** Live secret values to redact; read for each record. */
  secrets?: () => readonly string[];
  /** Used instead of the limits kept in the store. */
  limits?: Partial<JournalLimits>;
  /** Called once with the reason when records cannot be written. */
  onTrouble?: (error: unknown) => void;
}

export interface Journal {
  write: RecordExchange;
  /** Writes what is still buffered. */
  close(): void;
}

/** Records are buffered for at most this long, this many rows or this many characters. */
const FLUSH_MS = 10;
const FLUSH_ROWS = 200;
const FLUSH_CHARACTERS = 512 * 1024;
/** Old entries are deleted once every this many records. */
const PRUNE_EVERY = 200;
/** After a failed write, records are dropped for this many milliseconds. */
const REST_MS = 5000;

export function createJournal(options: JournalOptions): Journal {
  const recorder = new Recorder(options);
  return { write: (record) => recorder.write(record), close: () => recorder.flush() };
}

class Recorder {
  readonly #options: JournalOptions;
  #rows: SQLInputValue[][] = [];
  #characters = 0;
  #timer: NodeJS.Timeout | null = null;
  #store: Store | null = null;
  #opened: { store: Store; insert: StatementSync; maxBytes: number } | null = null;
  #restUntil = 0;
  #reported = false;

  constructor(options: JournalOptions) {
    this.#options = options;
  }

  write(record: Parameters<RecordExchange>[0]): void {
    try {
      if (this.#options.now() < this.#restUntil) return;
      const row = toRow(record, this.#options.secrets?.() ?? []);
      this.#rows.push(row);
      for (const value of row) if (typeof value === 'string') this.#characters += value.length;
      if (this.#rows.length >= FLUSH_ROWS || this.#characters > FLUSH_CHARACTERS) this.flush();
      else this.#timer ??= setTimeout(() => this.flush(), FLUSH_MS);
    } catch (error) {
      this.#fail(error);
    }
  }

  flush(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const rows = this.#rows;
    this.#rows = [];
    this.#characters = 0;
    if (rows.length === 0) return;
    try {
      this.#put(rows);
    } catch (error) {
      this.#fail(error);
    }
  }

  /** A damaged file is renamed, and the rows are written to a new one. */
  #put(rows: readonly SQLInputValue[][]): void {
    try {
      this.#putOnce(rows);
    } catch (error) {
      if (this.#store === null || !isDamage(error, this.#store.path)) throw error;
      this.#store.condemn();
      this.#putOnce(rows);
    }
  }

  #putOnce(rows: readonly SQLInputValue[][]): void {
    if (this.#store?.isStale()) this.#opened = null;
    const { store, insert, maxBytes } = (this.#opened ??= this.#open());
    let last: number;
    try {
      last = this.#insert(store, insert, rows);
    } catch (error) {
      // A full file has room again once the oldest entries are deleted.
      if (sqliteCode(error) !== 'full' || store.bound(maxBytes) === 0) throw error;
      last = this.#insert(store, insert, rows);
    }
    store.trim(maxBytes);
    if (last % PRUNE_EVERY < rows.length) deleteOverLimit(store, this.#limits(store), this.#options.now());
  }

  /** @returns the last row's number */
  #insert(store: Store, insert: StatementSync, rows: readonly SQLInputValue[][]): number {
    let last = 0;
    // One transaction: one lock and one commit for all rows.
    const own = !store.db.isTransaction;
    if (own) store.db.exec('BEGIN IMMEDIATE');
    try {
      for (const row of rows) last = Number(insert.run(...row).lastInsertRowid);
      if (own) store.db.exec('COMMIT');
    } catch (error) {
      if (own && store.db.isTransaction) store.db.exec('ROLLBACK');
      throw error;
    }
    return last;
  }

  #open(): { store: Store; insert: StatementSync; maxBytes: number } {
    const store = (this.#store = this.#options.open());
    return { store, insert: store.db.prepare(INSERT), maxBytes: this.#limits(store).maxBytes };
  }

  #limits(store: Store): JournalLimits {
    return { ...readJournalLimits(store), ...this.#options.limits };
  }

  #fail(error: unknown): void {
    this.#rows = [];
    this.#characters = 0;
    this.#opened = null;
    this.#restUntil = this.#options.now() + REST_MS;
    if (this.#reported) return;
    this.#reported = true;
    this.#options.onTrouble?.(error);
  }
}

/** Stored in the store itself, so that every process on this machine uses the same limits. */
export interface JournalLimits {
  /** Entries older than this are deleted, in milliseconds. */
  maxAgeMs: number;
  /** With more entries than this the oldest are deleted. */
  maxEntries: number;
  /** When the whole file is larger than this many bytes the oldest entries are deleted. */
  maxBytes: number;
}

export const DEFAULT_JOURNAL_LIMITS: JournalLimits = {
  maxAgeMs: 14 * 24 * 60 * 60 * 1000,
  maxEntries: 100_000,
  maxBytes: 128 * 1024 * 1024,
};

/** The limits in force: those set, and the default for the rest. */
export function readJournalLimits(store: Store): JournalLimits {
  const set = new Map<unknown, number>();
  for (const { name, value } of store.db.prepare('SELECT name, value FROM journal_limits').all()) {
    set.set(name, Number(value));
  }
  const limit = (name: keyof JournalLimits): number => set.get(name) ?? DEFAULT_JOURNAL_LIMITS[name];
  return { maxAgeMs: limit('maxAgeMs'), maxEntries: limit('maxEntries'), maxBytes: limit('maxBytes') };
}

/** Sets the given limits; other processes use them the next time they prune. @returns all limits */
export function setJournalLimits(store: Store, limits: Partial<JournalLimits>): JournalLimits {
  const put = store.db.prepare('INSERT OR REPLACE INTO journal_limits (name, value) VALUES (?, ?)');
  for (const [name, value] of Object.entries(limits)) put.run(name, Math.round(value));
  return readJournalLimits(store);
}

/** Applies all limits now. @param now milliseconds since the epoch @returns how many entries were deleted for their age or number */
export function pruneJournal(store: Store, limits: JournalLimits, now: number): number {
  const deleted = deleteOverLimit(store, limits, now);
  store.bound(limits.maxBytes);
  return deleted;
}

/**
 * Deletes entries over the limits of age and number: always the oldest ones, without leaving a gap, so that the first remaining number
 * tells a reader what is missing. @param now milliseconds since the epoch @returns how many were deleted
 */
function deleteOverLimit(store: Store, { maxAgeMs, maxEntries }: JournalLimits, now: number): number {
  // In order of number, not of time: several processes write, so a higher number may carry an earlier time. The `+` stops SQLite from using the index on `at`.
  const firstToKeep = 'SELECT seq FROM journal WHERE +at >= ? ORDER BY seq LIMIT 1';
  const first = store.db.prepare(firstToKeep).get(now - maxAgeMs);
  const last = store.db.prepare('SELECT max(seq) AS seq FROM journal').get();
  const keepFrom = Math.max(
    Number(first?.['seq'] ?? Number(last?.['seq'] ?? 0) + 1),
    Number(last?.['seq'] ?? 0) - maxEntries + 1,
  );
  return Number(store.db.prepare('DELETE FROM journal WHERE seq < ?').run(keepFrom).changes);
}

/** Characters kept of a body, of any other text, and of a header's name; then the number of headers kept. */
const MOST_BODY = 16 * 1024;
const MOST_TEXT = 4 * 1024;
const MOST_NAME = 256;
const MOST_HEADERS = 100;

const INSERT = `INSERT INTO journal (${RECORD_COLUMNS.map(([, column]) => column).join(', ')})
  VALUES (${RECORD_COLUMNS.map(() => '?').join(', ')})`;

/** The values for `INSERT`: redacted first, then cut. @param known live secret values */
function toRow(record: ExchangeRecord, known: readonly string[]): SQLInputValue[] {
  return RECORD_COLUMNS.map(([member]) => {
    const value = record[member];
    if (member === 'requestBody' || member === 'responseBody') {
      return typeof value === 'string' ? redactBody(value, MOST_BODY, known) : null;
    }
    if (typeof value === 'object' && value !== null) return headersText(value, known);
    if (typeof value === 'string') return redactBody(value, MOST_TEXT, known);
    if (typeof value === 'number') return Number.isFinite(value) ? rounded(member === 'latencyMs' ? 2 : 0, value) : 0;
    return null;
  });
}

function rounded(digits: 0 | 2, value: number): number {
  return Math.round(value * 10 ** digits) / 10 ** digits;
}

function headersText(headers: Record<string, string>, known: readonly string[]): string {
  const first = Object.fromEntries(Object.entries(headers).slice(0, MOST_HEADERS));
  const kept: Record<string, string> = {};
  for (const [name, value] of Object.entries(redactHeaders(first, known))) {
    kept[name.slice(0, MOST_NAME).toLowerCase()] =
      value.length > MOST_TEXT ? redactBody(value, MOST_TEXT, known) : value;
  }
  return JSON.stringify(kept);
}
