/** The questions that are put to the journal's table. */
import type { SQLInputValue, StatementSync } from 'node:sqlite';
import type { Store } from '../store/store.ts';
import { entryOf, type JournalEntry } from './entries.ts';
import { conditionsOf, type JournalFilter } from './filter.ts';

export class Reader {
  readonly #store: Store;
  readonly #where: string;
  readonly #values: SQLInputValue[];
  readonly #between: StatementSync;
  readonly #newest: StatementSync;
  readonly #first: StatementSync;

  /** @param since of what is there already, entries from this instant on, in milliseconds since the epoch. What comes later may have begun before. */
  constructor(store: Store, filter: JournalFilter, since: number | null) {
    this.#store = store;
    const { where, values } = conditionsOf(filter, null);
    const { db } = store;
    this.#newest = db.prepare("SELECT seq FROM sqlite_sequence WHERE name = 'journal'");
    this.#where = since === null ? where : `${where} AND (at >= ? OR seq > ?)`;
    this.#values = since === null ? values : [...values, since, this.newest()];
    const sql = `SELECT * FROM journal WHERE seq > ? AND seq <= ? AND ${this.#where} ORDER BY seq LIMIT ?`;
    this.#between = db.prepare(sql);
    this.#first = db.prepare('SELECT min(seq) AS seq FROM journal');
  }

  between(after: number, until: number, limit: number): JournalEntry[] {
    return this.#between.all(after, until, ...this.#values, limit).map(entryOf);
  }

  /** The highest number ever given; 0 when there was none. */
  newest(): number {
    return Number(this.#newest.get()?.['seq'] ?? 0);
  }

  /** The lowest number that is still there, or the next one to come. */
  first(): number {
    return Number(this.#first.get()?.['seq'] ?? this.newest() + 1);
  }

  /** The number before the first entry of `since` or later. */
  before(since: number): number {
    const found = this.#store.db.prepare('SELECT min(seq) AS seq FROM journal WHERE at >= ?').get(since);
    return Number(found?.['seq'] ?? this.newest() + 1) - 1;
  }

  /** The number before the last `count` entries that fit. */
  beforeLast(count: number): number {
    const sql = `SELECT min(seq) AS seq FROM (SELECT seq FROM journal WHERE ${this.#where} ORDER BY seq DESC LIMIT ?)`;
    const found = this.#store.db.prepare(sql).get(...this.#values, count);
    return Number(found?.['seq'] ?? this.newest() + 1) - 1;
  }

  /** True when entries of `since` or later may have been pruned already. */
  lost(since: number | null): boolean {
    const first = this.first();
    if (since === null || first <= 1) return false;
    const oldest = this.#store.db.prepare('SELECT at FROM journal WHERE seq = ?').get(first);
    return oldest === undefined || Number(oldest['at']) > since;
  }
}

/**
 * Every entry of one request, delivery or event, oldest first: its tries, and both ends of it when both were seen on this machine.
 * @param id `req_…`, `whd_…` or `evt_…`
 */
export function show(store: Store, id: string): JournalEntry[] {
  const sql =
    'SELECT * FROM journal WHERE request_id = ?1 OR delivery_id = ?1 OR event_id = ?1 ORDER BY seq LIMIT 1000';
  return store.db.prepare(sql).all(id).map(entryOf);
}
