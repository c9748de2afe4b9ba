/**
 * An endpoint can be lost while its listener runs: a sandbox that was ended and started anew knows nothing of it, and a listener that
 * only waits would hear nothing for ever. Looked after only where looking is cheap (`EndpointActs.present`).
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { Endpoint, EndpointActs } from './endpoint.ts';

export interface Watch {
  acts: EndpointActs;
  endpoint: Endpoint;
  url: string;
  events: string[];
  /** Milliseconds between looks. */
  everyMs: number;
  signal: AbortSignal;
  /** The endpoint was registered again; its id and secret are new. */
  renewed: () => Promise<void>;
}

/** Until the signal is aborted. An API that cannot be reached is asked again: it may be on its way up. */
export async function watchPresence(watch: Watch): Promise<void> {
  const { acts, endpoint, url, events, signal } = watch;
  if (acts.present === undefined) return;
  while (await paused(watch.everyMs, signal)) {
    try {
      if (await acts.present(endpoint.id)) continue;
      Object.assign(endpoint, await acts.register({ url, events }), { adopted: false });
      await watch.renewed();
    } catch {
      // Not reachable, or refused just now: the next look comes.
    }
  }
}

async function paused(ms: number, signal: AbortSignal): Promise<boolean> {
  await pause(ms, undefined, { signal, ref: false }).catch(() => undefined);
  return !signal.aborted;
}
