/**
 * Forwards stored deliveries to the apps. Each app has one target queue, which decides when an attempt is made and whether another
 * follows; the forwarder makes the attempt and reports it to the inbox, the journal and the listener's events.
 */
import { BLANK_RECORD, type ExchangeRecord, type RecordExchange } from '../../contract/exchange.ts';
import type { DeliverySubject, ForwardState, ListenerCounts, ListenerEvent } from '../../contract/listener-events.ts';
import { redactText } from '../../contract/secrets.ts';
import { liveSecrets, signatureOf, withNewSignature, type SigningSecrets } from '../../contract/signature.ts';
import type { Inbox } from '../inbox/inbox.ts';
import {
  createFaultHold,
  type DeliveryFaults,
  type DeliveryFaultSettings,
  drawDeliveryFaults,
  type FaultHold,
} from './delivery-faults.ts';
import {
  type AttemptOutcome,
  createTargetClient,
  type DeliveryMessage,
  listensOn,
  splitTarget,
  type TargetClient,
} from './target-client.ts';
import { type NextStep, type QueueItem, type RetryTimes, TargetQueue } from './target-queue.ts';

export interface ForwarderOptions {
  inbox: Inbox;
  /** Most concurrent requests to each app. */
  concurrency: number;
  /** Which deliveries to a target are kept in order: none, those of the same resource, or all. */
  order: 'none' | 'resource' | 'all';
  /** Limit for one attempt, in milliseconds. */
  timeoutMs: number;
  retry: RetryTimes;
  environment: string | null;
  /** Milliseconds since the epoch. */
  now: () => number;
  /** Milliseconds on a clock that never jumps. */
  ticks: () => number;
  random: () => number;
  /** Faults to inject (`--chaos`), and the random source for them. */
  faults?: { settings: DeliveryFaultSettings; random: () => number };
  emit: (event: ListenerEvent) => void;
  record: RecordExchange;
  /** Signs each attempt; null forwards the sender's signature. */
  signing: SigningSecrets | null;
  /** What is known about a refusal with 400, 401 or 403, in one line. */
  explainRefusal: (refusal: AppRefusal) => string | null;
  /** Counts `forwarded`, `failed` and `parked` here. */
  counts: ListenerCounts;
}

/** An app's refusal that may be about the signature. */
export interface AppRefusal {
  status: number;
  target: string;
  /** Whether the signature was made by this listener, for this attempt. */
  ownSignature: boolean;
  /** Age of the signature when the app answered, in seconds; null when it has no readable time. */
  ageSeconds: number | null;
}

/** A stored delivery to be forwarded to one target. */
export interface DeliveryJob {
  /** Row of the forward in the inbox. */
  forward: number;
  target: string;
  subject: DeliverySubject;
  orderKey: string | null;
  /** When the event was created, in milliseconds since the epoch; 0 when unknown. */
  created: number;
  /** Attempts made by earlier listeners. */
  attempts: number;
  warnings: readonly string[];
  /** Whether the sender's signature was checked. What is not known to be genuine is passed on as it came. */
  verified: boolean;
  /** When it came in, in milliseconds since the epoch. */
  receivedAt: number;
  /** Null: read from the inbox for each attempt. */
  message: DeliveryMessage | null;
}

/** A job in its target queue. */
interface QueuedJob extends QueueItem {
  job: DeliveryJob;
  /** Faults injected into this delivery. */
  faults: DeliveryFaults | null;
  /** A repetition injected as a fault: attempted once, neither stored nor counted. */
  isCopy: boolean;
  /** The headers of the attempt under way; null between attempts. */
  sent: readonly string[] | null;
  /** Resolves `sendAndWait`. */
  settled: ((outcome: AttemptOutcome) => void) | null;
}

/** Bytes of waiting bodies kept in memory; beyond that they are read from the inbox for the attempt. */
const KEPT_BYTES = 8 * 1024 * 1024;

export class Forwarder {
  readonly #options: ForwarderOptions;
  readonly #queues = new Map<string, TargetQueue<QueuedJob>>();
  readonly #clients = new Map<string, TargetClient>();
  readonly #hold: FaultHold<QueuedJob>;
  #kept = 0;
  #waiting = 0;
  #paused = false;
  #stopped = false;

  constructor(options: ForwarderOptions) {
    this.#options = options;
    this.#hold = createFaultHold((queued) => this.#enqueue(queued));
  }

  /** Forwards until the app accepts the delivery or retries are used up. */
  send(job: DeliveryJob): void {
    this.#inject(this.#queued(job, null));
  }

  /** Makes one attempt and no more. @returns its outcome (`--ack forwarded`) */
  sendAndWait(job: DeliveryJob): Promise<AttemptOutcome> {
    return new Promise((resolve) => this.#inject(this.#queued(job, resolve)));
  }

  /** Number of forwards that are still to be attempted, or attempted again. */
  get waiting(): number {
    return this.#waiting;
  }

  get paused(): boolean {
    return this.#paused;
  }

  /** Starts no attempts until `resume`; those under way end. */
  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    for (const queue of this.#queues.values()) queue.resume();
  }

  /** Starts no more attempts; running ones are cancelled after `graceMs`. Pending deliveries stay in the inbox. */
  async stop(graceMs: number): Promise<void> {
    this.#stopped = true;
    this.#hold.stop();
    await Promise.all([...this.#queues.values()].map((queue) => queue.stop(graceMs)));
    await Promise.all([...this.#clients.values()].map((client) => client.close()));
  }

  #queued(job: DeliveryJob, settled: QueuedJob['settled']): QueuedJob {
    const orderKey = orderKeyOf(this.#options.order, job);
    const { forward, created, attempts } = job;
    const once = settled !== null;
    this.#waiting += 1;
    const { receivedAt: since } = job;
    const refused = { status: 0, times: 0 };
    return {
      ...{ forward, created, attempts, orderKey, since, once, refused },
      ...{ job, faults: null, isCopy: false, sent: null, settled },
    };
  }

  #inject(queued: QueuedJob): void {
    const { faults } = this.#options;
    if (faults === undefined) return this.#enqueue(queued);
    queued.faults = drawDeliveryFaults(faults.settings, faults.random);
    this.#hold.take(queued, queued.faults);
  }

  #enqueue(queued: QueuedJob): void {
    if (this.#stopped) return;
    const { job } = queued;
    this.#kept += job.message?.body.length ?? 0;
    if (this.#kept > KEPT_BYTES) this.#release(job);
    this.#queueOf(splitTarget(job.target).origin).add(queued);
  }

  /** The queue of an app. All loopback names of an app share one queue, so that the limit of concurrent requests applies to the app. */
  #queueOf(origin: string): TargetQueue<QueuedJob> {
    const app = origin.replace(/^(https?:\/\/)(?:[^/]*\.)?localhost(?=:|$)/, '$1127.0.0.1');
    const found = this.#queues.get(app);
    if (found !== undefined) return found;
    const { concurrency, timeoutMs, now, random, retry } = this.#options;
    const queue = new TargetQueue<QueuedJob>({
      concurrency,
      retry,
      now,
      random,
      isPaused: () => this.#paused,
      isListening: ({ job }) => listensOn(new URL(job.target), timeoutMs),
      attempt: (queued, signal) => this.#attempt(queued, signal),
      report: (queued, outcome, next) => this.#report(queued, outcome, next),
    });
    this.#queues.set(app, queue);
    return queue;
  }

  #clientOf(origin: string): TargetClient {
    const { concurrency, timeoutMs, ticks } = this.#options;
    const client = this.#clients.get(origin) ?? createTargetClient({ origin, concurrency, timeoutMs, ticks });
    this.#clients.set(origin, client);
    return client;
  }

  async #attempt(queued: QueuedJob, signal: AbortSignal): Promise<AttemptOutcome | null> {
    const { job, attempts, faults } = queued;
    // A replay, or somebody who gave it up, may have settled it meanwhile.
    if (!queued.isCopy && !this.#options.inbox.isWaiting(job.forward)) return this.#settledElsewhere(job);
    if (faults?.drop === true && attempts === job.attempts) return { kind: 'broken', error: 'dropped', latencyMs: 0 };
    const message = this.#messageOf(job);
    // It has been deleted from the inbox, so there is nothing to deliver.
    if (message === null) return { kind: 'broken', error: 'socket', latencyMs: 0 };
    queued.sent = this.#headersFor(job, message);
    const { body } = message;
    return this.#clientOf(splitTarget(job.target).origin).post(job.target, { headers: queued.sent, body }, signal);
  }

  #headersFor({ verified }: DeliveryJob, { headers, body }: DeliveryMessage): readonly string[] {
    const { signing, now } = this.#options;
    if (signing === null || !verified) return headers;
    const at = now();
    return withNewSignature(headers, { secrets: liveSecrets(signing, at), t: Math.floor(at / 1000), body });
  }

  #settledElsewhere(job: DeliveryJob): null {
    this.#waiting -= 1;
    this.#release(job);
    return null;
  }

  #report(queued: QueuedJob, outcome: AttemptOutcome, next: NextStep): void {
    const { job, faults, isCopy } = queued;
    if (outcome.kind === 'stopped') return;
    const message = this.#messageOf(job);
    const sent = message === null ? null : { ...message, headers: queued.sent ?? message.headers };
    reportAttempt(this.#options, queued, outcome, next, sent);
    queued.sent = null;
    if (next.kind === 'retry') return;
    if (next.kind === 'delivered' && faults?.duplicate === true) this.#repeat(queued);
    this.#release(job);
    if (isCopy) return;
    this.#waiting -= 1;
    this.#options.counts[COUNTED[next.kind]] += 1;
    queued.settled?.(outcome);
  }

  /** The `duplicate` fault: the same delivery once more. */
  #repeat({ job, forward, created }: QueuedJob): void {
    const copy: QueuedJob = {
      ...{
        job: { ...job },
        forward,
        created,
        attempts: job.attempts,
        since: 0,
        once: true,
        refused: { status: 0, times: 0 },
        isCopy: true,
        sent: null,
        settled: null,
      },
      // The copy uses the row of the original, but must not wait for others with the same order key.
      orderKey: `copy ${forward}`,
      faults: { duplicate: false, reorder: false, drop: false, delayMs: 0, label: 'duplicate' },
    };
    setImmediate(() => this.#enqueue(copy));
  }

  #messageOf({ message, subject }: DeliveryJob): DeliveryMessage | null {
    return message ?? this.#options.inbox.content(subject.inbox_id);
  }

  #release(job: DeliveryJob): void {
    this.#kept -= job.message?.body.length ?? 0;
    job.message = null;
  }
}

/** Order is kept for each target separately: a slow app does not hold up another. */
function orderKeyOf(order: ForwarderOptions['order'], job: DeliveryJob): string | null {
  if (order === 'none') return null;
  if (order === 'all') return job.target;
  return job.orderKey === null ? null : `${job.target} ${job.orderKey}`;
}

/** Reports one attempt to the inbox, to the journal, and as a listener event. */
function reportAttempt(
  options: ForwarderOptions,
  { job, attempts, faults, isCopy }: QueuedJob,
  outcome: Exclude<AttemptOutcome, { kind: 'stopped' }>,
  next: NextStep,
  message: DeliveryMessage | null,
): void {
  const { environment, emit } = options;
  const { subject, target, forward } = job;
  const at = options.now();
  const { latencyMs } = outcome;
  const isAnswered = outcome.kind === 'answered';
  const status = isAnswered ? outcome.status : null;
  const error = isAnswered ? null : outcome.error;
  // An app's answer may contain secrets: a handler that echoes its input, a stack trace with its environment.
  const answer = isAnswered ? redactText(outcome.answer) : null;
  if (!isCopy) {
    const signature = message === null || outcome.kind === 'unconnected' ? null : signatureOf(message.headers);
    const state = STATES[next.kind];
    options.inbox.saveAttempt(forward, { state, attempts, at, status, latencyMs, error, answer, signature });
  }
  options.record(attemptRecord({ at, target, subject, attempt: attempts, outcome, message, environment }));
  const attempt = {
    at: new Date(at).toISOString(),
    ...subject,
    target,
    attempt: attempts,
    error,
    latency_ms: latencyMs,
    answer,
    hint: hintFor(options, job, outcome, message),
    chaos: faults?.label ?? null,
  };
  if (next.kind === 'delivered') emit({ type: 'forwarded', ...attempt, status: status ?? 0 });
  else if (next.kind === 'retry') emit({ type: 'retrying', ...attempt, status, retry_in_ms: next.inMs });
  else if (next.kind === 'parked') emit({ type: 'parked', ...attempt, status: status ?? 0 });
  else emit({ type: 'failed', ...attempt, status });
}

const STATES: Record<NextStep['kind'], ForwardState> = {
  delivered: 'delivered',
  retry: 'waiting',
  given_up: 'failed',
  parked: 'parked',
};
const COUNTED = { delivered: 'forwarded', given_up: 'failed', parked: 'parked' } as const;

const LAST_V1_ONLY =
  'this delivery is genuine and has two v1 entries: the app seems to check only the last one; it must check each (credicorp webhooks test shows it)';

const SIGNATURE_REFUSALS = new Set([400, 401, 403]);

function hintFor(
  options: ForwarderOptions,
  job: DeliveryJob,
  outcome: AttemptOutcome,
  message: DeliveryMessage | null,
): string | null {
  if (outcome.kind !== 'answered') return (outcome.kind !== 'stopped' && outcome.hint) || null;
  const { status } = outcome;
  if (status >= 300 && status < 400) return 'redirects are not followed: forward to the final address';
  const ownSignature = options.signing !== null && job.verified;
  if (!ownSignature && status >= 400 && status < 500 && job.warnings.includes('last_v1_only')) return LAST_V1_ONLY;
  if (!SIGNATURE_REFUSALS.has(status) || message === null) return null;
  const t = /(?:^|[,\s])t=(\d{1,12})(?:[,\s]|$)/.exec(signatureOf(message.headers) ?? '')?.[1];
  const ageSeconds = t === undefined ? null : Math.floor(options.now() / 1000) - Number(t);
  return options.explainRefusal({ status, target: job.target, ownSignature, ageSeconds });
}

/** The record of one attempt to forward a delivery. */
export function attemptRecord(input: {
  at: number;
  target: string;
  subject: DeliverySubject;
  attempt: number;
  outcome: Exclude<AttemptOutcome, { kind: 'stopped' }>;
  message: DeliveryMessage | null;
  environment: string | null;
}): ExchangeRecord {
  const { subject, outcome, message } = input;
  const url = splitTarget(input.target);
  const answered = outcome.kind === 'answered' ? outcome : null;
  return {
    ...deliveryRecord(message, input.environment),
    at: input.at - outcome.latencyMs,
    path: url.path,
    origin: url.origin,
    status: answered?.status ?? null,
    latencyMs: outcome.latencyMs,
    attempt: input.attempt,
    eventId: subject.event_id,
    eventType: subject.event_type,
    deliveryId: subject.delivery_id,
    resourceId: subject.resource_id,
    note: outcome.kind === 'answered' ? null : outcome.error.replaceAll('_', ' '),
    responseHeaders: answered?.headers ?? {},
    responseBody: answered?.answer ?? null,
  };
}

/** What every journal record of a delivery has: its headers and the beginning of its body. @param message null when it is gone */
export function deliveryRecord(
  message: { headers: readonly string[]; body: Uint8Array } | null,
  environment: string | null,
) {
  return {
    ...BLANK_RECORD,
    ...({ source: 'listener', environment, method: 'POST', origin: null } as const),
    requestHeaders: message === null ? {} : headerRecord(message.headers),
    requestBody: message === null ? null : textOf(message.body),
  };
}

/** Bytes of a body that are passed to the journal, which may keep fewer. */
const BODY_BYTES = 64 * 1024;

/** Headers already converted: one delivery is recorded when received and again for each attempt. */
const convertedHeaders = new WeakMap<readonly string[], Record<string, string>>();

function headerRecord(headers: readonly string[]): Record<string, string> {
  const found = convertedHeaders.get(headers);
  if (found !== undefined) return found;
  const entries = new Map<string, string>();
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = (headers[i] ?? '').toLowerCase();
    const earlier = entries.get(name);
    const value = headers[i + 1] ?? '';
    entries.set(name, earlier === undefined ? value : `${earlier}, ${value}`);
  }
  // Unlike assignment, this works for a header named `__proto__`.
  const record = Object.fromEntries(entries);
  convertedHeaders.set(headers, record);
  return record;
}

function textOf(body: Uint8Array): string {
  return Buffer.from(body.buffer, body.byteOffset, Math.min(body.byteLength, BODY_BYTES)).toString('utf8');
}
