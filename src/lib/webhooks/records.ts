/** What the listener hands to the journal: one line for each delivery that came in and one for each attempt to forward it. */
import { BLANK_RECORD, type ExchangeRecord } from '../contract/exchange.ts';
import type { EventFacts } from './event-facts.ts';
import { type Message, type Outcome, partsOf } from './forward.ts';
import type { Parcel } from './parcel.ts';
import type { Incoming } from './receiver.ts';

/** In place of the real path, which is a capability: whoever knows it can knock at the receiver. */
export const RECEIVER_PATH = '/(receiver)';

/** Characters of a body that are handed over; the journal may keep fewer. */
const BODY_CHARACTERS = 64 * 1024;

/** @param note why it was refused; null when it was taken. */
export function deliveryRecord(input: {
  incoming: Incoming;
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

export function attemptRecord(input: {
  at: number;
  parcel: Parcel;
  attempt: number;
  outcome: Exclude<Outcome, { kind: 'stopped' }>;
  message: Message | null;
  environment: string | null;
}): ExchangeRecord {
  const { parcel, outcome, message } = input;
  const url = partsOf(parcel.target);
  const answered = outcome.kind === 'answered' ? outcome : null;
  return {
    ...blank(input.environment),
    at: input.at - outcome.latencyMs,
    path: url.path,
    origin: url.origin,
    status: answered?.status ?? null,
    latencyMs: outcome.latencyMs,
    attempt: input.attempt,
    eventId: parcel.subject.event_id,
    eventType: parcel.subject.event_type,
    deliveryId: parcel.subject.delivery_id,
    resourceId: parcel.subject.resource_id,
    note: outcome.kind === 'answered' ? null : outcome.error.replaceAll('_', ' '),
    requestHeaders: message === null ? {} : headerRecord(message.headers),
    requestBody: message === null ? null : text(message.body),
    responseHeaders: answered?.headers ?? {},
    responseBody: answered?.answer ?? null,
  };
}

/** Deliveries are posted: only the path tells where to. */
function blank(environment: string | null) {
  return { ...BLANK_RECORD, source: 'listener', environment, method: 'POST', origin: null } as const;
}

/** One delivery is written down several times: as it came in, and for each attempt. Its headers are read once. */
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
  return Buffer.from(body.buffer, body.byteOffset, Math.min(body.byteLength, BODY_CHARACTERS)).toString('utf8');
}
