/**
 * Settles stored deliveries by hand: a repetition that the app accepted, or one that somebody gives up. A running listener that is at work
 * on one looks at its state before each attempt (`Inbox.isWaiting`), so it is not sent again.
 */
import type { Store } from '../../store/store.ts';
import { FORWARDS_PER_DELIVERY as PER } from './inbox-tables.ts';

/** An accepted repetition. */
export interface AcceptedRepetition {
  target: string;
  /** Milliseconds since the epoch. */
  at: number;
  status: number;
  latencyMs: number | null;
  answer: string | null;
  /** The signature header that was sent. */
  signature: string | null;
}

/** Marks what is not delivered at that target yet as delivered. @returns whether there was such a forward */
export function settleDelivered(store: Store, delivery: number, accepted: AcceptedRepetition): boolean {
  const { changes } = store.db
    .prepare(
      `UPDATE inbox_forwards SET state = 'delivered', attempts = attempts + 1, updated_at = $at, status = $status,
              latency_ms = $latencyMs, error = NULL, answer = $answer, signature = $signature
       WHERE id >= $first AND id < $end AND target = $target AND state IN ('waiting', 'parked', 'failed', 'dropped')`,
    )
    .run({ ...accepted, first: delivery * PER, end: (delivery + 1) * PER });
  return changes > 0;
}

/** Gives up what waits or is parked. @returns the targets it will not be sent to */
export function dropForwards(store: Store, delivery: number, at: number): string[] {
  const rows = store.db
    .prepare(
      `UPDATE inbox_forwards SET state = 'dropped', updated_at = ?
       WHERE id >= ? AND id < ? AND state IN ('waiting', 'parked') RETURNING target`,
    )
    .all(at, delivery * PER, (delivery + 1) * PER);
  return rows.map(({ target }) => String(target));
}

/** Gives up what was parked before this instant, in milliseconds since the epoch. */
export function giveUpParked(store: Store, scope: string, before: number): void {
  store.db
    .prepare("UPDATE inbox_forwards SET state = 'failed' WHERE scope = ? AND state = 'parked' AND updated_at < ?")
    .run(scope, before);
}
