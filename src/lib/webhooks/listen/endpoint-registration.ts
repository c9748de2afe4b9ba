/**
 * The listener's endpoint at the API: newly registered, or taken over from a crashed listener, with its secret and URL, so that
 * deliveries that the sender still retries arrive. It is checked while the listener runs, and removed at the end.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { Failure } from '../../failure.ts';
import type { ListenerRegistration, AbandonedEndpoint } from '../inbox/listener-registry.ts';

/** Operations on the API's endpoints, provided by the command line. Each may throw `Failure`. */
export interface EndpointApi {
  /** Creates an endpoint and stores its secret, which the API returns only once, for `recall`. */
  register(input: { url: string; events: string[] }): Promise<{ id: string; secret: string }>;
  /** Removes it. `not_found` is a success. */
  unregister(id: string): Promise<void>;
  /** The secret of an endpoint registered earlier on this machine; null when it is not known. */
  recall?(id: string): Promise<string | null>;
  /** Whether the endpoint still exists; null when the API does not support this check, which then ends. */
  exists?(id: string, signal: AbortSignal): Promise<boolean | null>;
  /** Changes the URL of an existing endpoint, and enables it. */
  update?(id: string, change: { url: string; events: string[] }): Promise<void>;
}

/** The endpoint of the running listener. Its address, id and secret may change while it runs. */
export interface RegisteredEndpoint {
  id: string;
  /** The URL that the sender posts to. */
  url: string;
  secret: string;
  /** Taken over from a crashed listener. */
  adopted: boolean;
}

/** What crashed listeners left, claimed by this one: nobody else takes it over or removes it. */
export interface ClaimedEndpoints {
  /** The newest whose secret is known, to be taken over; null when there is none, or the API allows no updates. */
  adoptable: { left: AbandonedEndpoint; secret: string } | null;
  all: AbandonedEndpoint[];
}

/** Claims the endpoints that crashed listeners to the same targets left registered. */
export async function claimEndpoints(
  api: EndpointApi,
  registration: ListenerRegistration,
  targets: readonly string[],
): Promise<ClaimedEndpoints> {
  const all = registration.claimAbandoned(targets);
  if (api.recall === undefined || api.update === undefined) return { adoptable: null, all };
  for (const left of all) {
    const secret = await api.recall(left.endpointId).catch(() => null);
    if (secret !== null) return { adoptable: { left, secret }, all };
  }
  return { adoptable: null, all };
}

/** Takes over the adoptable endpoint or registers a new one, then removes the others that were claimed. @throws Failure of `register` */
export async function obtainEndpoint(
  api: EndpointApi,
  registration: ListenerRegistration,
  { adoptable, all }: ClaimedEndpoints,
  wanted: { url: string; events: string[]; port: number; path: string },
): Promise<RegisteredEndpoint> {
  const { url, events } = wanted;
  const adopted = adoptable !== null && (await canAdopt(api, adoptable.left, { url, events }));
  const endpoint = adopted
    ? { id: adoptable.left.endpointId, secret: adoptable.secret }
    : await api.register({ url, events });
  registration.saveEndpoint({ ...wanted, endpointId: endpoint.id });
  for (const left of all) {
    if (left.endpointId === endpoint.id) continue;
    if ((await removeEndpoint(api, left.endpointId)) === null) registration.markEndpointGone(left.listener);
  }
  return { ...endpoint, url, adopted };
}

/** Updates the endpoint, which also shows whether it still exists. */
async function canAdopt(
  api: EndpointApi,
  { endpointId }: AbandonedEndpoint,
  change: { url: string; events: string[] },
): Promise<boolean> {
  try {
    await api.update?.(endpointId, change);
    return true;
  } catch {
    return false;
  }
}

/** Removes an endpoint. @returns null when it is gone, else why it could not be removed. */
export async function removeEndpoint(api: EndpointApi, id: string): Promise<string | null> {
  try {
    await api.unregister(id);
    return null;
  } catch (error) {
    if (error instanceof Failure && error.kind === 'not_found') return null;
    return error instanceof Failure ? error.message : 'the endpoint could not be removed';
  }
}

/** Options of `watchEndpoint`. */
export interface EndpointWatch {
  api: EndpointApi;
  /** Its URL changes when a tunnel reconnects with another address. */
  endpoint: RegisteredEndpoint;
  events: string[];
  /** Milliseconds between checks. */
  everyMs: number;
  signal: AbortSignal;
  /** Whether no other listener has taken the endpoint over. */
  holds: (id: string) => boolean;
  /** Calls back when the machine or the process woke, which is checked at once. @returns how to stop that. */
  onWake: (act: () => void) => () => void;
  /** Called after the endpoint was registered again, with the id that was lost. */
  onReplaced: (lost: string) => Promise<void>;
}

/**
 * Registers the endpoint again when it is no longer this listener's: the API has lost it (a sandbox was restarted, somebody deleted it), or
 * another listener took it over while this one was stopped. Ends when the signal is aborted; an API that cannot be reached is asked
 * again, one that cannot tell is not.
 */
export async function watchEndpoint(watch: EndpointWatch): Promise<void> {
  const { api, endpoint, events, signal } = watch;
  let asks = true;
  do {
    try {
      const { id } = endpoint;
      const exists = !watch.holds(id) ? false : asks ? ((await api.exists?.(id, signal)) ?? null) : true;
      if (exists === null) asks = false;
      // A tunnel with a new address may have replaced the endpoint meanwhile.
      if (exists !== false || endpoint.id !== id || signal.aborted) continue;
      Object.assign(endpoint, await api.register({ url: endpoint.url, events }), { adopted: false });
      await watch.onReplaced(id);
    } catch {
      // The API could not be reached or refused: check again later.
    }
  } while (await nextCheck(watch));
}

/** Waits for the next check, which a wake makes due at once. @returns false when the watch is over */
async function nextCheck({ everyMs, signal, onWake }: EndpointWatch): Promise<boolean> {
  const woke = new AbortController();
  const unwatch = onWake(() => woke.abort());
  await pause(everyMs, undefined, { signal: AbortSignal.any([signal, woke.signal]), ref: false }).catch(
    () => undefined,
  );
  unwatch();
  return !signal.aborted;
}
