/** Everything between the inbox and the apps: one lane for each app, outcomes kept, written down and told. */
import type { WriteDown } from '../contract/exchange.ts';
import { redactText } from '../contract/secrets.ts';
import { type ChaosSettings, createHolding, drawMischief, type Holding } from './chaos.ts';
import { createForwarder, type Forwarder, type Message, type Outcome, partsOf } from './forward.ts';
import { listensOn } from './connect.ts';
import type { Inbox } from './inbox.ts';
import { type Job, Lane, type Next, type RetryTimes } from './lane.ts';
import type { ForwardState, ListenerEvent } from '../contract/listener-events.ts';
import type { Parcel } from './parcel.ts';
import { attemptRecord } from './records.ts';

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
  say: (moment: ListenerEvent) => void;
  record: WriteDown;
  /** Told once for each parcel that needs no more attempts. */
  done: (state: 'delivered' | 'failed') => void;
}

interface Load extends Job {
  parcel: Parcel;
}

/** Bytes of waiting bodies kept in memory; beyond that they are read from the inbox when their turn comes. */
const KEPT_BYTES = 8 * 1024 * 1024;

export class Forwarding {
  readonly #options: ForwardingOptions;
  readonly #lanes = new Map<string, Lane<Load>>();
  readonly #forwarders = new Map<string, Forwarder>();
  readonly #holding: Holding<Parcel>;
  #kept = 0;
  #stopped = false;

  constructor(options: ForwardingOptions) {
    this.#options = options;
    this.#holding = createHolding((parcel) => this.#enter(parcel));
  }

  send(parcel: Parcel): void {
    const { chaos } = this.#options;
    if (chaos === undefined) return this.#enter(parcel);
    const mischief = drawMischief(chaos.settings, chaos.random);
    return this.#holding.take({ ...parcel, mischief }, mischief);
  }

  /** Starts nothing more; what is under way ends or is called off after `graceMs`. What is left stays in the inbox. */
  async stop(graceMs: number): Promise<void> {
    this.#stopped = true;
    this.#holding.stop();
    await Promise.all([...this.#lanes.values()].map((lane) => lane.stop(graceMs)));
    await Promise.all([...this.#forwarders.values()].map((forwarder) => forwarder.close()));
  }

  #enter(parcel: Parcel): void {
    if (this.#stopped) return;
    this.#kept += parcel.message?.body.length ?? 0;
    if (this.#kept > KEPT_BYTES) this.#release(parcel);
    this.#laneFor(partsOf(parcel.target).origin).add({
      forward: parcel.forward,
      // A copy shares its row with the original, and must not share its place in line.
      orderKey: parcel.copy === true ? `copy ${parcel.forward}` : orderKeyOf(this.#options.order, parcel),
      created: parcel.created,
      since: this.#options.now(),
      attempts: parcel.attempts,
      once: parcel.settled !== undefined || parcel.copy === true,
      parcel,
    });
  }

  /** One for each app: what it is called by does not make two of it, or more than agreed would be under way there. */
  #laneFor(origin: string): Lane<Load> {
    const app = origin.replace(/^(https?:\/\/)(?:[^/]*\.)?localhost(?=:|$)/, '$1127.0.0.1');
    const found = this.#lanes.get(app);
    if (found !== undefined) return found;
    const { concurrency, timeoutMs, now, random, retry } = this.#options;
    const lane = new Lane<Load>({
      concurrency,
      retry,
      now,
      random,
      listens: ({ parcel }) => listensOn(new URL(parcel.target), timeoutMs),
      attempt: (job, signal) => this.#attempt(job, signal),
      report: (job, outcome, next) => this.#report(job, outcome, next),
    });
    this.#lanes.set(app, lane);
    return lane;
  }

  #forwarderFor(origin: string): Forwarder {
    const { concurrency, timeoutMs, ticks } = this.#options;
    const forwarder = this.#forwarders.get(origin) ?? createForwarder({ origin, concurrency, timeoutMs, ticks });
    this.#forwarders.set(origin, forwarder);
    return forwarder;
  }

  async #attempt({ parcel, attempts }: Load, signal: AbortSignal): Promise<Outcome> {
    if (parcel.mischief?.drop === true && attempts === parcel.attempts) {
      return { kind: 'broken', error: 'dropped', latencyMs: 0 };
    }
    const message = this.#messageOf(parcel);
    // Trimmed away behind our back: there is nothing left to deliver.
    if (message === null) return { kind: 'broken', error: 'socket', latencyMs: 0 };
    return this.#forwarderFor(partsOf(parcel.target).origin).attempt(parcel.target, message, signal);
  }

  #report(job: Load, outcome: Outcome, next: Next): void {
    const { parcel } = job;
    if (outcome.kind === 'stopped') return;
    tell(this.#options, job, outcome, next, this.#messageOf(parcel));
    if (next.kind === 'retry') return;
    if (next.kind === 'delivered' && parcel.mischief?.duplicate === true) this.#repeat(parcel);
    this.#release(parcel);
    if (parcel.copy === true) return;
    this.#options.done(next.kind === 'delivered' ? 'delivered' : 'failed');
    parcel.settled?.(outcome);
  }

  #repeat(parcel: Parcel): void {
    const { settled: _settled, ...rest } = parcel;
    const mischief = { duplicate: false, reorder: false, drop: false, delayMs: 0, label: 'duplicate' };
    setImmediate(() => this.#enter({ ...rest, copy: true, mischief }));
  }

  #messageOf(parcel: Parcel): Message | null {
    return parcel.message ?? this.#options.inbox.content(parcel.subject.inbox_id);
  }

  #release(parcel: Parcel): void {
    this.#kept -= parcel.message?.body.length ?? 0;
    parcel.message = null;
  }
}

/** Order is kept for each target by itself: a slow app does not hold up another. */
function orderKeyOf(order: ForwardingOptions['order'], parcel: Parcel): string | null {
  if (order === 'none') return null;
  if (order === 'all') return parcel.target;
  return parcel.orderKey === null ? null : `${parcel.target} ${parcel.orderKey}`;
}

/** An app's answer may hold what it read: an echoing handler, a stack trace with its environment. */
function redacted(answer: string | null): string | null {
  return answer === null ? null : redactText(answer);
}

/** One attempt told three ways: to the inbox, to the journal, and as a moment. */
function tell(
  options: ForwardingOptions,
  job: Load,
  outcome: Exclude<Outcome, { kind: 'stopped' }>,
  next: Next,
  message: Message | null,
): void {
  const { parcel, attempts } = job;
  const at = options.now();
  const { latencyMs } = outcome;
  const [status, error, answer] =
    outcome.kind === 'answered' ? [outcome.status, null, redacted(outcome.answer)] : [null, outcome.error, null];
  const state = STATES[next.kind];
  if (parcel.copy !== true) {
    options.inbox.settle(parcel.forward, { state, attempts, at, status, latencyMs, error, answer });
  }
  options.record(attemptRecord({ at, parcel, attempt: attempts, outcome, message, environment: options.environment }));
  const told = {
    at: new Date(at).toISOString(),
    ...parcel.subject,
    target: parcel.target,
    attempt: attempts,
    error,
    latency_ms: latencyMs,
    answer,
    hint: hintFor(parcel, outcome),
    chaos: parcel.mischief?.label ?? null,
  };
  if (next.kind === 'delivered') options.say({ type: 'forwarded', ...told, status: status ?? 0 });
  else if (next.kind === 'retry') options.say({ type: 'retrying', ...told, status, retry_in_ms: next.inMs });
  else options.say({ type: 'failed', ...told, status });
}

const STATES: Record<Next['kind'], ForwardState> = { delivered: 'delivered', retry: 'waiting', given_up: 'failed' };

const LAST_V1_ONLY =
  'this delivery is genuine and carries two v1 entries: the app seems to read only the last one; it must try each (webhooks test shows it)';

function hintFor(parcel: Parcel, outcome: Outcome): string | null {
  if (outcome.kind === 'unconnected') return outcome.hint;
  if (outcome.kind !== 'answered') return null;
  if (outcome.status >= 400 && outcome.status < 500 && parcel.warnings.includes('last_v1_only')) return LAST_V1_ONLY;
  if (outcome.status >= 300 && outcome.status < 400) return 'redirects are not followed: forward to the final address';
  return null;
}
