/** One delivery as the page has it: its line in the list, and what came of each attempt. */
import type { ExchangeRecord } from '../contract/exchange.ts';
import type { DeliverySubject, ForwardState, InboxEntry, RejectedEvent } from '../contract/listener-events.ts';

export interface Way {
  target: string;
  state: ForwardState;
  attempts: number;
  status: number | null;
  error: string | null;
  latency_ms: number | null;
}

/** A line of the list. */
export interface Row extends Omit<DeliverySubject, 'inbox_id'> {
  /** The number in the inbox; `r1`, `r2`, … for what was refused and is in no inbox. */
  key: string;
  at: string;
  bytes: number;
  verdict: 'valid' | 'unverified' | 'rejected';
  warnings: readonly string[];
  /** Why it was refused; null when it was not. */
  cause: string | null;
  ways: Way[];
  replays: number;
}

export interface Attempt {
  kind: 'forward' | 'replay' | 'earlier';
  at: string;
  target: string;
  attempt: number;
  status: number | null;
  error: string | null;
  latency_ms: number | null;
  answer: string | null;
  hint: string | null;
  chaos: string | null;
}

export interface Entry {
  row: Row;
  /** Number of its last change. */
  changed: number;
  /** The last ones, oldest first. */
  attempts: Attempt[];
  /** What was refused, with its bytes where they were still at hand. */
  refusal: { moment: RejectedEvent; record: ExchangeRecord | null } | null;
}

/** Attempts kept of one delivery. */
export const MOST_ATTEMPTS = 10;

export function newWay(target: string): Way {
  return { target, state: 'waiting', attempts: 0, status: null, error: null, latency_ms: null };
}

export function subjectOf({ inbox_id, event_id, event_type, delivery_id, resource_id }: DeliverySubject) {
  return { key: String(inbox_id), event_id, event_type, delivery_id, resource_id };
}

/** Of what the inbox has: of earlier attempts it knows the last. */
export function entryOf(kept: InboxEntry): Entry {
  const [verdict, ...warnings] = kept.verdict.split(':');
  const attempts = kept.forwards
    .filter((forward) => forward.attempts > 0)
    .map(({ target, updated_at: at, attempts: attempt, status, error, latency_ms, answer }): Attempt => {
      return { kind: 'earlier', at, target, attempt, status, error, latency_ms, answer, hint: null, chaos: null };
    });
  const row: Row = {
    ...subjectOf(kept),
    ...{ at: kept.received_at, bytes: kept.bytes, verdict: verdict === 'unverified' ? 'unverified' : 'valid' },
    ...{ warnings, cause: null, replays: 0 },
    ways: kept.forwards.map(({ target, state, attempts: tries, status, error, latency_ms }) => {
      return { target, state, attempts: tries, status, error, latency_ms };
    }),
  };
  return { row, changed: 0, attempts: attempts.slice(-MOST_ATTEMPTS), refusal: null };
}
