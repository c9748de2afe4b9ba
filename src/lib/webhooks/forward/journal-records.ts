/** The listener's journal records: one for each delivery received, one for each attempt to forward it. */
import { BLANK_RECORD, type ExchangeRecord } from '../../contract/exchange.ts';
import type { DeliverySubject } from '../../contract/listener-events.ts';
import type { EventFacts } from '../inbox/event-facts.ts';
import { type AttemptOutcome, type DeliveryMessage, splitTarget } from './target-client.ts';

/** Recorded instead of the receiver's real path, which is secret: whoever knows it can post to the receiver. */
export const RECEIVER_PATH = '/(receiver)';

/** Bytes of a body that are passed on; the journal may keep fewer. */
const BODY_BYTES = 64 * 1024;

/** The record of a received delivery. @param note why it was refused; null when it was stored */
export function receivedRecord(input: {
  incoming: { receivedAt: number; deliveryId: string | null; headers: readonly string[]; body: Uint8Array };
  facts: EventFacts | null;
  status: number;
  note: string | null;
  environment: string | null;
  now: number;
}): ExchangeRecord {
  const { incoming, facts } = input;
  return {
    ...blank(input.environment),
    at: incoming.receivedAt,
    path: RECEIVER_PATH,
    status: input.status,
    latencyMs: Math.max(0, input.now - incoming.receivedAt),
    eventId: facts?.eventId ?? null,
    eventType: facts?.eventType ?? null,
    resourceId: facts?.resourceId ?? null,
    deliveryId: incoming.deliveryId,
    note: input.note,
    requestHeaders: headerRecord(incoming.headers),
    requestBody: text(incoming.body),
  };
}

/** The record of one attempt to forward a delivery. */
export function attemptRecord(input: {
  at: number;
  target: string;
  subject: DeliverySubject;
  attempt: number;
  outcome: Exclude<AttemptOutcome, { kind: 'stopped' }>;
  message: DeliveryMessage | null;
  environment: string | null;
}): ExchangeRecord {
  const { subject, outcome, message } = input;
  const url = splitTarget(input.target);
  const answered = outcome.kind === 'answered' ? outcome : null;
  return {
    ...blank(input.environment),
    at: input.at - outcome.latencyMs,
    path: url.path,
    origin: url.origin,
    status: answered?.status ?? null,
    latencyMs: outcome.latencyMs,
    attempt: input.attempt,
    eventId: subject.event_id,
    eventType: subject.event_type,
    deliveryId: subject.delivery_id,
    resourceId: subject.resource_id,
    note: outcome.kind === 'answered' ? null : outcome.error.replaceAll('_', ' '),
    requestHeaders: message === null ? {} : headerRecord(message.headers),
    requestBody: message === null ? null : text(message.body),
    responseHeaders: answered?.headers ?? {},
    responseBody: answered?.answer ?? null,
  };
}

/** What all listener records share. */
function blank(environment: string | null) {
  return { ...BLANK_RECORD, source: 'listener', environment, method: 'POST', origin: null } as const;
}

/** Headers already converted: one delivery is recorded when received and again for each attempt. */
const read = new WeakMap<readonly string[], Record<string, string>>();

function headerRecord(headers: readonly string[]): Record<string, string> {
  const found = read.get(headers);
  if (found !== undefined) return found;
  const entries = new Map<string, string>();
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = (headers[i] ?? '').toLowerCase();
    const earlier = entries.get(name);
    const value = headers[i + 1] ?? '';
    entries.set(name, earlier === undefined ? value : `${earlier}, ${value}`);
  }
  // Unlike assignment this keeps a header named `__proto__` a header.
  const record = Object.fromEntries(entries);
  read.set(headers, record);
  return record;
}

function text(body: Uint8Array): string {
  return Buffer.from(body.buffer, body.byteOffset, Math.min(body.byteLength, BODY_BYTES)).toString('utf8');
}
