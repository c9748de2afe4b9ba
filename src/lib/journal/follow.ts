/** Reads the journal: what is there, then what comes, from whichever process it comes. */
import { setTimeout as wait } from 'node:timers/promises';
import { isDamage } from '../store/damage.ts';
import type { Store } from '../store/store.ts';
import type { JournalEntry } from './entries.ts';
import type { JournalFilter } from './filter.ts';
import { Reader } from './reader.ts';

export type { JournalFilter } from './filter.ts';

export interface FollowOptions {
  store: Store;
  /** Opens the store again when the file was set aside and begun anew. What this opened, `follow` closes. */
  reopen?: () => Store;
  /** Begin with entries from this instant on, in milliseconds since the epoch. Without `since` and `last`: with what comes. */
  since?: number;
  /** Begin with the last so many that fit the filter. */
  last?: number;
  filter?: JournalFilter;
  /** Go on with what comes, until the signal. */
  follow: boolean;
  /** How often to look, in milliseconds. Default 75. */
  pollMs?: number;
  signal?: AbortSignal;
}

/** `gap`: entries that would have been due here were pruned, or the store was set aside and begun anew. */
export type JournalMoment = { type: 'entry'; entry: JournalEntry } | { type: 'gap'; why: 'pruned' | 'replaced' };

const POLL_MS = 75;
const BATCH = 200;

/** @returns when the signal is aborted, or, without `follow`, when everything was read. */
export async function* follow(options: FollowOptions): AsyncGenerator<JournalMoment, void, undefined> {
  const { signal, reopen, since = null, filter = {} } = options;
  let { store } = options;
  let place: Place | null = null;
  try {
    for (;;) {
      if (signal?.aborted) return;
      try {
        place ??= yield* begin(store, options);
        yield* readOn(place, signal);
      } catch (error) {
        if (!reopen || !isDamage(error)) throw error;
        store.condemn();
      }
      if (reopen && store.isStale()) {
        if (store !== options.store) store.close();
        store = reopen();
        place = { reader: new Reader(store, filter, since), seen: 0 };
        yield { type: 'gap', why: 'replaced' };
      } else if (!options.follow) return;
      else await wait(options.pollMs ?? POLL_MS, undefined, signal ? { signal } : {}).catch(() => null);
    }
  } finally {
    if (store !== options.store) store.close();
  }
}

interface Place {
  reader: Reader;
  /** The number up to which everything was read. */
  seen: number;
}

function* begin(store: Store, options: FollowOptions): Generator<JournalMoment, Place> {
  const { since = null, last, filter = {} } = options;
  const reader = new Reader(store, filter, since);
  const seen = last !== undefined ? reader.beforeLast(last) : since === null ? reader.newest() : reader.before(since);
  if (reader.lost(since)) yield { type: 'gap', why: 'pruned' };
  return { reader, seen };
}

/** Everything after `seen`, in order. */
function* readOn(place: Place, signal: AbortSignal | undefined): Generator<JournalMoment, void> {
  const { reader } = place;
  for (;;) {
    if (signal?.aborted) return;
    // A reader slower than the pruning loses entries, and is told.
    const first = reader.first();
    if (first > place.seen + 1) {
      place.seen = first - 1;
      yield { type: 'gap', why: 'pruned' };
    }
    const newest = reader.newest();
    const batch = reader.between(place.seen, newest, BATCH);
    for (const entry of batch) {
      place.seen = entry.seq;
      yield { type: 'entry', entry };
    }
    if (batch.length === BATCH) continue;
    place.seen = Math.max(place.seen, newest);
    return;
  }
}
