/**
 * The events of a listener: one plain object for each thing that happens while `webhooks listen` runs. These shapes are what
 * `webhooks listen --json` prints, so they are stable: members are snake_case, may be added but are never renamed, and `at` is
 * ISO 8601 in UTC with milliseconds. No event carries a secret.
 */
import type { SignatureCause } from './signature.ts';

interface Base {
  at: string;
}

/** Which delivery an event is about. Members are null where the delivery's body does not contain them. */
export interface DeliverySubject {
  /** Number of the delivery in the local inbox; `events show` takes it. */
  inbox_id: number;
  event_id: string | null;
  event_type: string | null;
  /** `Credicorp-Delivery`: stays the same over automatic retries of the sender. */
  delivery_id: string | null;
  resource_id: string | null;
}

/** The endpoint is registered and a signed self-test arrived: from now on deliveries are received. */
export interface ReadyEvent extends Base {
  type: 'ready';
  endpoint_id: string;
  /** The URL that the sender posts to. */
  url: string;
  /** The loopback port of the receiver. */
  port: number;
  events: string[];
  targets: string[];
  /** Number of deliveries that an earlier listener received and did not forward yet. */
  leftover: number;
  /** What waits for other targets, to which no running listener forwards. */
  unrouted: { target: string; waiting: number }[];
  /** True when the endpoint of a crashed listener was taken over, with its secret. */
  adopted: boolean;
  /** The endpoint that this one replaces, because the API lost it or another listener took it over; null at the start. */
  replaces: string | null;
  /** How long the self-test took, in milliseconds. */
  self_test_ms: number;
  /** True when signatures are not checked. */
  unverified: boolean;
  /** The value of `--chaos`; null without it. */
  chaos: string | null;
  /** Whose signature the app gets: this listener's, made at each attempt, or the sender's. */
  signed_by: 'listener' | 'sender';
  /** A delivery that the app does not accept is given up this many milliseconds after it arrived; null: never. */
  give_up_after_ms: number | null;
}

/** A delivery was verified and stored. The sender is answered after it is on disk. */
export interface ReceivedEvent extends Base, DeliverySubject {
  type: 'received';
  bytes: number;
  /** `last_v1_only`: a receiver that reads only the last `v1` would refuse this delivery. */
  warnings: string[];
  /** Targets it is forwarded to; empty when no route matches its type. */
  targets: string[];
}

/** A delivery was refused and not forwarded: 400 for its signature, 503 when it could not be stored. */
export interface RejectedEvent extends Base {
  type: 'rejected';
  status: 400 | 503;
  delivery_id: string | null;
  bytes: number;
  cause: SignatureCause | 'inbox_full' | 'inbox_unwritable';
  also: string[];
  /** `now − t` in seconds, where the age is a cause of the refusal. */
  skew_seconds: number | null;
  detail: string | null;
  meaning: string;
  next: string;
}

interface AttemptMembers extends Base, DeliverySubject {
  target: string;
  /** 1 for the first try of this delivery at this target. */
  attempt: number;
  /** The app's status; null when no answer came. */
  status: number | null;
  /** `connection_refused`, `timeout`, `socket`, `dns`, `tls`, `dropped` (`--chaos`); null when an answer came. */
  error: string | null;
  /** From the first byte sent to the end of the answer, in milliseconds. */
  latency_ms: number;
  /** The beginning of the app's answer; null when there was none. */
  answer: string | null;
  /** The probable cause, in one line. */
  hint: string | null;
  /** The fault that `--chaos` injected; null for none. */
  chaos: string | null;
}

/** The app answered 2xx. */
export interface ForwardedEvent extends AttemptMembers {
  type: 'forwarded';
  status: number;
}

/** An attempt failed and another will follow. */
export interface RetryingEvent extends AttemptMembers {
  type: 'retrying';
  /** Milliseconds until the next attempt; null when it waits for the target's port to open. */
  retry_in_ms: number | null;
}

/** No further attempt will be made: retries are used up, or the sender received the failure as its answer (`--ack forwarded`). */
export interface FailedEvent extends AttemptMembers {
  type: 'failed';
}

/** The app refused this delivery again and again with the same status: it is not sent again until `events replay` asks for it. */
export interface ParkedEvent extends AttemptMembers {
  type: 'parked';
  status: number;
}

/** The same event id for the same target is already delivered or being delivered: it is recorded, not forwarded. */
export interface DuplicateEvent extends Base, DeliverySubject {
  type: 'duplicate';
  target: string;
}

/** A tunnel opened, closed, or the machine woke up from sleep. */
export interface TunnelEvent extends Base {
  type: 'tunnel';
  /** `ssh`, `cloudflared`, `ngrok`, `public-url`. */
  via: string;
  state: 'opening' | 'up' | 'down' | 'woke';
  url: string | null;
  detail: string | null;
  /** Milliseconds until it is opened again; only with `down`. */
  retry_in_ms: number | null;
  /** For how many milliseconds no delivery could arrive; only with `up` after `down`. */
  blind_ms: number | null;
}

/** The consumer of the events was too slow, so these events were dropped. Their deliveries are in the inbox nevertheless. */
export interface SkippedEvent extends Base {
  type: 'skipped';
  /** `at` of the last one; `at` is that of the first. */
  until: string;
  count: number;
  /** How many of each type. */
  of: Record<string, number>;
}

export interface ListenerCounts {
  received: number;
  forwarded: number;
  rejected: number;
  duplicates: number;
  failed: number;
  /** Refused again and again by the app, and kept until `events replay` or `events drop`. */
  parked: number;
  /** Stored and not yet delivered; the next listener delivers them. */
  waiting: number;
}

/** The listener ended: always the last event. */
export interface ClosedEvent extends Base, ListenerCounts {
  type: 'closed';
  /** False when the endpoint could not be removed; `detail` says why. */
  endpoint_removed: boolean;
  detail: string | null;
}

export type ListenerEvent =
  | ReadyEvent
  | ReceivedEvent
  | RejectedEvent
  | ForwardedEvent
  | RetryingEvent
  | FailedEvent
  | ParkedEvent
  | DuplicateEvent
  | TunnelEvent
  | SkippedEvent
  | ClosedEvent;

/** One attempt to deliver to one target, successful or not. */
export type AttemptEvent = ForwardedEvent | RetryingEvent | FailedEvent | ParkedEvent;

/**
 * The state of a delivery at one target. `parked`: the app refused it again and again in the same way, so it is not sent until somebody
 * asks for it. `dropped`: given up by hand. */
export type ForwardState = 'waiting' | 'delivered' | 'failed' | 'duplicate' | 'parked' | 'dropped';

export const FORWARD_STATES: readonly ForwardState[] = [
  'waiting',
  'delivered',
  'failed',
  'duplicate',
  'parked',
  'dropped',
];

/** One delivery in the inbox, as `events list --json` prints it: members are added, never renamed. */
export interface InboxEntry extends DeliverySubject {
  received_at: string;
  bytes: number;
  /** `valid`, `valid:last_v1_only` or `unverified`. */
  verdict: string;
  forwards: InboxForward[];
}

export interface InboxForward {
  target: string;
  state: ForwardState;
  attempts: number;
  updated_at: string;
  status: number | null;
  latency_ms: number | null;
  error: string | null;
  answer: string | null;
  /** The `Credicorp-Signature` header that was sent to the app last; null before the first attempt. */
  signature: string | null;
  /** Why it is parked; null when it is not. */
  reason: string | null;
}
