/** What the listener needs to know of a body: enough to dedupe, route and order, never more (webhooks.md#event-envelope). */
import { isRecord } from '../contract/json.ts';

export interface EventFacts {
  eventId: string | null;
  eventType: string | null;
  /** The id of the resource the event is about. */
  resourceId: string | null;
  /** Events with the same key are kept in order: the application where one is named, else the resource. */
  orderKey: string | null;
  /** `created` in milliseconds since the epoch; 0 when it is absent or unreadable. */
  created: number;
}

const NOTHING: EventFacts = { eventId: null, eventType: null, resourceId: null, orderKey: null, created: 0 };

/** Reads a body of any kind; what is not an event gives nulls. */
export function eventFacts(body: Uint8Array): EventFacts {
  const event = parse(body);
  if (!isRecord(event)) return NOTHING;
  const data = isRecord(event['data']) ? event['data'] : {};
  const object = isRecord(data['object']) ? data['object'] : {};
  const eventType = text(event['type']);
  const resourceId = resourceOf(eventType, data, object);
  return {
    eventId: text(event['id']),
    eventType,
    resourceId,
    orderKey: text(data['application_id']) ?? text(object['application_id']) ?? resourceId,
    created: instant(event['created'] ?? event['created_at']),
  };
}

/** Flat key of each family, in the catalogue's words (webhooks.md#event-catalogue). */
const FLAT_KEYS: Record<string, string> = {
  application: 'application_id',
  decision: 'decision_id',
  payment: 'payment_id',
  account: 'account_id',
  identity: 'identity_check_id',
};

/** Id from the flat key, else `data.object.<same>`, else `data.object.id`. */
function resourceOf(
  type: string | null,
  data: Record<string, unknown>,
  object: Record<string, unknown>,
): string | null {
  const flat = FLAT_KEYS[type?.split('.', 1)[0] ?? ''];
  const named = flat === undefined ? null : (text(data[flat]) ?? text(object[flat]));
  return named ?? text(object['id']);
}

/** Both ISO 8601 and epoch seconds are read (webhooks.md#conflicts). */
function instant(value: unknown): number {
  if (typeof value === 'number') return Number.isFinite(value) ? value * 1000 : 0;
  return typeof value === 'string' ? Date.parse(value) || 0 : 0;
}

/** Ids and types are short; anything else is not one, and must not grow the index. */
function text(value: unknown): string | null {
  return typeof value === 'string' && value !== '' && value.length <= 255 ? value : null;
}

function parse(body: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8'));
  } catch {
    return null;
  }
}
