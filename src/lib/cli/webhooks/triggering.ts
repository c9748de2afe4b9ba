/** Events made on request: by the embedded sandbox's own machinery, or signed here and posted to an app. */
import { sampleEvent } from '../../contract/event-samples.ts';
import { EVENT_TYPES, type EventEnvelope, isEventType, setInEvent } from '../../contract/events.ts';
import { parseJson } from '../../contract/json.ts';
import { isoSeconds } from '../../contract/time.ts';
import { usage } from '../../failure.ts';
import type { Context } from '../context.ts';
import type { Pair } from '../flags.ts';
import { suggest } from '../suggest.ts';
import { askSandbox } from '../admin-command.ts';
import type { Session } from '../session.ts';

/** `--set` values as JSON where they are JSON, as text otherwise; a text that looks like a number is written `'"5"'`. */
export function setsOf(pairs: readonly Pair[] | undefined): Record<string, unknown> {
  return Object.fromEntries((pairs ?? []).map(({ key, value }) => [key, valueOf(value)]));
}

function valueOf(text: string): unknown {
  try {
    return parseJson(text);
  } catch {
    return text;
  }
}

/** @throws Failure `usage` for a type the catalogue does not have, with the nearest that it has */
export function checkedType(type: string): keyof typeof EVENT_TYPES {
  if (isEventType(type)) return type;
  const guess = suggest(type, Object.keys(EVENT_TYPES));
  throw usage(`there is no event type ${JSON.stringify(type.slice(0, 60))}`, {
    code: 'unknown_event_type',
    param: 'type',
    next: guess ? `did you mean ${guess}` : `types: ${Object.keys(EVENT_TYPES).join(', ')}`,
  });
}

/** A sample event with fresh ids. @throws Failure `usage` for a path that is not to be set */
export function composeEvent(context: Context, type: string, sets: Record<string, unknown>): EventEnvelope {
  const fresh = (prefix: string): string =>
    `${prefix}${context.secureBytes(12).toString('base64').replaceAll(/[+/]/g, '0').slice(0, 12)}`;
  const event = sampleEvent(checkedType(type), { id: fresh('evt_'), created: isoSeconds(context.now()) }, fresh);
  for (const [path, value] of Object.entries(sets)) {
    if (!setInEvent(event, path, value))
      throw usage(`${JSON.stringify(path.slice(0, 60))} cannot be set`, {
        param: '--set',
        next: 'paths start at the envelope: --set data.outcome=declined; id and type stay',
      });
  }
  return event;
}

export interface Order {
  type: string;
  set: Record<string, unknown>;
  count?: number | undefined;
  object_id?: string | undefined;
  endpoint?: string | undefined;
}

/**
 * Real events through the sandbox's delivery machinery. @returns the events.
 * @throws Failure `usage` where there is no embedded sandbox behind the profile: the hosted API documents no test sends.
 */
export async function orderEvents(context: Context, session: Session, order: Order): Promise<unknown> {
  const { environment, base } = session.identity;
  if (environment.value !== 'local') {
    throw usage(`the ${environment.value} API documents no way to send a test event`, {
      code: 'not_embedded',
      next: 'sign and post one yourself with --forward localhost:3000/hook, or use the embedded sandbox',
    });
  }
  const given = Object.entries(order).filter(([, value]) => value !== undefined);
  return askSandbox(context, session, base.value, { method: 'POST', path: '/events', body: Object.fromEntries(given) });
}
