/**
 * Waits for deliveries in the inbox, no matter which process receives them: for events that match (`webhooks expect`), or for any delivery
 * about one object, which ends the pause before the next poll of a `--wait`.
 */
import { setTimeout as wait } from 'node:timers/promises';
import type { InboxEntry } from '../../contract/listener-events.ts';
import { timerMs } from '../../contract/time.ts';
import { Failure } from '../../failure.ts';
import type { Store } from '../../store/store.ts';
import { findEntry, listEntries } from './inbox-read.ts';
import { latestEndpoint, type RegistryOptions } from './listener-registry.ts';

/** How often the inbox is polled. */
const POLL_MS = 50;

/** What `expectEntries` waits for. */
export interface ExpectOptions {
  store: Store;
  scope: string;
  /** Whether a delivery matches. */
  fits: (body: Uint8Array, entry: InboxEntry) => boolean;
  count: number;
  /** Only deliveries received at or after this time, in milliseconds since the epoch. */
  since: number;
  timeoutMs: number;
  /** Milliseconds on a clock that never jumps. */
  ticks: () => number;
  signal: AbortSignal;
}

/**
 * Yields matching deliveries as they arrive, and ends after `count` of them.
 * @throws Failure `pending` (`not_seen`) when the time runs out, `interrupted` when the signal is aborted.
 */
export async function* expectEntries(expected: ExpectOptions): AsyncGenerator<InboxEntry> {
  const { store, scope, since, ticks } = expected;
  const end = ticks() + expected.timeoutMs;
  let after = 0;
  let seen = 0;
  for (;;) {
    const entries = listEntries(store, { scope, since, after, limit: 500 });
    for (const entry of entries) {
      after = entry.inbox_id;
      const found = findEntry(store, scope, String(entry.inbox_id));
      if (found === null || !expected.fits(found.body, entry)) continue;
      yield entry;
      seen += 1;
      if (seen >= expected.count) return;
    }
    if (entries.length > 0) continue;
    if (expected.signal.aborted) throw new Failure('interrupted', 'stopped before the events were seen');
    if (ticks() >= end) throw notSeen(seen, expected);
    await wait(Math.min(POLL_MS, Math.max(1, end - ticks())), null, { signal: expected.signal }).catch(() => null);
  }
}

function notSeen(seen: number, { count, timeoutMs }: ExpectOptions): Failure {
  return new Failure('pending', `${seen} of ${count} expected events were seen in ${timeoutMs} ms`, {
    code: 'not_seen',
    next: 'check that a listener is running, or wait longer with --timeout',
  });
}

/**
 * Makes a pause that ends early when a listener of this scope stores a delivery about the object. Without a running listener, or when
 * the inbox cannot be read, it lasts its full time.
 * @param id of the object, or of the application it belongs to
 */
export function pauseUntilDelivery(
  options: RegistryOptions,
  id: string,
): (ms: number, signal?: AbortSignal) => Promise<void> {
  const { db } = options.store;
  const newest = db.prepare('SELECT max(id) AS id FROM inbox_deliveries');
  const about = db.prepare(
    'SELECT max(id) AS id FROM inbox_deliveries WHERE scope = ? AND id > ? AND (resource_id = ? OR order_key = ?)',
  );
  // Only later deliveries end the pause: the caller reads the object after this.
  let known = Number(newest.get()?.['id'] ?? 0);
  const hasDelivery = (): boolean => {
    const found = about.get(options.scope, known, id, id)?.['id'] ?? null;
    if (found !== null) known = Number(found);
    return found !== null;
  };
  return async (ms, signal) => {
    const limit = AbortSignal.timeout(timerMs(ms));
    const over = signal === undefined ? limit : AbortSignal.any([signal, limit]);
    while (!over.aborted) {
      if (falseOnError(hasDelivery)) return;
      const step = falseOnError(() => latestEndpoint(options)?.running === true) ? POLL_MS : Math.max(POLL_MS, ms);
      await wait(step, undefined, { signal: over }).catch(() => undefined);
    }
  };
}

/** Runs a query; false when it fails, because a busy or damaged inbox must not end the wait. */
function falseOnError(ask: () => boolean): boolean {
  try {
    return ask();
  } catch {
    return false;
  }
}
