/** Everything between the inbox and the apps: one lane for each app, outcomes kept, written down and told. */
import type { WriteDown } from '../contract/exchange.ts';
import { type ChaosSettings, createHolding, drawMischief, type Mischief } from './chaos.ts';
import { createForwarder, type Forwarder, type Message, type Outcome } from './forward.ts';
import { listensOn } from './connect.ts';
import type { Inbox } from './inbox.ts';
import { createLane, type Job, type Lane, type Next, type RetryTimes } from './lane.ts';
import type { Moment, Subject } from './moments.ts';
import { attemptRecord } from './records.ts';

/** A stored delivery on its way to one target. */
export interface Parcel {
  forward: number;
  target: string;
  subject: Subject;
  orderKey: string | null;
  created: number;
  /** Attempts made by earlier listeners. */
  attempts: number;
  warnings: readonly string[];
  /** Kept while there are few; read from the inbox otherwise. */
  message: Message | null;
  /** Called with the outcome of the only attempt (`--ack forwarded`). */
  settled?: (outcome: Outcome) => void;
  /** What is done to it on purpose. */
  mischief?: Mischief;
  /** A repetition made on purpose: tried once, not kept, not counted. */
  copy?: boolean;
}

export interface ForwardingOptions {
  inbox: Inbox;
  /** At most this many requests under way at each app. */
  concurrency: number;
  /** `none`, per resource, or everything in the order it came in. */
  order: 'none' | 'resource' | 'all';
  timeoutMs: number;
  retry: RetryTimes;
  environment: string | null;
  /** Milliseconds since the epoch. */
  now: () => number;
  /** Milliseconds on a clock that never jumps. */
  ticks: () => number;
  random: () => number;
  /** Mischief on purpose, and the random source it draws from. */
  chaos?: { settings: ChaosSettings; random: () => number };
  say: (moment: Moment) => void;
  record: WriteDown;
  /** Told once for each parcel that needs no more attempts. */
  done: (state: 'delivered' | 'failed') => void;
}

export interface Forwarding {
  send(parcel: Parcel): void;
  /** @returns how many parcels are still to be delivered. */
  stop(graceMs: number): Promise<number>;
}

interface Load extends Job {
  parcel: Parcel;
}

/** Bytes of waiting bodies kept in memory; beyond that they are read from the inbox when their turn comes. */
const KEPT_BYTES = 8 * 1024 * 1024;

export function createForwarding(options: ForwardingOptions): Forwarding {
  const lanes = new Map<string, { lane: Lane<Load>; forwarder: Forwarder }>();
  const tell = createTeller(options);
  let kept = 0;

  const messageOf = (parcel: Parcel): Message | null => {
    const { message } = parcel;
    if (message !== null) return message;
    return options.inbox.content(parcel.subject.inbox_id);
  };
  const release = (parcel: Parcel): void => {
    kept -= parcel.message?.body.length ?? 0;
    parcel.message = null;
  };

  function laneFor(origin: string): Lane<Load> {
    const found = lanes.get(origin);
    if (found !== undefined) return found.lane;
    const { concurrency, timeoutMs, ticks, now, random, retry } = options;
    const forwarder = createForwarder({ origin, concurrency, timeoutMs, ticks });
    const lane = createLane<Load>({
      concurrency,
      retry,
      now,
      random,
      listens: () => listensOn(new URL(origin), timeoutMs),
      attempt: async (job, signal) => {
        const { parcel } = job;
        const message = messageOf(parcel);
        if (parcel.mischief?.drop === true && job.attempts === parcel.attempts) {
          return { kind: 'broken', error: 'dropped', latencyMs: 0 };
        }
        // Trimmed away behind our back: nothing to deliver, and nothing to try again.
        if (message === null) return { kind: 'broken', error: 'socket', latencyMs: 0 };
        return forwarder.attempt(parcel.target, message, signal);
      },
      report: (job, outcome, next) => {
        tell(job, outcome, next, messageOf(job.parcel));
        if (next.kind === 'retry') return;
        if (next.kind === 'delivered' && job.parcel.mischief?.duplicate === true) repeat(job.parcel);
        release(job.parcel);
        if (job.parcel.copy === true) return;
        options.done(next.kind === 'delivered' ? 'delivered' : 'failed');
        job.parcel.settled?.(outcome);
      },
    });
    lanes.set(origin, { lane, forwarder });
    return lane;
  }

  function send(parcel: Parcel): void {
    kept += parcel.message?.body.length ?? 0;
    if (kept > KEPT_BYTES) release(parcel);
    laneFor(new URL(parcel.target).origin).add({
      forward: parcel.forward,
      // A copy shares its row with the original, and must not share its place in line.
      orderKey: parcel.copy === true ? `copy ${parcel.forward}` : orderKeyOf(options.order, parcel),
      created: parcel.created,
      since: options.now(),
      attempts: parcel.attempts,
      once: parcel.settled !== undefined || parcel.copy === true,
      parcel,
    });
  }

  function repeat(parcel: Parcel): void {
    const { settled: _settled, mischief: _mischief, ...rest } = parcel;
    const label = { duplicate: false, reorder: false, drop: false, delayMs: 0, label: 'duplicate' };
    setImmediate(send, { ...rest, copy: true, mischief: label });
  }

  const holding = createHolding(send);
  return {
    send(parcel) {
      if (options.chaos === undefined) return send(parcel);
      const mischief = drawMischief(options.chaos.settings, options.chaos.random);
      return holding.take({ ...parcel, mischief }, mischief);
    },
    async stop(graceMs) {
      const held = holding.stop();
      const open = [...lanes.values()];
      const left = await Promise.all(open.map(({ lane }) => lane.stop(graceMs)));
      await Promise.all(open.map(({ forwarder }) => forwarder.close()));
      return left.reduce((sum, count) => sum + count, held);
    },
  };
}

/** Order is kept for each target by itself: a slow app does not hold up another. */
function orderKeyOf(order: ForwardingOptions['order'], parcel: Parcel): string | null {
  if (order === 'none') return null;
  if (order === 'all') return parcel.target;
  return parcel.orderKey === null ? null : `${parcel.target} ${parcel.orderKey}`;
}

/** One attempt told three ways: to the inbox, to the journal, and as a moment. */
function createTeller(
  options: ForwardingOptions,
): (job: Load, outcome: Outcome, next: Next, message: Message | null) => void {
  return (job, outcome, next, message) => {
    if (outcome.kind === 'stopped') return;
    const { parcel } = job;
    const at = options.now();
    const status = outcome.kind === 'answered' ? outcome.status : null;
    const error = outcome.kind === 'answered' ? null : outcome.error;
    const answer = outcome.kind === 'answered' ? outcome.answer : null;
    const latencyMs = outcome.latencyMs;
    const state = next.kind === 'retry' ? 'waiting' : next.kind === 'delivered' ? 'delivered' : 'failed';
    if (parcel.copy !== true)
      options.inbox.settle(parcel.forward, { state, attempts: job.attempts, at, status, latencyMs, error, answer });
    options.record(
      attemptRecord({ at, parcel, attempt: job.attempts, outcome, message, environment: options.environment }),
    );
    const told = {
      at: new Date(at).toISOString(),
      ...parcel.subject,
      target: parcel.target,
      attempt: job.attempts,
      error,
      latency_ms: latencyMs,
      answer,
      hint: hintFor(parcel, outcome),
      chaos: parcel.mischief?.label ?? null,
    };
    if (next.kind === 'delivered') options.say({ type: 'forwarded', ...told, status: status ?? 0 });
    else if (next.kind === 'retry') options.say({ type: 'retrying', ...told, status, retry_in_ms: next.inMs });
    else options.say({ type: 'failed', ...told, status });
  };
}

const LAST_V1_ONLY =
  'this delivery is genuine and carries two v1 entries: the app seems to read only the last one; it must try each (webhooks test shows it)';

function hintFor(parcel: Parcel, outcome: Outcome): string | null {
  if (outcome.kind === 'unconnected') return outcome.hint;
  if (outcome.kind !== 'answered') return null;
  if (outcome.status >= 400 && outcome.status < 500 && parcel.warnings.includes('last_v1_only')) return LAST_V1_ONLY;
  if (outcome.status >= 300 && outcome.status < 400) return 'redirects are not followed: forward to the final address';
  return null;
}
