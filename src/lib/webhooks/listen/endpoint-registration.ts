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

/** An abandoned endpoint whose secret is known. */
export interface AdoptableEndpoint {
  left: AbandonedEndpoint;
  secret: string;
}

/** The newest abandoned endpoint that can be taken over: its secret must be known, and the API must allow updates. */
export async function findAdoptable(
  api: EndpointApi,
  registration: ListenerRegistration,
): Promise<AdoptableEndpoint | null> {
  if (api.recall === undefined || api.update === undefined) return null;
  for (const left of registration.findAbandoned()) {
    const secret = await api.recall(left.endpointId).catch(() => null);
    if (secret !== null) return { left, secret };
  }
  return null;
}

/** Takes over the adoptable endpoint or registers a new one, then removes those left by other crashed listeners. @throws Failure of `register` */
export async function obtainEndpoint(
  api: EndpointApi,
  registration: ListenerRegistration,
  adoptable: AdoptableEndpoint | null,
  wanted: { url: string; events: string[]; port: number; path: string },
): Promise<RegisteredEndpoint> {
  const { url, events } = wanted;
  const adopted = adoptable !== null && (await canAdopt(api, adoptable, { url, events }));
  const endpoint = adopted
    ? { id: adoptable.left.endpointId, secret: adoptable.secret }
    : await api.register({ url, events });
  registration.saveEndpoint({ ...wanted, endpointId: endpoint.id });
  for (const left of registration.findAbandoned()) {
    if (left.endpointId === endpoint.id || (await removeEndpoint(api, left.endpointId)) === null) {
      registration.markEndpointGone(left.listener);
    }
  }
  return { ...endpoint, url, adopted };
}

/** Updates the endpoint, which also shows whether it still exists. */
async function canAdopt(
  api: EndpointApi,
  adoptable: AdoptableEndpoint,
  change: { url: string; events: string[] },
): Promise<boolean> {
  try {
    await api.update?.(adoptable.left.endpointId, change);
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
  /** Called after the endpoint was registered again, with the id that was lost. */
  onReplaced: (lost: string) => Promise<void>;
}

/**
 * Registers the endpoint again when it no longer exists: a sandbox was restarted, or the endpoint was deleted. Ends when the signal is
 * aborted or the API does not support the check; an API that cannot be reached is checked again later.
 */
export async function watchEndpoint(watch: EndpointWatch): Promise<void> {
  const { api, endpoint, events, signal } = watch;
  if (api.exists === undefined) return;
  do {
    try {
      const { id } = endpoint;
      const exists = await api.exists(id, signal);
      if (exists === null) return;
      // A tunnel with a new address may have replaced the endpoint meanwhile.
      if (exists || endpoint.id !== id || signal.aborted) continue;
      Object.assign(endpoint, await api.register({ url: endpoint.url, events }), { adopted: false });
      await watch.onReplaced(id);
    } catch {
      // The API could not be reached or refused: check again later.
    }
  } while (await paused(watch.everyMs, signal));
}

async function paused(ms: number, signal: AbortSignal): Promise<boolean> {
  await pause(ms, undefined, { signal, ref: false }).catch(() => undefined);
  return !signal.aborted;
}
