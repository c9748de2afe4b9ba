/** News of one object, for whoever waits for it: a delivery that concerns it says that looking again is worth it. */
import { setTimeout as wait } from 'node:timers/promises';
import { type EnrolOptions, latestEndpoint } from './listeners.ts';

/** How often the inbox is looked at. */
const LOOK_MS = 50;

/**
 * A pause that ends early when a running listener of this scope, in whatever process, has stored a delivery about the object since the
 * last one. Without a listener, or with an inbox that cannot be read just now, it is a pause and nothing else.
 * @param id of the object, or of the application it belongs to
 */
export function pauseUntilNews(options: EnrolOptions, id: string): (ms: number, signal?: AbortSignal) => Promise<void> {
  const { db } = options.store;
  const newest = db.prepare('SELECT max(id) AS id FROM inbox_deliveries');
  const about = db.prepare(
    'SELECT max(id) AS id FROM inbox_deliveries WHERE scope = ? AND id > ? AND (resource_id = ? OR order_key = ?)',
  );
  // What comes from here on counts: the first look at the object is still to come.
  let known = Number(newest.get()?.['id'] ?? 0);
  const hasNews = (): boolean => {
    const found = about.get(options.scope, known, id, id)?.['id'] ?? null;
    if (found !== null) known = Number(found);
    return found !== null;
  };
  return async (ms, signal) => {
    const limit = AbortSignal.timeout(Math.ceil(ms));
    const over = signal === undefined ? limit : AbortSignal.any([signal, limit]);
    while (!over.aborted) {
      if (quietly(hasNews)) return;
      const step = quietly(() => latestEndpoint(options)?.running === true) ? LOOK_MS : Math.max(LOOK_MS, ms);
      await wait(step, undefined, { signal: over }).catch(() => undefined);
    }
  };
}

/** The poll is what counts; an inbox that is busy or damaged must not end it. */
function quietly(ask: () => boolean): boolean {
  try {
    return ask();
  } catch {
    return false;
  }
}
