/** Reads the journal: what is there, then what comes, from whichever process it comes. */
import { setTimeout as wait } from 'node:timers/promises';
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
  let store = options.store;
  try {
    let reader = new Reader(store, filter, since);
    let seen = startOf(reader, options);
    if (reader.lost(since)) yield { type: 'gap', why: 'pruned' };
    for (;;) {
      if (signal?.aborted) return;
      seen = yield* readOn(reader, seen, signal);
      if (!options.follow) return;
      await wait(options.pollMs ?? POLL_MS, undefined, signal ? { signal } : {}).catch(() => null);
      if (!reopen || !reader.isReplaced()) continue;
      if (store !== options.store) store.close();
      store = reopen();
      reader = new Reader(store, filter, since);
      seen = 0;
      yield { type: 'gap', why: 'replaced' };
    }
  } finally {
    if (store !== options.store) store.close();
  }
}

/** Everything after `seen`, in order. @returns the number up to which everything was read. */
async function* readOn(
  reader: Reader,
  seen: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<JournalMoment, number, undefined> {
  for (;;) {
    // A reader slower than the pruning loses entries, and is told.
    const first = reader.first();
    if (first > seen + 1) {
      seen = first - 1;
      yield { type: 'gap', why: 'pruned' };
    }
    const newest = reader.newest();
    const batch = reader.between(seen, newest, BATCH);
    for (const entry of batch) yield { type: 'entry', entry };
    if (batch.length < BATCH || signal?.aborted) return Math.max(seen, newest);
    seen = batch.at(-1)?.seq ?? newest;
  }
}

/** The number after which to begin. */
function startOf(reader: Reader, { since, last }: FollowOptions): number {
  if (last !== undefined) return reader.beforeLast(last);
  return since === undefined ? reader.newest() : reader.before(since);
}
