/** Reads the members of a delivery's body that a listener needs to deduplicate, route and order it (webhooks.md#event-envelope), and tests whether it matches `webhooks expect`. */
import { eventMatches } from '../../contract/events.ts';
import { isRecord, parseJson, scalarText } from '../../contract/json.ts';

export interface EventFacts {
  eventId: string | null;
  eventType: string | null;
  /** The id of the resource the event is about. */
  resourceId: string | null;
  /** Events with the same key are kept in order: the application if the event has one, else the resource. */
  orderKey: string | null;
  /** `created` in milliseconds since the epoch; 0 when it is absent or unreadable. */
  created: number;
}

const NOTHING: EventFacts = { eventId: null, eventType: null, resourceId: null, orderKey: null, created: 0 };

/** Facts of a body; null members when it is not an event. */
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

/** The member of `data` with the resource id, for each family (webhooks.md#event-catalogue). */
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

/** Accepts ISO 8601 and epoch seconds (webhooks.md#conflicts). */
function instant(value: unknown): number {
  if (typeof value === 'number') return Number.isFinite(value) ? value * 1000 : 0;
  return typeof value === 'string' ? Date.parse(value) || 0 : 0;
}

/** Ids and types are short; longer text is ignored, so that it does not enlarge the index. */
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

/** A condition of `--where`. */
export interface EventCondition {
  /** Dotted, from the envelope's root; a number steps into a list. */
  path: string;
  /** The scalar's source text in the body. */
  value: string;
}

/** Whether the body is an event of one of the types (none: any type) and meets every condition. */
export function eventFits(body: Uint8Array, types: readonly string[], where: readonly EventCondition[]): boolean {
  const event = parseExactly(body);
  if (!isRecord(event)) return false;
  const type = typeof event['type'] === 'string' ? event['type'] : '';
  if (types.length > 0 && !types.some((pattern) => eventMatches(pattern, type))) return false;
  return where.every(({ path, value }) => {
    const found = valueAt(event, path);
    return found !== undefined && (found === null ? value === 'null' : scalarText(found) === value);
  });
}

function valueAt(root: unknown, path: string): unknown {
  return path.split('.').reduce<unknown>((value, key) => {
    if (Array.isArray(value)) return /^\d{1,6}$/.test(key) ? value[Number(key)] : undefined;
    return isRecord(value) && Object.hasOwn(value, key) ? value[key] : undefined;
  }, root);
}

/** Parses a body without changing its numbers. */
function parseExactly(body: Uint8Array): unknown {
  try {
    return parseJson(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8'));
  } catch {
    return null;
  }
}
