/**
 * Keeps a tunnel open: checks it and reopens it when it fails. The end of its process is detected at once; a tunnel that runs but
 * delivers nothing is detected by probes sent through it.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { Failure } from '../../failure.ts';
import type { ListenerEvent } from '../../contract/listener-events.ts';
import type { OpenTunnel, Tunnel } from './tunnel-programs.ts';

export interface ReconnectTimes {
  /** Between two probes, in milliseconds. Default 5 s. */
  probeMs: number;
  /** Limit for a probe, in milliseconds. Default 3 s; with `probeMs` it limits how long a dead tunnel goes undetected. */
  probeLimitMs: number;
  /** The first wait before it is reopened. Default 250 ms. */
  firstRetryMs: number;
  /** Waits double up to this, in milliseconds. Default 1.5 s, to limit the time lost after an outage. */
  longestRetryMs: number;
}

export interface KeepOpenOptions {
  tunnel: Tunnel;
  port: number;
  times?: Partial<ReconnectTimes>;
  /** Sends a test delivery to this address. Rejects when it does not arrive. */
  probe: (url: string, limitMs: number) => Promise<unknown>;
  /** Called when the tunnel has a new address. Rejects when the endpoint could not be updated. */
  onMoved: (url: string) => Promise<void>;
  emit: (event: ListenerEvent) => void;
  /** Milliseconds since the epoch. */
  now: () => number;
  signal: AbortSignal;
  /** Registers a callback for when the machine wakes from sleep: the pause ends and the tunnel is probed at once. @returns a function that removes it */
  onWake: (act: () => void) => () => void;
}

const DEFAULT_TIMES: ReconnectTimes = { probeMs: 5000, probeLimitMs: 3000, firstRetryMs: 250, longestRetryMs: 1500 };

/** Checks an open tunnel until the signal is aborted and reopens it when needed; closes it at the end. Never throws. */
export async function keepOpen(options: KeepOpenOptions, first: OpenTunnel): Promise<void> {
  const { signal, now } = options;
  const times = { ...DEFAULT_TIMES, ...options.times };
  const report = createTunnelReport(options);
  let open: OpenTunnel | null = first;
  let url = first.url;
  let lastWorking = now();
  let retryMs = times.firstRetryMs;
  let reported: string | null = null;
  while (!signal.aborted) {
    const problem: string | null =
      open === null ? null : await watchUntilBroken(options, times, open, () => (lastWorking = now()));
    if (signal.aborted) break;
    if (problem !== null) {
      await open?.close();
      open = null;
      reported = problem;
      report('down', url, { detail: problem, retry_in_ms: retryMs });
    }
    await wait(retryMs, null, { signal }).catch(() => null);
    retryMs = Math.min(retryMs * 2, times.longestRetryMs);
    const outcome = await reopen(options, times, url);
    if (typeof outcome === 'string') {
      // An outage is reported once, and again only when the reason changes.
      if (!signal.aborted && outcome !== reported) report('down', url, { detail: outcome, retry_in_ms: retryMs });
      reported = outcome;
      continue;
    }
    reported = null;
    open = outcome;
    url = outcome.url;
    retryMs = times.firstRetryMs;
    report('up', url, { blind_ms: Math.max(0, now() - lastWorking) });
    lastWorking = now();
  }
  await open?.close();
}

/** @returns why the tunnel no longer works; null when the signal was aborted. */
async function watchUntilBroken(
  options: KeepOpenOptions,
  times: ReconnectTimes,
  open: OpenTunnel,
  onWorking: () => void,
): Promise<string | null> {
  const { signal } = options;
  let ended: string | null = null;
  let checkNow = new AbortController();
  void open.ended.then((why) => {
    ended = why;
    checkNow.abort();
  });
  const unwatch = options.onWake(() => checkNow.abort());
  try {
    while (!signal.aborted) {
      await wait(times.probeMs, null, { signal: AbortSignal.any([signal, checkNow.signal]) }).catch(() => null);
      if (ended !== null || signal.aborted) return ended;
      checkNow = new AbortController();
      await options.probe(open.url, times.probeLimitMs);
      onWorking();
    }
    return null;
  } catch (error) {
    return error instanceof Failure ? error.message : 'a test delivery through the tunnel did not arrive';
  } finally {
    unwatch();
  }
}

/** Reopens the tunnel once. @returns the open tunnel, or why it could not be opened. */
async function reopen(options: KeepOpenOptions, times: ReconnectTimes, earlier: string): Promise<OpenTunnel | string> {
  const { tunnel, port, signal } = options;
  let open: OpenTunnel | null = null;
  try {
    open = await tunnel.open(port, signal, earlier);
    if (open.url !== earlier) await options.onMoved(open.url);
    await options.probe(open.url, times.probeLimitMs);
    return open;
  } catch (error) {
    await open?.close();
    return error instanceof Failure ? error.message : 'the tunnel could not be opened';
  }
}

function createTunnelReport(
  options: KeepOpenOptions,
): (state: 'up' | 'down', url: string, more: { detail?: string; retry_in_ms?: number; blind_ms?: number }) => void {
  return (state, url, more) =>
    options.emit({
      type: 'tunnel',
      at: new Date(options.now()).toISOString(),
      via: options.tunnel.via,
      state,
      url,
      detail: more.detail ?? null,
      retry_in_ms: more.retry_in_ms ?? null,
      blind_ms: more.blind_ms ?? null,
    });
}
