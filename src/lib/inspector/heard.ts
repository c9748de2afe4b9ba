/**
 * What the page hears and reads: a listener's moments, what its inbox holds, and what came of a delivery that was sent again. Only the
 * members that are read here; the row above hands in the real things, which have more.
 */

/** Members are null where the body does not say. */
export interface Subject {
  /** Number of the delivery in the inbox. */
  inbox_id: number;
  event_id: string | null;
  event_type: string | null;
  delivery_id: string | null;
  resource_id: string | null;
}

export interface Ready {
  type: 'ready';
  endpoint_id: string;
  events: readonly string[];
  targets: readonly string[];
  unverified: boolean;
  chaos: string | null;
}

export interface Received extends Subject {
  type: 'received';
  at: string;
  bytes: number;
  warnings: readonly string[];
  targets: readonly string[];
}

export interface Rejected {
  type: 'rejected';
  at: string;
  status: number;
  delivery_id: string | null;
  bytes: number;
  cause: string;
  also: readonly string[];
  /** `now − t` in seconds, where the age is part of the trouble. */
  skew_seconds: number | null;
  detail: string | null;
  meaning: string;
  next: string;
}

export interface Attempted extends Subject {
  type: 'forwarded' | 'retrying' | 'failed';
  at: string;
  target: string;
  /** 1 for the first try. */
  attempt: number;
  status: number | null;
  error: string | null;
  latency_ms: number;
  /** The beginning of the app's answer, redacted. */
  answer: string | null;
  hint: string | null;
  chaos: string | null;
}

export interface Repeated extends Subject {
  type: 'duplicate';
  at: string;
  target: string;
}

export interface Tunnelled {
  type: 'tunnel';
  via: string;
  state: 'opening' | 'up' | 'down' | 'woke';
}

export interface Closed {
  type: 'closed';
  at: string;
}

export type Heard = Ready | Received | Rejected | Attempted | Repeated | Tunnelled | Closed;

export type WayState = 'waiting' | 'delivered' | 'failed' | 'duplicate';

/** One delivery as the inbox has it. */
export interface Kept extends Subject {
  received_at: string;
  bytes: number;
  /** `valid`, `valid:` and warnings, or `unverified`. */
  verdict: string;
  forwards: readonly {
    target: string;
    state: WayState;
    attempts: number;
    updated_at: string;
    status: number | null;
    latency_ms: number | null;
    error: string | null;
    answer: string | null;
  }[];
}

/** The inbox, as far as it is read. */
export interface InboxReader {
  /** Newest first. */
  recent(limit: number): readonly Kept[];
  /** With its bytes; null when it is gone. `headers` are names and values in turn. */
  find(inboxId: number): { entry: Kept; headers: readonly string[]; body: Uint8Array } | null;
}

/** What came of sending a delivery again. */
export interface Replayed {
  delivery_id: string;
  target: string;
  status: number | null;
  latency_ms: number | null;
  error: string | null;
  answer: string | null;
  hint: string | null;
}
