/**
 * An endpoint can be lost while its listener runs: a sandbox that was ended and started anew knows nothing of it, somebody may delete
 * it; and a listener that only waits would hear nothing for ever.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { Endpoint, EndpointActs } from './endpoint.ts';

export interface Watch {
  acts: EndpointActs;
  /** Its address may change while it is watched: a tunnel moves. */
  endpoint: Endpoint;
  events: string[];
  /** Milliseconds between looks. */
  everyMs: number;
  signal: AbortSignal;
  /** The endpoint was registered again; its id and secret are new. */
  renewed: (lost: string) => Promise<void>;
}

/** Until the signal is aborted, or the API turns out not to tell. One that cannot be reached is asked again: it may be on its way up. */
export async function watchPresence(watch: Watch): Promise<void> {
  const { acts, endpoint, events, signal } = watch;
  if (acts.present === undefined) return;
  do {
    try {
      const { id } = endpoint;
      const present = await acts.present(id, signal);
      if (present === null) return;
      // A tunnel that moved may have put another one in its place meanwhile.
      if (present || endpoint.id !== id || signal.aborted) continue;
      Object.assign(endpoint, await acts.register({ url: endpoint.url, events }), { adopted: false });
      await watch.renewed(id);
    } catch {
      // Not reachable, or refused just now: the next look comes.
    }
  } while (await paused(watch.everyMs, signal));
}

async function paused(ms: number, signal: AbortSignal): Promise<boolean> {
  await pause(ms, undefined, { signal, ref: false }).catch(() => undefined);
  return !signal.aborted;
}
