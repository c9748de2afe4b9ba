/**
 * The way to one app: never more attempts under way than agreed, in order where order is asked for, again after a failure,
 * and no attempt at all while nothing listens on the app's port. A lane keeps jobs, not bodies.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { PriorityQueue } from '../priority-queue.ts';
import type { Outcome } from './forward.ts';

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
  /** Whether something listens at the port this job goes to. */
  listens: (job: J) => Promise<boolean>;
  /** Told after each attempt; `attempts` already counts it. Not told of attempts that were called off. */
  report: (job: J, outcome: Outcome, next: Next) => void;
}

export class Lane<J extends Job> {
  readonly #options: LaneOptions<J>;
  /** Jobs of one key, first in line first. A key that is not in `ready` is at work: an attempt, or the wait before the next. */
  readonly #lines = new Map<string, J[]>();
  readonly #ready = new PriorityQueue<{ forward: number; key: string }>((a, b) => a.forward < b.forward);
  readonly #running = new Set<Promise<void>>();
  /** Keys that wait before their next attempt. */
  readonly #resting = new Map<string, NodeJS.Timeout>();
  readonly #stopping = new AbortController();
  readonly #calledOff = new AbortController();
  /** Why nothing is attempted: the outcome that showed that nobody listens. */
  #away: Outcome | null = null;

  constructor(options: LaneOptions<J>) {
    this.#options = options;
  }

  add(job: J): void {
    if (job.once && this.#away !== null) return this.#options.report(job, this.#away, { kind: 'given_up' });
    const key = job.orderKey ?? `#${job.forward}`;
    const line = this.#lines.get(key);
    if (line === undefined) {
      this.#lines.set(key, [job]);
      this.#ready.push({ forward: job.forward, key });
      return this.#pump();
    }
    let place = line.length;
    // The first in line keeps its place: it may be under way.
    while (place > 1 && isLater(line[place - 1], job)) place -= 1;
    line.splice(place, 0, job);
  }

  /** Starts nothing more, waits for attempts under way, calls off those that take longer than `graceMs`. */
  async stop(graceMs: number): Promise<void> {
    this.#stopping.abort();
    for (const timer of this.#resting.values()) clearTimeout(timer);
    const grace = setTimeout(() => this.#calledOff.abort(), graceMs);
    await Promise.all(this.#running);
    clearTimeout(grace);
  }

  #pump(): void {
    while (this.#mayStart()) {
      const next = this.#ready.pop();
      if (next === undefined) return;
      const run: Promise<void> = this.#work(next.key).finally(() => {
        this.#running.delete(run);
        this.#pump();
      });
      this.#running.add(run);
    }
  }

  #mayStart(): boolean {
    return !this.#stopping.signal.aborted && this.#away === null && this.#running.size < this.#options.concurrency;
  }

  async #work(key: string): Promise<void> {
    const job = this.#lines.get(key)?.[0];
    if (job === undefined) return;
    const outcome = await this.#options.attempt(job, this.#calledOff.signal);
    if (outcome.kind === 'stopped') return;
    job.attempts += 1;
    const next = this.#decide(job, outcome);
    this.#options.report(job, outcome, next);
    if (next.kind !== 'retry') this.#leave(key);
    else if (next.inMs !== null) this.#comeBackLater(key, next.inMs);
    else {
      this.#comeBack(key);
      if (this.#away === null) void this.#waitForPort(job, outcome);
    }
  }

  #decide(job: J, outcome: Outcome): Next {
    if (outcome.kind === 'answered' && outcome.status >= 200 && outcome.status < 300) return { kind: 'delivered' };
    if (job.once) return { kind: 'given_up' };
    const inMs = outcome.kind === 'unconnected' ? null : this.#backOff(job.attempts);
    return this.#isOver(job, this.#options.now() + (inMs ?? 0)) ? { kind: 'given_up' } : { kind: 'retry', inMs };
  }

  /** Full jitter: anything between nothing and the doubled wait, so that deliveries that failed together do not return together. */
  #backOff(attempts: number): number {
    const { firstMs, longestMs } = this.#options.retry;
    const longest = Math.min(longestMs, firstMs * 2 ** Math.min(attempts - 1, 30));
    return Math.round(this.#options.random() * longest);
  }

  #isOver(job: J, at: number): boolean {
    const { giveUpAfterMs } = this.#options.retry;
    return giveUpAfterMs !== null && at - job.since >= giveUpAfterMs;
  }

  #comeBack(key: string): void {
    const first = this.#lines.get(key)?.[0];
    if (first !== undefined) this.#ready.push({ forward: first.forward, key });
  }

  #comeBackLater(key: string, inMs: number): void {
    const timer = setTimeout(() => {
      this.#resting.delete(key);
      this.#comeBack(key);
      this.#pump();
    }, inMs);
    this.#resting.set(key, timer);
  }

  /** What waited because an app failed need not wait for one that is new. */
  #rouse(): void {
    for (const [key, timer] of this.#resting) {
      clearTimeout(timer);
      this.#comeBack(key);
    }
    this.#resting.clear();
  }

  /** The first in line is done. */
  #leave(key: string): void {
    const line = this.#lines.get(key);
    line?.shift();
    if (line?.length === 0) this.#lines.delete(key);
    this.#comeBack(key);
  }

  /** While nobody listens, only the port is tried: a hundred waiting deliveries must not knock a hundred times. */
  async #waitForPort(job: J, outcome: Outcome): Promise<void> {
    const { signal } = this.#stopping;
    this.#away = outcome;
    while (!signal.aborted) {
      this.#giveUpOnTheOld(outcome);
      await wait(this.#options.retry.portPollMs, null, { signal }).catch(() => null);
      if (!signal.aborted && (await this.#options.listens(job))) break;
    }
    this.#away = null;
    if (signal.aborted) return;
    this.#rouse();
    this.#pump();
  }

  #giveUpOnTheOld(outcome: Outcome): void {
    for (let next = this.#ready.peek(); next !== undefined; next = this.#ready.peek()) {
      const { key } = next;
      const job = this.#lines.get(key)?.[0];
      if (job !== undefined && !this.#isOver(job, this.#options.now())) return;
      this.#ready.pop();
      if (job === undefined) continue;
      this.#options.report(job, outcome, { kind: 'given_up' });
      this.#leave(key);
    }
  }
}

function isLater(queued: Job | undefined, job: Job): boolean {
  return queued !== undefined && queued.created > 0 && job.created > 0 && queued.created > job.created;
}
