/** The address the sender uses: the loopback port itself, or what a tunnel makes of it; and that address over time. */
import type { Endpoint, EndpointActs } from './endpoint.ts';
import type { ListenOptions } from './listen-options.ts';
import type { Enrolment } from './listeners.ts';
import type { ListenerEvent } from '../contract/listener-events.ts';
import type { SelfTest } from './self-test.ts';
import { keepOpen } from './tunnels/keep-open.ts';
import type { OpenTunnel } from './tunnels/tunnel.ts';
import { watchWake } from './wake.ts';

export interface Exposure {
  /** Without the receiver's path and without a slash at the end. */
  base: string;
  /** Watches the address until the signal is aborted. */
  watch(watched: Watched): Promise<void>;
  /** For a listener that never came to watch. */
  close(): Promise<void>;
}

export interface Watched {
  endpoint: Endpoint;
  enrolment: Enrolment;
  selfTest: SelfTest;
  events: string[];
  /** Of the receiver. */
  port: number;
  path: string;
  signal: AbortSignal;
}

/** Opens the tunnel, if one is asked for. @throws Failure of the tunnel. */
export async function openExposure(
  options: ListenOptions,
  port: number,
  signal: AbortSignal,
  say: (moment: ListenerEvent) => void,
): Promise<Exposure> {
  const { tunnel, now } = options;
  const tell = teller(now, say);
  if (tunnel !== undefined) tell(tunnel.via, 'opening', null, null);
  const open: OpenTunnel | null = tunnel === undefined ? null : await tunnel.open(port, signal, null);
  const base = open?.url ?? `http://127.0.0.1:${port}`;
  const via = tunnel?.via ?? 'loopback';
  if (open !== null) tell(via, 'up', base, null);
  return {
    base,
    async watch(watched) {
      const wake = watchWake(now);
      wake.onWake((sleptMs) => {
        tell(via, 'woke', base, `the machine slept for about ${Math.round(sleptMs / 1000)} s`);
      });
      try {
        if (tunnel === undefined || open === null) await aborted(watched.signal);
        else await keepOpen({ ...keepOptions(options, watched, say), tunnel, port, onWake: wake.onWake }, open);
      } finally {
        wake.stop();
      }
    },
    close: async () => {
      await open?.close();
    },
  };
}

function teller(
  now: () => number,
  say: (moment: ListenerEvent) => void,
): (via: string, state: 'opening' | 'up' | 'woke', url: string | null, detail: string | null) => void {
  return (via, state, url, detail) => {
    const at = new Date(now()).toISOString();
    say({ type: 'tunnel', at, via, state, url, detail, retry_in_ms: null, blind_ms: null });
  };
}

function keepOptions(options: ListenOptions, watched: Watched, say: (moment: ListenerEvent) => void) {
  const { endpoint, selfTest, path, signal } = watched;
  return {
    times: options.tunnelTimes ?? {},
    now: options.now,
    signal,
    say,
    probe: (base: string, limitMs: number) => selfTest.run(base + path, endpoint.secret, limitMs, signal),
    moved: (base: string) => move(options.endpoints, watched, base),
  };
}

/** Tells the sender the new address; where an endpoint cannot be changed, a new one takes its place. */
async function move(acts: EndpointActs, watched: Watched, base: string): Promise<void> {
  const { endpoint, enrolment, events, port, path } = watched;
  const url = base + path;
  if (acts.update !== undefined) {
    await acts.update(endpoint.id, { url, events });
  } else {
    const old = endpoint.id;
    Object.assign(endpoint, await acts.register({ url, events }));
    await acts.unregister(old);
  }
  endpoint.url = url;
  enrolment.noteEndpoint({ endpointId: endpoint.id, url, port, path, events });
}

export async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise((resolve) => {
    signal.addEventListener('abort', resolve, { once: true });
  });
}
