/**
 * Writes exchanges to the journal, in batches. Never throws and never lets a command fail: what cannot be written is reported once and
 * then dropped.
 */
import type { SQLInputValue, StatementSync } from 'node:sqlite';
import type { WriteDown } from '../contract/exchange.ts';
import { isDamage, sqliteCode, type Store } from '../store/store.ts';
import { INSERT, toRow } from './entries.ts';
import { deleteOverLimit, type JournalLimits, readJournalLimits } from './journal-limits.ts';

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
  write: WriteDown;
  /** Writes what is still buffered. */
  close(): void;
}

/** Records are buffered for at most this long, this many rows or this many characters. */
const FLUSH_MS = 10;
const FLUSH_ROWS = 200;
const FLUSH_CHARACTERS = 512 * 1024;
/** Old entries are deleted once every this many records. */
const PRUNE_EVERY = 200;
/** After a failure nothing is written for this long. */
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
  #told = false;

  constructor(options: JournalOptions) {
    this.#options = options;
  }

  write(record: Parameters<WriteDown>[0]): void {
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

  /** When the file turns out to be damaged it is set aside and the rows are written to a new one. */
  #put(rows: readonly SQLInputValue[][]): void {
    try {
      this.#putOnce(rows);
    } catch (error) {
      if (!isDamage(error) || this.#store === null) throw error;
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
    if (this.#told) return;
    this.#told = true;
    this.#options.onTrouble?.(error);
  }
}
