/**
 * A tunnel over time: watched from both ends, and opened again when it drops. Its own process ending is noticed at once; a
 * tunnel that stands but carries nothing is noticed by probes through it.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { Failure } from '../../failure.ts';
import type { ListenerEvent } from '../../contract/listener-events.ts';
import type { OpenTunnel, Tunnel } from './tunnel.ts';

export interface KeepTimes {
  /** Between two probes, in milliseconds. Default 5 s. */
  probeMs: number;
  /** Limit for a probe, in milliseconds. Default 3 s; with `probeMs` it bounds how late a dead tunnel is noticed. */
  probeLimitMs: number;
  /** The first wait before it is opened again. Default 250 ms. */
  firstRetryMs: number;
  /** Waits double up to this. Default 1.5 s: it bounds the time lost after an outage. */
  longestRetryMs: number;
}

export interface KeepOptions {
  tunnel: Tunnel;
  port: number;
  times?: Partial<KeepTimes>;
  /** Sends a probe through this address. Rejects when it does not arrive. */
  probe: (url: string, limitMs: number) => Promise<unknown>;
  /** The tunnel has another address now. Rejects when the sender could not be told. */
  moved: (url: string) => Promise<void>;
  say: (moment: ListenerEvent) => void;
  /** Milliseconds since the epoch. */
  now: () => number;
  signal: AbortSignal;
  /** Calls back when the machine woke from sleep, which is reason to look at once. @returns how to stop that. */
  onWake: (act: () => void) => () => void;
}

const DEFAULT_TIMES: KeepTimes = { probeMs: 5000, probeLimitMs: 3000, firstRetryMs: 250, longestRetryMs: 1500 };

/** Watches an open tunnel until the signal is aborted, opening it again as often as needed; closes it at the end. Never throws. */
export async function keepOpen(options: KeepOptions, first: OpenTunnel): Promise<void> {
  const { signal, now } = options;
  const times = { ...DEFAULT_TIMES, ...options.times };
  const tell = teller(options);
  let open: OpenTunnel | null = first;
  let url = first.url;
  let lastGood = now();
  let retryMs = times.firstRetryMs;
  let known: string | null = null;
  while (!signal.aborted) {
    const trouble: string | null =
      open === null ? null : await firstTrouble(options, times, open, () => (lastGood = now()));
    if (signal.aborted) break;
    if (trouble !== null) {
      await open?.close();
      open = null;
      known = trouble;
      tell('down', url, { detail: trouble, retry_in_ms: retryMs });
    }
    await wait(retryMs, null, { signal }).catch(() => null);
    retryMs = Math.min(retryMs * 2, times.longestRetryMs);
    const outcome = await reopen(options, times, url);
    if (typeof outcome === 'string') {
      // An outage is told once, and again only when its reason changes.
      if (!signal.aborted && outcome !== known) tell('down', url, { detail: outcome, retry_in_ms: retryMs });
      known = outcome;
      continue;
    }
    known = null;
    open = outcome;
    url = outcome.url;
    retryMs = times.firstRetryMs;
    tell('up', url, { blind_ms: Math.max(0, now() - lastGood) });
    lastGood = now();
  }
  await open?.close();
}

/** @returns why the tunnel is no good any more; null when the signal was aborted. */
async function firstTrouble(
  options: KeepOptions,
  times: KeepTimes,
  open: OpenTunnel,
  good: () => void,
): Promise<string | null> {
  const { signal } = options;
  let reason: string | null = null;
  let hurry = new AbortController();
  void open.ended.then((why) => {
    reason = why;
    hurry.abort();
  });
  const unwatch = options.onWake(() => hurry.abort());
  try {
    while (!signal.aborted) {
      await wait(times.probeMs, null, { signal: AbortSignal.any([signal, hurry.signal]) }).catch(() => null);
      if (reason !== null || signal.aborted) return reason;
      hurry = new AbortController();
      await options.probe(open.url, times.probeLimitMs);
      good();
    }
    return null;
  } catch (error) {
    return error instanceof Failure ? error.message : 'a probe did not come through';
  } finally {
    unwatch();
  }
}

/** One try. @returns the open tunnel, or why it is not. */
async function reopen(options: KeepOptions, times: KeepTimes, earlier: string): Promise<OpenTunnel | string> {
  const { tunnel, port, signal } = options;
  let open: OpenTunnel | null = null;
  try {
    open = await tunnel.open(port, signal, earlier);
    if (open.url !== earlier) await options.moved(open.url);
    await options.probe(open.url, times.probeLimitMs);
    return open;
  } catch (error) {
    await open?.close();
    return error instanceof Failure ? error.message : 'the tunnel could not be opened';
  }
}

function teller(
  options: KeepOptions,
): (state: 'up' | 'down', url: string, more: { detail?: string; retry_in_ms?: number; blind_ms?: number }) => void {
  return (state, url, more) =>
    options.say({
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
