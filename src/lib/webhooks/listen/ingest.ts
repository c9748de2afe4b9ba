/** What happens to a verified delivery: routed to its targets, stored in the inbox, reported, forwarded, and its sender answered. */
import type { ExchangeRecord, RecordExchange } from '../../contract/exchange.ts';
import { eventMatches } from '../../contract/events.ts';
import { SIGNATURE_ADVICE } from '../../contract/signature-advice.ts';
import type { RefusedSignature, SignatureVerdict } from '../../contract/signature.ts';
import { Failure, usage } from '../../failure.ts';
import { type DeliveryJob, deliveryRecord, type Forwarder } from '../forward/forwarder.ts';
import type { AttemptOutcome, DeliveryMessage } from '../forward/target-client.ts';
import { eventFacts, type EventFacts, type Inbox, type StoredDelivery, type StoredForward } from '../inbox/inbox.ts';
import type { PendingForward } from '../inbox/listener-registry.ts';
import type { ListenerCounts, ListenerEvent, RejectedEvent, DeliverySubject } from '../../contract/listener-events.ts';
import type { Route } from '../forward/targets.ts';
import type { Incoming } from './receiver.ts';

export interface IngestOptions {
  inbox: Inbox;
  forwarder: Forwarder;
  /** The targets for an event of this type. */
  route: (eventType: string | null) => string[];
  /** Event types and families that the listener receives. */
  events: readonly string[];
  /** `forwarded` answers the sender with the app's own status, after one attempt; while paused with 200 once it is stored. */
  ack: 'stored' | 'forwarded';
  environment: string | null;
  now: () => number;
  emit: (event: ListenerEvent) => void;
  record: RecordExchange;
  counts: ListenerCounts;
}

/** A stored delivery, shared by its forwards. */
interface Arrival {
  subject: DeliverySubject;
  facts: EventFacts;
  warnings: readonly string[];
  verified: boolean;
  receivedAt: number;
  message: DeliveryMessage;
}

export class Ingest {
  readonly #options: IngestOptions;

  constructor(options: IngestOptions) {
    this.#options = options;
  }

  /** Stores and forwards a delivery. @returns the status for the sender @throws Failure when it could not be stored */
  async accept(incoming: Incoming, verdict: SignatureVerdict | null): Promise<number> {
    const { ack, counts, emit } = this.#options;
    const { receivedAt, headers, body } = incoming;
    const facts = eventFacts(body);
    const warnings = verdict?.valid === true ? verdict.warnings : [];
    const targets = this.#targetsOf(facts.eventType);
    const judged = verdict === null ? 'unverified' : ['valid', ...warnings].join(':');
    const stored = await this.#store(incoming, facts, judged, targets);
    counts.received += 1;
    const subject = subjectOf(stored.id, incoming, facts);
    emit({ type: 'received', at: iso(receivedAt), ...subject, bytes: body.length, warnings, targets });
    const verified = verdict !== null;
    const arrival = { subject, facts, warnings, verified, receivedAt, message: { headers, body } };
    const sent = Promise.all(stored.forwards.map((forward) => this.#forward(forward, arrival)));
    const status = ack === 'stored' ? 200 : worstOf(await sent);
    this.#record(incoming, facts, status, null);
    return status;
  }

  /** Reports a delivery that was refused for its signature. */
  reject(incoming: Incoming, verdict: RefusedSignature): void {
    const { cause, also, detail } = verdict;
    this.#record(incoming, null, 400, `bad signature: ${cause}`);
    this.#emitRejected(incoming, {
      status: 400,
      cause,
      also,
      skew_seconds: verdict.skewSeconds ?? null,
      detail,
      ...SIGNATURE_ADVICE[cause],
    });
  }

  /** Forwards the pending deliveries of an earlier listener. */
  forwardPending(pending: PendingForward): void {
    const { forward, target, orderKey, created, attempts, delivery, verified, receivedAt } = pending;
    const subject = {
      inbox_id: delivery,
      event_id: pending.eventId,
      event_type: pending.eventType,
      delivery_id: pending.deliveryId,
      resource_id: pending.resourceId,
    };
    const { forwarder } = this.#options;
    forwarder.send({
      ...{ forward, target, subject, orderKey, created, attempts, verified, receivedAt },
      ...{ warnings: [], message: null },
    });
  }

  #targetsOf(eventType: string | null): string[] {
    const { events, route } = this.#options;
    const wanted = events.some((pattern) => pattern === '*' || eventMatches(pattern, eventType ?? ''));
    return wanted ? route(eventType) : [];
  }

  async #store(
    incoming: Incoming,
    facts: EventFacts,
    verdict: string,
    targets: readonly string[],
  ): Promise<StoredDelivery> {
    try {
      return await this.#options.inbox.store({ ...facts, ...incoming, verdict }, targets);
    } catch (error) {
      this.#record(incoming, facts, 503, 'not stored');
      this.#emitRejected(incoming, {
        status: 503,
        cause: error instanceof Failure && error.facts.code === 'inbox_full' ? 'inbox_full' : 'inbox_unwritable',
        also: [],
        skew_seconds: null,
        detail: null,
        meaning: error instanceof Failure ? error.message : 'the delivery could not be stored',
        next: 'the sender will retry; free disk space, or start the app so that waiting deliveries are forwarded',
      });
      throw error;
    }
  }

  /** Forwards to one target. @returns the status for the sender; known at once unless `--ack forwarded` */
  #forward(forward: StoredForward, { subject, facts, ...rest }: Arrival): number | Promise<number> {
    const { forwarder } = this.#options;
    if (forward.state === 'duplicate') return this.#acknowledgeDuplicate(forward, subject);
    const { orderKey, created } = facts;
    const { id, target } = forward;
    const job: DeliveryJob = { forward: id, target, subject, ...rest, orderKey, created, attempts: 0 };
    if (this.#options.ack === 'stored' || forwarder.paused) {
      forwarder.send(job);
      return 200;
    }
    return forwarder.sendAndWait(job).then(statusFor);
  }

  #acknowledgeDuplicate(forward: StoredForward, subject: DeliverySubject): number {
    const { counts, emit, now } = this.#options;
    counts.duplicates += 1;
    emit({ type: 'duplicate', at: iso(now()), ...subject, target: forward.target });
    // The earlier delivery is still being forwarded: the sender must retry, and gets its outcome then.
    return forward.earlier === 'waiting' ? 503 : 200;
  }

  #emitRejected(incoming: Incoming, why: Omit<RejectedEvent, 'type' | 'at' | 'delivery_id' | 'bytes'>): void {
    const { counts, emit } = this.#options;
    const { receivedAt, deliveryId, body } = incoming;
    counts.rejected += 1;
    emit({ type: 'rejected', at: iso(receivedAt), delivery_id: deliveryId, bytes: body.length, ...why });
  }

  #record(incoming: Incoming, facts: EventFacts | null, status: number, note: string | null): void {
    const { environment, now, record } = this.#options;
    record(receivedRecord({ incoming, facts, status, note, environment, now: now() }));
  }
}

function worstOf(statuses: readonly number[]): number {
  return statuses.find((status) => status >= 300) ?? statuses[0] ?? 200;
}

function subjectOf(id: number, incoming: Incoming, facts: EventFacts): DeliverySubject {
  return {
    inbox_id: id,
    event_id: facts.eventId,
    event_type: facts.eventType,
    delivery_id: incoming.deliveryId,
    resource_id: facts.resourceId,
  };
}

/** The app's status, or 502 or 504 when it could not be reached or did not answer in time (RFC 9110 §15.6.3, §15.6.5). */
function statusFor(outcome: AttemptOutcome): number {
  if (outcome.kind === 'answered') return outcome.status;
  return outcome.kind === 'broken' && outcome.error === 'timeout' ? 504 : 502;
}

function iso(at: number): string {
  return new Date(at).toISOString();
}

export interface Routing {
  /** All targets, as text. */
  targets: string[];
  /** Targets of an event: those of each matching route, else the default. */
  route: (eventType: string | null) => string[];
}

const MAX_TARGETS = 100;

/** @param forward the target of events that no route matches; null keeps them in the inbox. @throws Failure `usage` beyond 100 targets. */
export function routing(forward: URL | null, routes: readonly Route[]): Routing {
  const all = [...routes.map((route) => route.target.href), ...(forward === null ? [] : [forward.href])];
  const targets = [...new Set(all)];
  if (targets.length > MAX_TARGETS) {
    throw usage(`${targets.length} targets are more than a listener supports`, {
      code: 'too_many_targets',
      param: '--route',
      next: `give at most ${MAX_TARGETS}`,
    });
  }
  return {
    targets,
    route(eventType) {
      const wanted = routes.filter((route) => route.pattern === '*' || eventMatches(route.pattern, eventType ?? ''));
      if (wanted.length > 0) return [...new Set(wanted.map((route) => route.target.href))];
      return forward === null ? [] : [forward.href];
    },
  };
}

/** Recorded instead of the receiver's real path, which is secret: anybody who knows it can post to the receiver. */
export const RECEIVER_PATH = '/(receiver)';

/** The record of a received delivery. @param note why it was refused; null when it was stored */
function receivedRecord(input: {
  incoming: { receivedAt: number; deliveryId: string | null; headers: readonly string[]; body: Uint8Array };
  facts: EventFacts | null;
  status: number;
  note: string | null;
  environment: string | null;
  now: number;
}): ExchangeRecord {
  const { incoming, facts } = input;
  return {
    ...deliveryRecord(incoming, input.environment),
    at: incoming.receivedAt,
    path: RECEIVER_PATH,
    status: input.status,
    latencyMs: Math.max(0, input.now - incoming.receivedAt),
    eventId: facts?.eventId ?? null,
    eventType: facts?.eventType ?? null,
    resourceId: facts?.resourceId ?? null,
    deliveryId: incoming.deliveryId,
    note: input.note,
  };
}
