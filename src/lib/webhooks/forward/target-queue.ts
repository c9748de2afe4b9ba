/**
 * The queue of deliveries to one app: limits concurrent attempts, keeps the order if required, retries after a failure,
 * and waits while the app's port is closed. It contains jobs without their bodies.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { PriorityQueue } from '../../priority-queue.ts';
import type { AttemptOutcome } from './target-client.ts';

export interface QueueItem {
  /** Row of the forward in the inbox; lower ones are attempted first. */
  forward: number;
  /** Jobs with the same key are sent one after another, in order of `created`, then of arrival. null: no order. */
  orderKey: string | null;
  /** Milliseconds since the epoch, 0 when unknown. */
  created: number;
  /** Start of `giveUpAfterMs`, in milliseconds since the epoch. */
  since: number;
  /** Attempts made so far. */
  attempts: number;
  /** Only one attempt: the sender waits for its outcome. */
  once: boolean;
  /** The status the app refused it with last, and how often in a row. */
  refused: { status: number; times: number };
}

/** What happens after an attempt. `inMs` is null while the queue waits for the app's port to open. */
export type NextStep =
  { kind: 'delivered' } | { kind: 'retry'; inMs: number | null } | { kind: 'given_up' } | { kind: 'parked' };

export interface RetryTimes {
  /** Upper limit of the first random wait, in milliseconds. Default 250. */
  firstMs: number;
  /** Waits double up to this. Default 30 s. */
  longestMs: number;
  /** How often a closed port is tried. Default 250 ms. */
  portPollMs: number;
  /** Milliseconds after which a delivery is given up; null for never. */
  giveUpAfterMs: number | null;
}

export interface TargetQueueOptions<J extends QueueItem> {
  concurrency: number;
  retry: RetryTimes;
  /** Milliseconds since the epoch. */
  now: () => number;
  random: () => number;
  /** While true no attempt is started; `resume` says that it is over. */
  isPaused: () => boolean;
  /** Makes one attempt; null when another process has settled the delivery meanwhile. Must not throw. */
  attempt: (job: J, signal: AbortSignal) => Promise<AttemptOutcome | null>;
  /** Whether the port this job goes to accepts connections. */
  isListening: (job: J) => Promise<boolean>;
  /** Called after each attempt, which `attempts` already includes; not for cancelled attempts. */
  report: (job: J, outcome: AttemptOutcome, next: NextStep) => void;
}

export class TargetQueue<J extends QueueItem> {
  readonly #options: TargetQueueOptions<J>;
  /** Jobs by order key, in order. A key that is not in `ready` is busy: with an attempt, or the wait before the next. */
  readonly #byKey = new Map<string, J[]>();
  readonly #ready = new PriorityQueue<{ forward: number; key: string }>((a, b) => a.forward < b.forward);
  readonly #running = new Set<Promise<void>>();
  /** Keys that wait before their next attempt, with their timers. */
  readonly #pausing = new Map<string, NodeJS.Timeout>();
  readonly #stopping = new AbortController();
  readonly #cancelling = new AbortController();
  /** While the app's port is closed: the outcome that showed it. */
  #portClosed: AttemptOutcome | null = null;

  constructor(options: TargetQueueOptions<J>) {
    this.#options = options;
  }

  add(job: J): void {
    if (job.once && this.#portClosed !== null) return this.#options.report(job, this.#portClosed, { kind: 'given_up' });
    const key = job.orderKey ?? `#${job.forward}`;
    const line = this.#byKey.get(key);
    if (line === undefined) {
      this.#byKey.set(key, [job]);
      this.#ready.push({ forward: job.forward, key });
      return this.#pump();
    }
    let place = line.length;
    // The first job stays first, because its attempt may be running.
    while (place > 1 && isLater(line[place - 1], job)) place -= 1;
    line.splice(place, 0, job);
  }

  /** Starts what was held back while paused. */
  resume(): void {
    this.#pump();
  }

  /** Starts no more attempts, waits for running ones, and cancels those that take longer than `graceMs`. */
  async stop(graceMs: number): Promise<void> {
    this.#stopping.abort();
    for (const timer of this.#pausing.values()) clearTimeout(timer);
    const grace = setTimeout(() => this.#cancelling.abort(), graceMs);
    await Promise.all(this.#running);
    clearTimeout(grace);
  }

  #pump(): void {
    while (this.#mayStart()) {
      const next = this.#ready.pop();
      if (next === undefined) return;
      const run: Promise<void> = this.#attemptFirst(next.key).finally(() => {
        this.#running.delete(run);
        this.#pump();
      });
      this.#running.add(run);
    }
  }

  #mayStart(): boolean {
    const held = this.#stopping.signal.aborted || this.#portClosed !== null || this.#options.isPaused();
    return !held && this.#running.size < this.#options.concurrency;
  }

  async #attemptFirst(key: string): Promise<void> {
    const job = this.#byKey.get(key)?.[0];
    if (job === undefined) return;
    const outcome = await this.#options.attempt(job, this.#cancelling.signal);
    if (outcome === null) return this.#removeFirst(key);
    if (outcome.kind === 'stopped') return;
    job.attempts += 1;
    const next = this.#decide(job, outcome);
    this.#options.report(job, outcome, next);
    if (next.kind !== 'retry') this.#removeFirst(key);
    else if (next.inMs !== null) this.#retryLater(key, next.inMs);
    else {
      this.#makeReady(key);
      if (this.#portClosed === null) void this.#waitForPort(job, outcome);
    }
  }

  #decide(job: J, outcome: AttemptOutcome): NextStep {
    if (outcome.kind === 'answered' && outcome.status >= 200 && outcome.status < 300) return { kind: 'delivered' };
    if (job.once) return { kind: 'given_up' };
    if (isRefusedForGood(job, outcome)) return { kind: 'parked' };
    const inMs = outcome.kind === 'unconnected' ? null : this.#backOff(job.attempts);
    return this.#isOverdue(job, this.#options.now() + (inMs ?? 0)) ? { kind: 'given_up' } : { kind: 'retry', inMs };
  }

  /** Full jitter: a random wait up to the doubled one, so that deliveries that failed together are not retried together. */
  #backOff(attempts: number): number {
    const { firstMs, longestMs } = this.#options.retry;
    const longest = Math.min(longestMs, firstMs * 2 ** Math.min(attempts - 1, 30));
    return Math.round(this.#options.random() * longest);
  }

  #isOverdue(job: J, at: number): boolean {
    const { giveUpAfterMs } = this.#options.retry;
    return giveUpAfterMs !== null && at - job.since >= giveUpAfterMs;
  }

  #makeReady(key: string): void {
    const first = this.#byKey.get(key)?.[0];
    if (first !== undefined) this.#ready.push({ forward: first.forward, key });
  }

  #retryLater(key: string, inMs: number): void {
    const timer = setTimeout(() => {
      this.#pausing.delete(key);
      this.#makeReady(key);
      this.#pump();
    }, inMs);
    this.#pausing.set(key, timer);
  }

  /** Makes all waiting retries ready at once, because the app was just started. */
  #retryAllNow(): void {
    for (const [key, timer] of this.#pausing) {
      clearTimeout(timer);
      this.#makeReady(key);
    }
    this.#pausing.clear();
  }

  /** Removes the finished first job of a key; the next one becomes ready. */
  #removeFirst(key: string): void {
    const line = this.#byKey.get(key);
    line?.shift();
    if (line?.length === 0) this.#byKey.delete(key);
    this.#makeReady(key);
  }

  /** Polls the closed port, once for all waiting deliveries. */
  async #waitForPort(job: J, outcome: AttemptOutcome): Promise<void> {
    const { signal } = this.#stopping;
    this.#portClosed = outcome;
    while (!signal.aborted) {
      this.#giveUpOverdue(outcome);
      await wait(this.#options.retry.portPollMs, null, { signal }).catch(() => null);
      if (!signal.aborted && (await this.#options.isListening(job))) break;
    }
    this.#portClosed = null;
    if (signal.aborted) return;
    this.#retryAllNow();
    this.#pump();
  }

  #giveUpOverdue(outcome: AttemptOutcome): void {
    for (let next = this.#ready.peek(); next !== undefined; next = this.#ready.peek()) {
      const { key } = next;
      const job = this.#byKey.get(key)?.[0];
      if (job !== undefined && !this.#isOverdue(job, this.#options.now())) return;
      this.#ready.pop();
      if (job === undefined) continue;
      this.#options.report(job, outcome, { kind: 'given_up' });
      this.#removeFirst(key);
    }
  }
}

/** Equal refusals in a row after which a delivery is parked. */
const REFUSALS = 10;
/** These say that a later attempt may be taken (RFC 9110 §15.5.9, RFC 8470 §5.2, RFC 6585 §4). */
const TRY_LATER = new Set([408, 425, 429]);

/** Counts equal 4xx answers in a row. */
function isRefusedForGood(job: QueueItem, outcome: AttemptOutcome): boolean {
  const status = outcome.kind === 'answered' ? outcome.status : 0;
  const isRefusal = status >= 400 && status < 500 && !TRY_LATER.has(status);
  const times = isRefusal ? (job.refused.status === status ? job.refused.times : 0) + 1 : 0;
  job.refused = { status, times };
  return times >= REFUSALS;
}

function isLater(queued: QueueItem | undefined, job: QueueItem): boolean {
  return queued !== undefined && queued.created > 0 && job.created > 0 && queued.created > job.created;
}
