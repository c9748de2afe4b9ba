/** Posting a signed delivery of one's own to an app, once: `webhooks send`, `webhooks trigger --forward`, `events replay`. */
import { Failure } from '../../failure.ts';
import type { DeliveryMessage, AttemptOutcome } from '../../webhooks/forward/target-client.ts';
import type { DeliverySubject } from '../../contract/listener-events.ts';
import type { Context } from '../context.ts';
import { optionalIdentity } from '../optional-identity.ts';
import type { Session } from '../session.ts';

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
export function newDeliveryId(context: Context): string {
  return `whd_${context.secureBytes(9).toString('base64url').replaceAll(/[-_]/g, '0')}`;
}

/** Posts, and writes it down. @throws Failure `interrupted` only; everything else is told in the result. */
export async function deliver(
  context: Context,
  session: Session,
  delivery: { target: URL; message: DeliveryMessage; deliveryId: string; timeoutMs: number },
): Promise<Delivered> {
  const { target, message, deliveryId } = delivery;
  const [{ sendOnce }, { eventFacts }, written] = await Promise.all([
    import('../../webhooks/forward/target-client.ts'),
    import('../../webhooks/inbox/event-facts.ts'),
    attemptWriter(context, session, target),
  ]);
  const { ticks, signal } = context;
  const outcome = await sendOnce({ target, message, timeoutMs: delivery.timeoutMs, ticks, signal });
  if (outcome.kind === 'stopped') throw new Failure('interrupted', 'stopped before the app answered');
  written(message, outcome, deliveryId);
  const facts = eventFacts(message.body);
  const { eventId: event_id, eventType: event_type } = facts;
  return { event_id, event_type, delivery_id: deliveryId, target: target.href, ...told(outcome) };
}

/** Writes down what was posted to that app. @returns for each attempt; the delivery id is that of the header where none is given */
export async function attemptWriter(context: Context, session: Session, target: URL) {
  const [{ attemptRecord }, { eventFacts }] = await Promise.all([
    import('../../webhooks/forward/journal-records.ts'),
    import('../../webhooks/inbox/event-facts.ts'),
  ]);
  // Sending to an app of one's own needs no credential.
  const environment = optionalIdentity(session)?.environment.value ?? null;
  return (message: DeliveryMessage, outcome: AttemptOutcome, deliveryId = deliveryOf(message)): void => {
    if (outcome.kind === 'stopped') return;
    const facts = eventFacts(message.body);
    const subject: DeliverySubject = {
      inbox_id: 0,
      event_id: facts.eventId,
      event_type: facts.eventType,
      delivery_id: deliveryId,
      resource_id: facts.resourceId,
    };
    const at = context.now();
    session.writeDown()(attemptRecord({ at, target: target.href, subject, attempt: 1, outcome, message, environment }));
  };
}

function deliveryOf({ headers }: DeliveryMessage): string | null {
  const at = headers.findIndex((name, n) => n % 2 === 0 && name.toLowerCase() === 'credicorp-delivery');
  return at === -1 ? null : (headers[at + 1] ?? null);
}

function told(
  outcome: Exclude<AttemptOutcome, { kind: 'stopped' }>,
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
