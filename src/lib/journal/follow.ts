/** Follows the journal: the entries already there, then new ones as any process on this machine writes them (`logs tail`). */
import { setTimeout as wait } from 'node:timers/promises';
import { isDamage } from '../store/sqlite-file.ts';
import type { Store } from '../store/store.ts';
import type { JournalEntry } from './entries.ts';
import { type JournalFilter, JournalReader } from './query.ts';

export type { JournalFilter } from './query.ts';

export interface FollowOptions {
  store: Store;
  /** Opens the store again after the file was found damaged and replaced. `follow` closes what it opened this way. */
  reopen?: () => Store;
  /** Start with entries from this instant on, in milliseconds since the epoch. Without `since` and `last`: only new entries. */
  since?: number;
  /** Start with this many of the newest entries that match the filter. */
  last?: number;
  filter?: JournalFilter;
  /** Keep waiting for new entries until the signal is aborted. */
  follow: boolean;
  /** Milliseconds between two checks for new entries. Default 75. */
  pollMs?: number;
  signal?: AbortSignal;
}

/** An entry, or a gap: entries missing here were pruned, or the store was damaged and replaced by a new one. */
export type JournalItem = { type: 'entry'; entry: JournalEntry } | { type: 'gap'; why: 'pruned' | 'replaced' };

const POLL_MS = 75;
const BATCH = 200;

/** Yields entries in order. Ends when the signal is aborted or, without `follow`, when everything was read. */
export async function* follow(options: FollowOptions): AsyncGenerator<JournalItem, void, undefined> {
  const { signal, reopen, since = null, filter = {} } = options;
  let { store } = options;
  let position: Position | null = null;
  try {
    for (;;) {
      if (signal?.aborted) return;
      try {
        position ??= yield* begin(store, options);
        yield* readNew(position, signal);
      } catch (error) {
        if (!reopen || !isDamage(error, store.path)) throw error;
        store.condemn();
      }
      if (reopen && store.isStale()) {
        if (store !== options.store) store.close();
        store = reopen();
        position = { reader: new JournalReader(store, filter, since), seen: 0 };
        yield { type: 'gap', why: 'replaced' };
      } else if (!options.follow) return;
      else await wait(options.pollMs ?? POLL_MS, undefined, signal ? { signal } : {}).catch(() => null);
    }
  } finally {
    if (store !== options.store) store.close();
  }
}

interface Position {
  reader: JournalReader;
  /** Sequence number up to which everything was read. */
  seen: number;
}

function* begin(store: Store, options: FollowOptions): Generator<JournalItem, Position> {
  const { since = null, last, filter = {} } = options;
  const reader = new JournalReader(store, filter, since);
  const seen = last !== undefined ? reader.beforeLast(last) : since === null ? reader.newest() : reader.before(since);
  if (reader.lost(since)) yield { type: 'gap', why: 'pruned' };
  return { reader, seen };
}

/** Everything after `seen`, in order. */
function* readNew(position: Position, signal: AbortSignal | undefined): Generator<JournalItem, void> {
  const { reader } = position;
  for (;;) {
    if (signal?.aborted) return;
    // Entries pruned before they were read are reported as a gap.
    const first = reader.first();
    if (first > position.seen + 1) {
      position.seen = first - 1;
      yield { type: 'gap', why: 'pruned' };
    }
    const newest = reader.newest();
    const batch = reader.between(position.seen, newest, BATCH);
    for (const entry of batch) {
      position.seen = entry.seq;
      yield { type: 'entry', entry };
    }
    if (batch.length === BATCH) continue;
    position.seen = Math.max(position.seen, newest);
    return;
  }
}
