/** Posting a signed delivery of one's own to an app, once: `webhooks send`, `webhooks trigger --forward`, `events replay`. */
import { randomBytes } from 'node:crypto';
import { Failure } from '../failure.ts';
import type { Message, Outcome } from '../webhooks/forward.ts';
import type { Subject } from '../webhooks/moments.ts';
import type { Context } from './context.ts';
import { identityIfAny } from './identity-if-any.ts';
import type { Session } from './session.ts';

/** What came of one delivery, as these commands print it. */
export interface Delivered {
  event_id: string | null;
  event_type: string | null;
  delivery_id: string;
  target: string;
  /** The app's status; null when no answer came. */
  status: number | null;
  latency_ms: number | null;
  error: string | null;
  /** The beginning of the app's answer. */
  answer: string | null;
  hint: string | null;
}

export const DELIVERED_COLUMNS = ['event_id', 'event_type', 'target', 'status', 'latency_ms', 'error', 'answer'].map(
  (path) => ({ path }),
);

/** A delivery id of ours, in the sender's form. */
export function newDeliveryId(): string {
  return `whd_${randomBytes(9).toString('base64url').replaceAll(/[-_]/g, '0')}`;
}

/** Posts, and writes it down. @throws Failure `interrupted` only; everything else is told in the result. */
export async function deliver(
  context: Context,
  session: Session,
  delivery: { target: URL; message: Message; deliveryId: string; timeoutMs: number },
): Promise<Delivered> {
  const { target, message, deliveryId } = delivery;
  const [{ sendOnce }, { attemptRecord }, { eventFacts }] = await Promise.all([
    import('../webhooks/send.ts'),
    import('../webhooks/records.ts'),
    import('../webhooks/event-facts.ts'),
  ]);
  const { ticks, signal } = context;
  const outcome = await sendOnce({ target, message, timeoutMs: delivery.timeoutMs, ticks, signal });
  if (outcome.kind === 'stopped') throw new Failure('interrupted', 'stopped before the app answered');
  const facts = eventFacts(message.body);
  const subject: Subject = {
    inbox_id: 0,
    event_id: facts.eventId,
    event_type: facts.eventType,
    delivery_id: deliveryId,
    resource_id: facts.resourceId,
  };
  // Sending to an app of one's own needs no credential.
  const environment = identityIfAny(session)?.environment.value ?? null;
  const parcel = {
    ...{ forward: 0, target: target.href, subject, warnings: [], message },
    ...{ attempts: 0, orderKey: null, created: 0 },
  };
  session.writeDown()(attemptRecord({ at: context.now(), parcel, attempt: 1, outcome, message, environment }));
  const { event_id, event_type } = subject;
  return { event_id, event_type, delivery_id: deliveryId, target: target.href, ...told(outcome) };
}

function told(
  outcome: Exclude<Outcome, { kind: 'stopped' }>,
): Pick<Delivered, 'status' | 'latency_ms' | 'error' | 'answer' | 'hint'> {
  const latency_ms = outcome.latencyMs;
  if (outcome.kind === 'answered')
    return { status: outcome.status, latency_ms, error: null, answer: outcome.answer, hint: null };
  const hint = outcome.kind === 'unconnected' ? outcome.hint : null;
  return { status: null, latency_ms, error: outcome.error, answer: null, hint };
}

/** Whether the app took it. */
export function taken({ status }: Delivered): boolean {
  return status !== null && status >= 200 && status < 300;
}
