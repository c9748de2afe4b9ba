/** Which events a person asked for: types, families, and values at dotted paths. */
import { eventMatches } from '../contract/events.ts';
import { isRecord, parseJson, scalarText } from '../contract/json.ts';
import { usage } from '../failure.ts';

export interface Where {
  /** Dotted, from the envelope's root; a number steps into a list. */
  path: string;
  /** The scalar's own text, as it stands in the body. */
  value: string;
}

/** `data.outcome=approved` → condition. @throws Failure `usage` */
export function parseWhere(text: string): Where {
  const equals = text.indexOf('=');
  if (equals < 1) {
    throw usage('--where needs path=value', {
      code: 'bad_where',
      param: '--where',
      next: 'for example --where data.outcome=approved',
    });
  }
  return { path: text.slice(0, equals).trim(), value: text.slice(equals + 1) };
}

/** True when the body is an event of one of the types (none: any type) and every condition holds. */
export function eventFits(body: Uint8Array, types: readonly string[], where: readonly Where[]): boolean {
  const event = parse(body);
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

function parse(body: Uint8Array): unknown {
  try {
    return parseJson(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8'));
  } catch {
    return null;
  }
}
