/** What happens to a delivery between the door and the lanes: stored, told, sent on; and what its sender is answered. */
import type { WriteDown } from '../contract/exchange.ts';
import { eventMatches } from '../contract/events.ts';
import { SIGNATURE_ADVICE } from '../contract/signature-advice.ts';
import type { RefusedSignature, SignatureVerdict } from '../contract/signature.ts';
import { Failure } from '../failure.ts';
import { eventFacts, type EventFacts } from './event-facts.ts';
import type { Message, Outcome } from './forward.ts';
import type { Forwarding } from './forwarding.ts';
import type { Parcel } from './parcel.ts';
import type { Inbox } from './inbox.ts';
import type { Stored, StoredForward } from './inbox-writer.ts';
import type { Leftover } from './listeners.ts';
import type { ListenerCounts, ListenerEvent, RejectedEvent, DeliverySubject } from '../contract/listener-events.ts';
import { deliveryRecord } from './records.ts';
import type { Incoming } from './receiver.ts';

export interface ReceptionOptions {
  inbox: Inbox;
  forwarding: Forwarding;
  /** Where an event of this type goes. */
  route: (eventType: string | null) => string[];
  /** Types and families the listener wants. */
  events: readonly string[];
  /** `forwarded` answers the sender with the app's own status, after one attempt. */
  ack: 'stored' | 'forwarded';
  environment: string | null;
  now: () => number;
  say: (moment: ListenerEvent) => void;
  record: WriteDown;
  counts: ListenerCounts;
}

/** What was stored, on its way to the lanes. */
interface Arrival {
  subject: DeliverySubject;
  facts: EventFacts;
  warnings: readonly string[];
  message: Message;
}

export class Reception {
  readonly #options: ReceptionOptions;

  constructor(options: ReceptionOptions) {
    this.#options = options;
  }

  /** @returns the status for the sender. @throws Failure when the delivery could not be stored. */
  async take(incoming: Incoming, verdict: SignatureVerdict | null): Promise<number> {
    const { ack, counts, say } = this.#options;
    const { receivedAt, headers, body } = incoming;
    const facts = eventFacts(body);
    const warnings = verdict?.valid === true ? verdict.warnings : [];
    const targets = this.#targetsOf(facts.eventType);
    const judged = verdict === null ? 'unverified' : ['valid', ...warnings].join(':');
    const stored = await this.#store(incoming, facts, judged, targets);
    counts.received += 1;
    const subject = subjectOf(stored.id, incoming, facts);
    say({ type: 'received', at: iso(receivedAt), ...subject, bytes: body.length, warnings, targets });
    const arrival = { subject, facts, warnings, message: { headers, body } };
    const sent = Promise.all(stored.forwards.map((forward) => this.#sendOn(forward, arrival)));
    const status = ack === 'stored' ? 200 : worstOf(await sent);
    this.#write(incoming, facts, status, null);
    return status;
  }

  refuse(incoming: Incoming, verdict: RefusedSignature): void {
    const { cause, also, detail } = verdict;
    this.#write(incoming, null, 400, `bad signature: ${cause}`);
    this.#sayRejected(incoming, {
      status: 400,
      cause,
      also,
      skew_seconds: verdict.skewSeconds ?? null,
      detail,
      ...SIGNATURE_ADVICE[cause],
    });
  }

  /** Sends on what an earlier listener left. */
  resume(leftover: Leftover): void {
    const { forward, target, orderKey, created, attempts, delivery } = leftover;
    const subject = {
      inbox_id: delivery,
      event_id: leftover.eventId,
      event_type: leftover.eventType,
      delivery_id: leftover.deliveryId,
      resource_id: leftover.resourceId,
    };
    const { forwarding } = this.#options;
    forwarding.send({ forward, target, subject, orderKey, created, attempts, warnings: [], message: null });
  }

  #targetsOf(eventType: string | null): string[] {
    const { events, route } = this.#options;
    const wanted = events.some((pattern) => pattern === '*' || eventMatches(pattern, eventType ?? ''));
    return wanted ? route(eventType) : [];
  }

  async #store(incoming: Incoming, facts: EventFacts, verdict: string, targets: readonly string[]): Promise<Stored> {
    try {
      return await this.#options.inbox.store({ ...facts, ...incoming, verdict }, targets);
    } catch (error) {
      this.#write(incoming, facts, 503, 'not stored');
      this.#sayRejected(incoming, {
        status: 503,
        cause: error instanceof Failure && error.facts.code === 'inbox_full' ? 'inbox_full' : 'inbox_unwritable',
        also: [],
        skew_seconds: null,
        detail: null,
        meaning: error instanceof Failure ? error.message : 'the delivery could not be stored',
        next: 'the sender was told to come again; make room, or start the app so that the inbox empties',
      });
      throw error;
    }
  }

  /** @returns what the target makes of it, as a status; known at once unless the sender waits for the app. */
  #sendOn(forward: StoredForward, { subject, facts, warnings, message }: Arrival): number | Promise<number> {
    const { forwarding } = this.#options;
    if (forward.state === 'duplicate') return this.#repeated(forward, subject);
    const { orderKey, created } = facts;
    const { id, target } = forward;
    const parcel: Parcel = { forward: id, target, subject, warnings, message, orderKey, created, attempts: 0 };
    if (this.#options.ack === 'stored') {
      forwarding.send(parcel);
      return 200;
    }
    return new Promise((resolve) => {
      forwarding.send({ ...parcel, settled: (outcome) => resolve(statusFor(outcome)) });
    });
  }

  #repeated(forward: StoredForward, subject: DeliverySubject): number {
    const { counts, say, now } = this.#options;
    counts.duplicates += 1;
    say({ type: 'duplicate', at: iso(now()), ...subject, target: forward.target });
    // Still under way: the sender shall ask again, when the outcome is known.
    return forward.earlier === 'waiting' ? 503 : 200;
  }

  #sayRejected(incoming: Incoming, why: Omit<RejectedEvent, 'type' | 'at' | 'delivery_id' | 'bytes'>): void {
    const { counts, say } = this.#options;
    const { receivedAt, deliveryId, body } = incoming;
    counts.rejected += 1;
    say({ type: 'rejected', at: iso(receivedAt), delivery_id: deliveryId, bytes: body.length, ...why });
  }

  #write(incoming: Incoming, facts: EventFacts | null, status: number, note: string | null): void {
    const { environment, now, record } = this.#options;
    record(deliveryRecord({ incoming, facts, status, note, environment, now: now() }));
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

/** RFC 9110 §15.6.3 and §15.6.5: what a gateway says when the one behind it is unreachable or late. */
function statusFor(outcome: Outcome): number {
  if (outcome.kind === 'answered') return outcome.status;
  return outcome.kind === 'broken' && outcome.error === 'timeout' ? 504 : 502;
}

function iso(at: number): string {
  return new Date(at).toISOString();
}
