/**
 * The way to one app: never more attempts under way than agreed, in order where order is asked for, again after a failure,
 * and no attempt at all while nothing listens on the app's port. A lane keeps jobs, not bodies.
 */
import { setTimeout as wait } from 'node:timers/promises';
import type { Outcome } from './forward.ts';
import { createHeap } from './heap.ts';

export interface Job {
  /** Row of the forward; also its place in line. */
  forward: number;
  /** Jobs with the same key are never under way together, and leave in order of `created`, then of arrival. Null: no order. */
  orderKey: string | null;
  /** Milliseconds since the epoch, 0 when unknown. */
  created: number;
  /** From when `giveUpAfterMs` counts. */
  since: number;
  /** Attempts made so far. */
  attempts: number;
  /** One attempt and no more: the sender is waiting for its outcome. */
  once: boolean;
}

/** What follows from an attempt. `inMs` is null while the lane waits for the app's port. */
export type Next = { kind: 'delivered' } | { kind: 'retry'; inMs: number | null } | { kind: 'given_up' };

export interface RetryTimes {
  /** The first wait is random below this. Default 250 ms. */
  firstMs: number;
  /** Waits double up to this. Default 30 s. */
  longestMs: number;
  /** How often the port of an app that is away is tried. Default 250 ms. */
  portPollMs: number;
  /** After this long a delivery is given up; null never. */
  giveUpAfterMs: number | null;
}

export interface LaneOptions<J extends Job> {
  concurrency: number;
  retry: RetryTimes;
  /** Milliseconds since the epoch. */
  now: () => number;
  random: () => number;
  /** Makes one attempt. Must not throw. */
  attempt: (job: J, signal: AbortSignal) => Promise<Outcome>;
  /** Whether something listens at the app's port. */
  listens: () => Promise<boolean>;
  /** Told after each attempt; `attempts` already counts it. Not told of attempts that were called off. */
  report: (job: J, outcome: Outcome, next: Next) => void;
}

export interface Lane<J extends Job> {
  add(job: J): void;
  /** Starts nothing more, waits for attempts under way, calls off those that take longer. @returns how many jobs are left. */
  stop(graceMs: number): Promise<number>;
}

export function createLane<J extends Job>(options: LaneOptions<J>): Lane<J> {
  const { now, retry } = options;
  /** Jobs of one key, first in line first. A key that is not in `ready` is at work: an attempt, or the wait before the next. */
  const lines = new Map<string, J[]>();
  const ready = createHeap<string>();
  const running = new Set<Promise<void>>();
  const timers = new Set<NodeJS.Timeout>();
  const stopping = new AbortController();
  const calledOff = new AbortController();
  let away: Outcome | null = null;

  function add(job: J): void {
    if (job.once && away !== null) return options.report(job, away, { kind: 'given_up' });
    const key = job.orderKey ?? `#${job.forward}`;
    const line = lines.get(key);
    if (line === undefined) {
      lines.set(key, [job]);
      ready.push(job.forward, key);
      return pump();
    }
    let place = line.length;
    // The first in line keeps its place: it may be under way.
    while (place > 1 && isLater(line[place - 1], job)) place -= 1;
    line.splice(place, 0, job);
  }

  function pump(): void {
    while (mayStart()) {
      const key = ready.pop();
      if (key === undefined) return;
      const run: Promise<void> = work(key).finally(() => {
        running.delete(run);
        pump();
      });
      running.add(run);
    }
  }

  function mayStart(): boolean {
    return !stopping.signal.aborted && away === null && running.size < options.concurrency;
  }

  async function work(key: string): Promise<void> {
    const job = lines.get(key)?.[0];
    if (job === undefined) return;
    const outcome = await options.attempt(job, calledOff.signal);
    if (outcome.kind === 'stopped') return;
    job.attempts += 1;
    const next = decide(job, outcome);
    options.report(job, outcome, next);
    if (next.kind !== 'retry') return leave(key);
    if (next.inMs === null) {
      comeBack(key);
      if (away === null) void waitForPort(outcome);
      return;
    }
    const timer = setTimeout(() => {
      timers.delete(timer);
      comeBack(key);
      pump();
    }, next.inMs);
    timers.add(timer);
  }

  function decide(job: J, outcome: Outcome): Next {
    if (outcome.kind === 'answered' && outcome.status >= 200 && outcome.status < 300) return { kind: 'delivered' };
    if (job.once) return { kind: 'given_up' };
    const inMs = outcome.kind === 'unconnected' ? null : backOff(job.attempts);
    return isOver(job, now() + (inMs ?? 0)) ? { kind: 'given_up' } : { kind: 'retry', inMs };
  }

  /** Full jitter: anything between nothing and the doubled wait, so that deliveries that failed together do not return together. */
  function backOff(attempts: number): number {
    const longest = Math.min(retry.longestMs, retry.firstMs * 2 ** Math.min(attempts - 1, 30));
    return Math.round(options.random() * longest);
  }

  function isOver(job: J, at: number): boolean {
    return retry.giveUpAfterMs !== null && at - job.since >= retry.giveUpAfterMs;
  }

  function comeBack(key: string): void {
    const first = lines.get(key)?.[0];
    if (first !== undefined) ready.push(first.forward, key);
  }

  /** The first in line is done. */
  function leave(key: string): void {
    const line = lines.get(key);
    line?.shift();
    if (line?.length === 0) lines.delete(key);
    comeBack(key);
  }

  /** While nobody listens, only the port is tried: a hundred waiting deliveries must not knock a hundred times. */
  async function waitForPort(outcome: Outcome): Promise<void> {
    away = outcome;
    while (!stopping.signal.aborted) {
      giveUpOnTheOld(outcome);
      await wait(retry.portPollMs, null, { signal: stopping.signal }).catch(() => null);
      if (!stopping.signal.aborted && (await options.listens())) break;
    }
    away = null;
    pump();
  }

  function giveUpOnTheOld(outcome: Outcome): void {
    for (let key = ready.peek(); key !== undefined; key = ready.peek()) {
      const job = lines.get(key)?.[0];
      if (job !== undefined && !isOver(job, now())) return;
      ready.pop();
      if (job === undefined) continue;
      options.report(job, outcome, { kind: 'given_up' });
      leave(key);
    }
  }

  async function stop(graceMs: number): Promise<number> {
    stopping.abort();
    for (const timer of timers) clearTimeout(timer);
    const grace = setTimeout(() => calledOff.abort(), graceMs);
    await Promise.all(running);
    clearTimeout(grace);
    let left = 0;
    for (const line of lines.values()) left += line.length;
    return left;
  }

  return { add, stop };
}

function isLater(queued: Job | undefined, job: Job): boolean {
  return queued !== undefined && queued.created > 0 && job.created > 0 && queued.created > job.created;
}
