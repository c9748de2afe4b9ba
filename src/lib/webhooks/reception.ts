/** What happens to a delivery between the door and the lanes: stored, told, sent on; and what its sender is answered. */
import type { WriteDown } from '../contract/exchange.ts';
import { eventMatches } from '../contract/events.ts';
import { SIGNATURE_ADVICE } from '../contract/signature-advice.ts';
import type { RefusedSignature, SignatureVerdict } from '../contract/signature.ts';
import { Failure } from '../failure.ts';
import { eventFacts, type EventFacts } from './event-facts.ts';
import type { Outcome } from './forward.ts';
import type { Forwarding, Parcel } from './forwarding.ts';
import type { Inbox, Stored, StoredForward } from './inbox.ts';
import type { Leftover } from './listeners.ts';
import type { Counts, Moment, Subject } from './moments.ts';
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
  say: (moment: Moment) => void;
  record: WriteDown;
  counts: Counts;
}

export interface Reception {
  /** @returns the status for the sender. @throws Failure when the delivery could not be stored. */
  take(incoming: Incoming, verdict: SignatureVerdict | null): Promise<number>;
  refuse(incoming: Incoming, verdict: RefusedSignature): void;
  /** Sends on what an earlier listener left. */
  resume(leftover: Leftover): void;
}

export function createReception(options: ReceptionOptions): Reception {
  const { inbox, forwarding, say, counts, now } = options;
  const write = (incoming: Incoming, facts: EventFacts | null, status: number, note: string | null): void =>
    options.record(deliveryRecord({ incoming, facts, status, note, environment: options.environment, now: now() }));

  async function take(incoming: Incoming, verdict: SignatureVerdict | null): Promise<number> {
    const facts = eventFacts(incoming.body);
    const warnings = verdict?.valid === true ? verdict.warnings : [];
    const wanted = options.events.some((pattern) => pattern === '*' || eventMatches(pattern, facts.eventType ?? ''));
    const targets = wanted ? options.route(facts.eventType) : [];
    const { receivedAt, deliveryId, method, headers, body } = incoming;
    const judged = verdict === null ? 'unverified' : ['valid', ...warnings].join(':');
    const stored = await inbox
      .store({ ...facts, receivedAt, deliveryId, method, headers, body, verdict: judged }, targets)
      .catch((error: unknown) => {
        write(incoming, facts, 503, 'not stored');
        sayUnstored(incoming, error);
        throw error;
      });
    counts.received += 1;
    const subject = subjectOf(stored.id, incoming, facts);
    say({ type: 'received', at: iso(receivedAt), ...subject, bytes: body.length, warnings, targets });
    const sent = sendOn(stored, subject, { facts, warnings, message: { headers, body } });
    const status = options.ack === 'stored' ? 200 : ((await sent).find((one) => one >= 300) ?? (await sent)[0] ?? 200);
    write(incoming, facts, status, null);
    return status;
  }

  /** @returns what each target makes of it, as a status; known at once unless the sender waits for the app. */
  function sendOn(
    stored: Stored,
    subject: Subject,
    about: {
      facts: EventFacts;
      warnings: readonly string[];
      message: { headers: readonly string[]; body: Uint8Array };
    },
  ): Promise<number[]> {
    const { facts, warnings, message } = about;
    return Promise.all(
      stored.forwards.map((forward) => {
        if (forward.state === 'duplicate') return repeated(forward, subject);
        const parcel: Parcel = {
          forward: forward.id,
          target: forward.target,
          subject,
          warnings,
          message,
          attempts: 0,
          orderKey: facts.orderKey,
          created: facts.created,
        };
        if (options.ack === 'stored') {
          forwarding.send(parcel);
          return 200;
        }
        return new Promise<number>((resolve) => {
          forwarding.send({ ...parcel, settled: (outcome) => resolve(statusFor(outcome)) });
        });
      }),
    );
  }

  function repeated(forward: StoredForward, subject: Subject): number {
    counts.duplicates += 1;
    say({ type: 'duplicate', at: iso(now()), ...subject, target: forward.target });
    // Still under way: the sender shall ask again, when the outcome is known.
    return forward.earlier === 'waiting' ? 503 : 200;
  }

  function sayUnstored(incoming: Incoming, error: unknown): void {
    counts.rejected += 1;
    const cause = error instanceof Failure && error.facts.code === 'inbox_full' ? 'inbox_full' : 'inbox_unwritable';
    const { deliveryId, body } = incoming;
    say({
      type: 'rejected',
      at: iso(incoming.receivedAt),
      status: 503,
      delivery_id: deliveryId,
      bytes: body.length,
      cause,
      also: [],
      skew_seconds: null,
      detail: null,
      meaning: error instanceof Failure ? error.message : 'the delivery could not be stored',
      next: 'the sender was told to come again; make room, or start the app so that the inbox empties',
    });
  }

  return {
    take,
    refuse(incoming, verdict) {
      counts.rejected += 1;
      write(incoming, null, 400, `bad signature: ${verdict.cause}`);
      const { deliveryId, body } = incoming;
      say({
        type: 'rejected',
        at: iso(incoming.receivedAt),
        status: 400,
        delivery_id: deliveryId,
        bytes: body.length,
        cause: verdict.cause,
        also: verdict.also,
        skew_seconds: verdict.skewSeconds ?? null,
        detail: verdict.detail,
        ...SIGNATURE_ADVICE[verdict.cause],
      });
    },
    resume(leftover) {
      const { forward, target, orderKey, created, attempts, delivery, eventId, eventType, deliveryId, resourceId } =
        leftover;
      const ids = { event_id: eventId, event_type: eventType, delivery_id: deliveryId, resource_id: resourceId };
      const subject = { inbox_id: delivery, ...ids };
      forwarding.send({ forward, target, subject, orderKey, created, attempts, warnings: [], message: null });
    },
  };
}

function subjectOf(id: number, incoming: Incoming, facts: EventFacts): Subject {
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
