/**
 * Retention limits of the journal: age, number of entries and bytes (`logs limits`), and the deletion of what exceeds them. The limits
 * are kept in the store itself, so that every process on this machine uses the same ones.
 */
import type { Store } from '../store/store.ts';

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
  const gone = deleteOverLimit(store, limits, now);
  store.bound(limits.maxBytes);
  return gone;
}

/**
 * Deletes entries over the limits of age and number. Always the oldest without a hole, so that a reader can tell from the first number
 * what is missing. @param now milliseconds since the epoch @returns how many were deleted
 */
export function deleteOverLimit(store: Store, { maxAgeMs, maxEntries }: JournalLimits, now: number): number {
  // In order of number, not of time: several processes write, so a higher number may carry an earlier time. The `+` stops SQLite from using the index on `at`.
  const young = 'SELECT seq FROM journal WHERE +at >= ? ORDER BY seq LIMIT 1';
  const first = store.db.prepare(young).get(now - maxAgeMs);
  const last = store.db.prepare('SELECT max(seq) AS seq FROM journal').get();
  const keepFrom = Math.max(
    Number(first?.['seq'] ?? Number(last?.['seq'] ?? 0) + 1),
    Number(last?.['seq'] ?? 0) - maxEntries + 1,
  );
  return Number(store.db.prepare('DELETE FROM journal WHERE seq < ?').run(keepFrom).changes);
}
