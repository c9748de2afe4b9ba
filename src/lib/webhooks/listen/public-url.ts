/** The listener's public URL: the loopback port itself, or the address of a tunnel, which is checked and reopened while the listener runs. */
import type { RegisteredEndpoint, EndpointApi } from './endpoint-registration.ts';
import type { ListenerRegistration } from '../inbox/listener-registry.ts';
import type { ListenerEvent } from '../../contract/listener-events.ts';
import type { SelfTest } from './self-test.ts';
import { keepOpen, type ReconnectTimes } from '../tunnels/keep-open.ts';
import type { OpenTunnel, Tunnel } from '../tunnels/tunnel-programs.ts';

/** The part of the listener's options that concerns the public URL. */
interface PublicUrlOptions {
  endpoints: EndpointApi;
  tunnel?: Tunnel;
  tunnelTimes?: Partial<ReconnectTimes>;
  now: () => number;
}

/** The address that deliveries are sent to. */
export interface PublicUrl {
  /** URL without the receiver's path and without a trailing slash. */
  base: string;
  /** Keeps the address working until the signal is aborted, then closes it. */
  watch(watched: WatchedUrl): Promise<void>;
  /** Closes it when the listener ended before `watch`. */
  close(): Promise<void>;
}

export interface WatchedUrl {
  endpoint: RegisteredEndpoint;
  registration: ListenerRegistration;
  selfTest: SelfTest;
  events: string[];
  /** The receiver's path. */
  port: number;
  path: string;
  sleep: SleepDetector;
  signal: AbortSignal;
}

/** Opens the tunnel, if there is one. @throws Failure of the tunnel */
export async function openPublicUrl(
  options: PublicUrlOptions,
  port: number,
  signal: AbortSignal,
  emit: (event: ListenerEvent) => void,
): Promise<PublicUrl> {
  const { tunnel, now } = options;
  const report = createTunnelReport(now, emit);
  if (tunnel !== undefined) report(tunnel.via, 'opening', null, null);
  const open: OpenTunnel | null = tunnel === undefined ? null : await tunnel.open(port, signal, null);
  const base = open?.url ?? `http://127.0.0.1:${port}`;
  const via = tunnel?.via ?? 'loopback';
  if (open !== null) report(via, 'up', base, null);
  return {
    base,
    async watch(watched) {
      const { sleep } = watched;
      const unwatch = sleep.onWake((sleptMs) => {
        report(via, 'woke', base, `the machine slept for about ${Math.round(sleptMs / 1000)} s`);
      });
      try {
        if (tunnel === undefined || open === null) await aborted(watched.signal);
        else await keepOpen({ ...keepOptions(options, watched, emit), tunnel, port, onWake: sleep.onWake }, open);
      } finally {
        unwatch();
      }
    },
    close: async () => {
      await open?.close();
    },
  };
}

function createTunnelReport(
  now: () => number,
  emit: (event: ListenerEvent) => void,
): (via: string, state: 'opening' | 'up' | 'woke', url: string | null, detail: string | null) => void {
  return (via, state, url, detail) => {
    const at = new Date(now()).toISOString();
    emit({ type: 'tunnel', at, via, state, url, detail, retry_in_ms: null, blind_ms: null });
  };
}

function keepOptions(options: PublicUrlOptions, watched: WatchedUrl, emit: (event: ListenerEvent) => void) {
  const { endpoint, selfTest, path, signal } = watched;
  return {
    times: options.tunnelTimes ?? {},
    now: options.now,
    signal,
    emit,
    probe: (base: string, limitMs: number) => selfTest.run(base + path, endpoint.secret, limitMs, signal),
    onMoved: (base: string) => move(options.endpoints, watched, base),
  };
}

/** Changes the endpoint's URL to the new address; if the API cannot update endpoints, registers a new one instead. */
async function move(api: EndpointApi, watched: WatchedUrl, base: string): Promise<void> {
  const { endpoint, registration, events, port, path } = watched;
  const url = base + path;
  if (api.update !== undefined) {
    await api.update(endpoint.id, { url, events });
  } else {
    const old = endpoint.id;
    Object.assign(endpoint, await api.register({ url, events }));
    await api.unregister(old);
  }
  endpoint.url = url;
  registration.saveEndpoint({ endpointId: endpoint.id, url, port, path, events });
}

export async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise((resolve) => {
    signal.addEventListener('abort', resolve, { once: true });
  });
}

/** Calls back when the machine woke from sleep. */
export interface SleepDetector {
  /** Adds a callback for each wake. @returns a function that removes it */
  onWake(callback: (sleptMs: number) => void): () => void;
  stop(): void;
}

interface SleepTimes {
  beatMs: number;
  /** A timer that fires later than this was stopped by sleep, not delayed by a busy machine. */
  slackMs: number;
}

/** Detects that the machine slept: a short timer that fires much too late by the wall clock. */
export function detectSleep(now: () => number, times: SleepTimes = { beatMs: 1000, slackMs: 5000 }): SleepDetector {
  const callbacks = new Set<(sleptMs: number) => void>();
  let last = now();
  const timer = setInterval(() => {
    const late = now() - last - times.beatMs;
    last = now();
    if (late >= times.slackMs) for (const callback of callbacks) callback(late);
  }, times.beatMs);
  timer.unref();
  return {
    onWake(callback) {
      callbacks.add(callback);
      return () => void callbacks.delete(callback);
    },
    stop: () => clearInterval(timer),
  };
}
