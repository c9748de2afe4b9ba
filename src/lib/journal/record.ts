/**
 * Writes exchanges down. Never throws, never makes anybody wait for more than a moment, and is never a reason for a command to
 * fail: what cannot be written is told once and then let go.
 */
import type { SQLInputValue, StatementSync } from 'node:sqlite';
import type { WriteDown } from '../contract/exchange.ts';
import { sqliteCode } from '../store/damage.ts';
import type { Store } from '../store/store.ts';
import { INSERT, rowOf } from './entries.ts';

export interface JournalOptions {
  /** Lends the store when the first record is to be written. Whoever lends it closes it, after `close`. */
  open: () => Store;
  /** Milliseconds since the epoch. */
  now: () => number;
  /** Live secret values, asked for with each record. */
  secrets?: () => readonly string[];
  /** Older entries go, in milliseconds. Default 14 days. */
  maxAgeMs?: number;
  /** More entries than this push out the oldest. Default 100,000. */
  maxEntries?: number;
  /** Told once why records cannot be written. */
  onTrouble?: (error: unknown) => void;
}

export interface Journal {
  write: WriteDown;
  /** Writes what is still on its way. */
  close(): void;
}

const FOURTEEN_DAYS_MS = 14 * 24 * 60 * 60 * 1000;
/** Records are written together, at most this much later. */
const FLUSH_MS = 10;
const FLUSH_ROWS = 200;
const FLUSH_CHARACTERS = 512 * 1024;
/** Old entries are looked for once in so many. */
const PRUNE_EVERY = 200;
/** After a failure the store is left alone for a while. */
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
  #opened: { store: Store; insert: StatementSync } | null = null;
  #restUntil = 0;
  #told = false;

  constructor(options: JournalOptions) {
    this.#options = options;
  }

  write(record: Parameters<WriteDown>[0]): void {
    try {
      if (this.#options.now() < this.#restUntil) return;
      const row = rowOf(record, this.#options.secrets?.() ?? []);
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
      const { store, insert } = (this.#opened ??= this.#open());
      try {
        this.#insert(store, insert, rows);
      } catch (error) {
        // A file at its limit has room again once the oldest entries are gone.
        if (sqliteCode(error) !== 'full' || store.bound() === 0) throw error;
        this.#insert(store, insert, rows);
      }
      store.bound();
    } catch (error) {
      this.#fail(error);
    }
  }

  #insert(store: Store, insert: StatementSync, rows: readonly SQLInputValue[][]): void {
    let last = 0;
    // One transaction: the other processes are kept out once, not once for each row.
    const own = !store.db.isTransaction;
    if (own) store.db.exec('BEGIN IMMEDIATE');
    try {
      for (const row of rows) last = Number(insert.run(...row).lastInsertRowid);
      if (own) store.db.exec('COMMIT');
    } catch (error) {
      if (own && store.db.isTransaction) store.db.exec('ROLLBACK');
      throw error;
    }
    if (last % PRUNE_EVERY < rows.length) this.#prune(store);
  }

  #open(): { store: Store; insert: StatementSync } {
    const store = this.#options.open();
    return { store, insert: store.db.prepare(INSERT) };
  }

  /** Always a whole beginning of the journal, so that a reader can tell by the first number what is gone. */
  #prune(store: Store): void {
    const { now, maxAgeMs = FOURTEEN_DAYS_MS, maxEntries = 100_000 } = this.#options;
    // By number, not by time: several processes write, and an early time may bear a late number. The `+` keeps to that order.
    const young = 'SELECT seq FROM journal WHERE +at >= ? ORDER BY seq LIMIT 1';
    const first = store.db.prepare(young).get(now() - maxAgeMs);
    const last = store.db.prepare('SELECT max(seq) AS seq FROM journal').get();
    const keepFrom = Math.max(Number(first?.['seq'] ?? 0), Number(last?.['seq'] ?? 0) - maxEntries + 1);
    store.db.prepare('DELETE FROM journal WHERE seq < ?').run(keepFrom);
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
