/** Posts one signed delivery to an app, once: `webhooks send`, `webhooks trigger --forward`, `events replay`. */
import { parseJson, writeJson } from '../../contract/json.ts';
import { signatureOf } from '../../contract/signature.ts';
import type { DeliverySubject } from '../../contract/listener-events.ts';
import { Failure, usage } from '../../failure.ts';
import type { DeliveryMessage, AttemptOutcome } from '../../webhooks/forward/target-client.ts';
import type { Context } from '../context.ts';
import { optionalIdentity } from '../optional-identity.ts';
import type { Session } from '../session.ts';
import { editText } from '../system/user-commands.ts';
import { eventOf, type FoundDelivery } from './local-inbox.ts';

/** The result of one delivery, as these commands print it. */
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

/** A new delivery id, in the same form as the sender's. */
export function newDeliveryId(context: Context): string {
  return `whd_${context.secureBytes(9).toString('base64url').replaceAll(/[-_]/g, '0')}`;
}

/** Posts one delivery and records it in the journal. @throws Failure `interrupted` only; other failures are in the result */
export async function deliver(
  context: Context,
  session: Session,
  delivery: { target: URL; message: DeliveryMessage; deliveryId: string; timeoutMs: number },
): Promise<Delivered> {
  const { target, message, deliveryId } = delivery;
  const [{ sendOnce }, { eventFacts }, written] = await Promise.all([
    import('../../webhooks/forward/target-client.ts'),
    import('../../webhooks/inbox/inbox.ts'),
    attemptWriter(context, session, target),
  ]);
  const { ticks, signal } = context;
  const outcome = await sendOnce({ target, message, timeoutMs: delivery.timeoutMs, ticks, signal });
  if (outcome.kind === 'stopped') throw new Failure('interrupted', 'stopped before the app answered');
  written(message, outcome, deliveryId);
  const facts = eventFacts(message.body);
  const { eventId: event_id, eventType: event_type } = facts;
  return { event_id, event_type, delivery_id: deliveryId, target: target.href, ...resultMembers(outcome) };
}

/** @returns a function that records one attempt to post to that app; the delivery id defaults to that of the header */
export async function attemptWriter(context: Context, session: Session, target: URL) {
  const [{ attemptRecord }, { eventFacts }] = await Promise.all([
    import('../../webhooks/forward/forwarder.ts'),
    import('../../webhooks/inbox/inbox.ts'),
  ]);
  // No credential is needed to post to one's own app.
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
    session.exchangeRecorder()(
      attemptRecord({ at, target: target.href, subject, attempt: 1, outcome, message, environment }),
    );
  };
}

function deliveryOf({ headers }: DeliveryMessage): string | null {
  const at = headers.findIndex((name, n) => n % 2 === 0 && name.toLowerCase() === 'credicorp-delivery');
  return at === -1 ? null : (headers[at + 1] ?? null);
}

function resultMembers(
  outcome: Exclude<AttemptOutcome, { kind: 'stopped' }>,
): Pick<Delivered, 'status' | 'latency_ms' | 'error' | 'answer' | 'hint'> {
  const latency_ms = outcome.latencyMs;
  if (outcome.kind === 'answered')
    return { status: outcome.status, latency_ms, error: null, answer: outcome.answer, hint: null };
  const hint = outcome.kind === 'unconnected' ? outcome.hint : null;
  return { status: null, latency_ms, error: outcome.error, answer: null, hint };
}

/** Whether the app answered 2xx. */
export function isAccepted({ status }: Delivered): boolean {
  return status !== null && status >= 200 && status < 300;
}

/** The targets it was forwarded to. @throws Failure `usage` when there are none */
export function targetsOf({ entry }: FoundDelivery): URL[] {
  const targets = [...new Set(entry.forwards.map(({ target }) => target))].map((target) => new URL(target));
  if (targets.length > 0) return targets;
  throw usage(`delivery ${entry.inbox_id} was not forwarded to any target`, {
    param: '--forward',
    next: 'give a target: --forward localhost:3000/hook',
  });
}

/**
 * Posts a stored delivery again, with a new delivery id and signature. Where the app accepts it, unchanged, it is settled at that target.
 * @throws Failure `interrupted` only
 */
export async function replayOnce(
  context: Context,
  session: Session,
  found: FoundDelivery,
  how: { target: URL; body: Uint8Array; secrets: readonly string[]; timeoutMs: number },
): Promise<Delivered> {
  const { resignedMessage } = await import('../../webhooks/forward/signed-delivery.ts');
  const { target, body, secrets, timeoutMs } = how;
  const deliveryId = newDeliveryId(context);
  const t = Math.floor(context.now() / 1000);
  const message = resignedMessage(found, { body, secrets, t, deliveryId });
  const sent = await deliver(context, session, { target, message, deliveryId, timeoutMs });
  if (sent.status !== null && isAccepted(sent) && Buffer.compare(body, found.body) === 0) {
    const { settleDelivered } = await import('../../webhooks/inbox/settle.ts');
    const { status, latency_ms: latencyMs, answer } = sent;
    const signature = signatureOf(message.headers);
    const accepted = { target: target.href, at: context.now(), status, latencyMs, answer, signature };
    settleDelivered(session.store(), found.entry.inbox_id, accepted);
  }
  return sent;
}

/** Lets the user edit the event: indented in the editor, compact again when sent, numbers unchanged. @throws Failure `usage` */
export async function editedBody(context: Context, { entry, body }: FoundDelivery): Promise<Buffer> {
  const event = eventOf(body);
  const before = event === null ? Buffer.from(body).toString('utf8') : `${writeJson(event, 2)}\n`;
  const text = await editText(
    context,
    `${entry.event_id ?? `delivery-${entry.inbox_id}`}.json`.replaceAll(/[^\w.-]/g, '_'),
    before,
  );
  if (event === null) return Buffer.from(text);
  try {
    return Buffer.from(writeJson(parseJson(text)));
  } catch (error) {
    throw usage('the edited event is not valid JSON; nothing was sent', { code: 'not_json' }, error);
  }
}
