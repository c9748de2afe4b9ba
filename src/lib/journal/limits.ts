/**
 * How much the journal keeps. The limits rest in the store itself, so that every process on this machine keeps to the same ones,
 * whichever command it runs.
 */
import type { Store } from '../store/store.ts';

export interface Limits {
  /** Older entries go, in milliseconds. */
  maxAgeMs: number;
  /** More entries than this push out the oldest. */
  maxEntries: number;
  /** Beyond this many bytes of the whole file the oldest entries go. */
  maxBytes: number;
}

export const DEFAULT_LIMITS: Limits = {
  maxAgeMs: 14 * 24 * 60 * 60 * 1000,
  maxEntries: 100_000,
  maxBytes: 128 * 1024 * 1024,
};

/** What was set, and the defaults for the rest. */
export function limitsOf(store: Store): Limits {
  const set = new Map<unknown, number>();
  for (const { name, value } of store.db.prepare('SELECT name, value FROM journal_limits').all()) {
    set.set(name, Number(value));
  }
  const limit = (name: keyof Limits): number => set.get(name) ?? DEFAULT_LIMITS[name];
  return { maxAgeMs: limit('maxAgeMs'), maxEntries: limit('maxEntries'), maxBytes: limit('maxBytes') };
}

/** Sets those that are given, for every process from its next look on. @returns all of them */
export function setLimits(store: Store, limits: Partial<Limits>): Limits {
  const put = store.db.prepare('INSERT OR REPLACE INTO journal_limits (name, value) VALUES (?, ?)');
  for (const [name, value] of Object.entries(limits)) put.run(name, Math.round(value));
  return limitsOf(store);
}

/** Deletes what is over the limits, all of it at once. @param now milliseconds since the epoch @returns how many entries went by age and number */
export function prune(store: Store, limits: Limits, now: number): number {
  const gone = forget(store, limits, now);
  store.bound(limits.maxBytes);
  return gone;
}

/**
 * Deletes what is too old or too much: always a whole beginning of the journal, so that a reader can tell by the first number what is
 * gone. @param now milliseconds since the epoch @returns how many went
 */
export function forget(store: Store, { maxAgeMs, maxEntries }: Limits, now: number): number {
  // By number, not by time: several processes write, and an early time may bear a late number. The `+` keeps to that order.
  const young = 'SELECT seq FROM journal WHERE +at >= ? ORDER BY seq LIMIT 1';
  const first = store.db.prepare(young).get(now - maxAgeMs);
  const last = store.db.prepare('SELECT max(seq) AS seq FROM journal').get();
  const keepFrom = Math.max(
    Number(first?.['seq'] ?? Number(last?.['seq'] ?? 0) + 1),
    Number(last?.['seq'] ?? 0) - maxEntries + 1,
  );
  return Number(store.db.prepare('DELETE FROM journal WHERE seq < ?').run(keepFrom).changes);
}
