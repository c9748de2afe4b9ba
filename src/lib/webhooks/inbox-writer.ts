/** The statements that fill the inbox, prepared once, and what they are given. They run inside somebody else's transaction. */
import type { DatabaseSync } from 'node:sqlite';
import type { ForwardState } from '../contract/listener-events.ts';
import type { EventFacts } from './event-facts.ts';
import { FORWARDS_PER_DELIVERY } from './inbox-tables.ts';

export interface NewDelivery extends EventFacts {
  receivedAt: number;
  deliveryId: string | null;
  method: string;
  /** Names and values in turn, as they came. */
  headers: readonly string[];
  body: Uint8Array;
  /** `valid`, `unverified`, or `valid` with the warnings after a colon. */
  verdict: string;
}

export interface StoredForward {
  id: number;
  target: string;
  state: 'waiting' | 'duplicate';
  /** Of a duplicate: how far the earlier one is. */
  earlier: 'waiting' | 'delivered' | null;
}

export interface Stored {
  id: number;
  forwards: StoredForward[];
}

/** How an attempt changed a forward. */
export interface Settlement {
  state: ForwardState;
  attempts: number;
  at: number;
  status: number | null;
  latencyMs: number | null;
  error: string | null;
  answer: string | null;
}

export interface Writer {
  add(delivery: NewDelivery, targets: readonly string[]): Stored;
  settle(forward: number, settlement: Settlement): void;
}

export function createWriter(db: DatabaseSync, options: { scope: string; owner: number; dedupe?: boolean }): Writer {
  const { scope, owner } = options;
  const addDelivery = db.prepare(
    `INSERT INTO inbox_deliveries (scope, received_at, delivery_id, event_id, event_type, resource_id, order_key, created, method, headers, body, verdict)
     VALUES ($scope, $receivedAt, $deliveryId, $eventId, $eventType, $resourceId, $orderKey, $created, $method, $headers, $body, $verdict)`,
  );
  const addForward = db.prepare(
    'INSERT INTO inbox_forwards (id, scope, event_id, target, state, owner, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?)',
  );
  const earlier = db.prepare(
    `SELECT state FROM inbox_forwards WHERE event_id = ? AND target = ? AND state IN ('waiting', 'delivered') AND scope = ?
     ORDER BY state LIMIT 1`,
  );
  const update = db.prepare(
    `UPDATE inbox_forwards SET state = ?, attempts = ?, updated_at = ?, status = ?, latency_ms = ?, error = ?, answer = ? WHERE id = ?`,
  );
  return {
    add(d, targets) {
      const { lastInsertRowid } = addDelivery.run({ ...d, scope, headers: JSON.stringify(d.headers) });
      const id = Number(lastInsertRowid);
      const forwards = targets.map((target, place): StoredForward => {
        const twin = options.dedupe === false || d.eventId === null ? null : earlier.get(d.eventId, target, scope);
        const state = twin === null || twin === undefined ? 'waiting' : 'duplicate';
        const twinState = twin?.['state'] === 'delivered' ? 'delivered' : 'waiting';
        const forward = id * FORWARDS_PER_DELIVERY + place;
        addForward.run(forward, scope, d.eventId, target, state, owner, d.receivedAt);
        return { id: forward, target, state, earlier: state === 'duplicate' ? twinState : null };
      });
      return { id, forwards };
    },
    settle(id, s) {
      update.run(s.state, s.attempts, s.at, s.status, s.latencyMs, s.error, s.answer, id);
    },
  };
}
