/**
 * The event catalogue (webhooks.md#event-envelope, webhooks.md#event-catalogue) as plain data: types, which of them the sandbox emits by itself, and the wildcard rule
 * of endpoints. Sample payloads are in `event-samples`.
 */

import { isRecord, parseJson, scalarText } from './json.ts';

export interface EventEntry {
  /** The sandbox emits it by itself; the others are sent only by `webhooks trigger`. */
  emitted: boolean;
  firesWhen: string;
}

/** Every known type, emitted ones first, in the order of the page. New types may appear: readers ignore unknown ones. */
export const EVENT_TYPES = {
  'application.submitted': { emitted: true, firesWhen: 'the applicant completes the journey' },
  'application.updated': { emitted: true, firesWhen: 'the status of an application changes' },
  'application.funded': { emitted: true, firesWhen: 'money was released and the account exists' },
  'decision.completed': {
    emitted: true,
    firesWhen: 'a decision is made, and again after a referral or refresh',
  },
  'payment.settled': { emitted: true, firesWhen: 'a payment or repayment clears' },
  'payment.failed': { emitted: true, firesWhen: 'a payment attempt fails' },
  'account.updated': { emitted: true, firesWhen: 'the balance, arrears or schedule of an account changes' },
  'identity.check.completed': { emitted: true, firesWhen: 'an identity check is no longer pending' },
  'enquiry.created': { emitted: false, firesWhen: 'an enquiry was sent in' },
  'enquiry.updated': { emitted: false, firesWhen: 'the status of an enquiry changed' },
  'decision.referred': { emitted: false, firesWhen: 'a decision was referred; read as decision.completed' },
  'loan.activated': { emitted: false, firesWhen: 'a loan became active' },
  'loan.closed': { emitted: false, firesWhen: 'a loan was closed' },
  'payment.succeeded': { emitted: false, firesWhen: 'a payment cleared; read as payment.settled' },
  'consent.granted': { emitted: false, firesWhen: 'a consent was given' },
  'consent.withdrawn': { emitted: false, firesWhen: 'a consent was withdrawn' },
} as const satisfies Record<string, EventEntry>;

export type EventType = keyof typeof EVENT_TYPES;

/** The API version that an endpoint gets by default (webhooks.md#webhook-endpoints). */
export const DEFAULT_API_VERSION = '2026-07-01';

export interface EventEnvelope {
  id: string;
  type: string;
  created: string;
  livemode: boolean;
  api_version: string;
  data: Record<string, unknown>;
}

export function isEventType(type: string): type is EventType {
  return Object.hasOwn(EVENT_TYPES, type);
}

/** Exact type, `*`, or a family such as `payment.*` (webhooks.md#webhook-endpoints). */
export function eventMatches(pattern: string, type: string): boolean {
  if (pattern === '*' || pattern === type) return true;
  return pattern.endsWith('.*') && type.startsWith(pattern.slice(0, -1));
}

/** True when an endpoint may subscribe to it: a known type, `*`, or the family of a known type. */
export function isEventPattern(pattern: string): boolean {
  return Object.keys(EVENT_TYPES).some((type) => eventMatches(pattern, type));
}

/** The type that a receiver should treat the event as: `decision.referred` as `decision.completed`, `payment.succeeded` as `payment.settled` (webhooks.md#event-catalogue). */
export function readAs(type: string): string {
  if (type === 'decision.referred') return 'decision.completed';
  if (type === 'payment.succeeded') return 'payment.settled';
  return type;
}

/**
 * Sets the value at a dotted path of an event. A key that exists both in `data` and in `data.object` is set in both; `id` and
 * `type` cannot be set. False when the path is refused (sandbox.md#admin-routes).
 */
export function setInEvent(event: EventEnvelope, path: string, value: unknown): boolean {
  const keys = path.split('.');
  if (keys.length > 8 || keys.some((key) => key === '' || FORBIDDEN.has(key))) return false;
  if (path === 'id' || path === 'type') return false;
  const twin = twinOf(event, keys);
  put(event, keys, value);
  if (twin) put(event, twin, value);
  return true;
}

const FORBIDDEN = new Set(['__proto__', 'constructor', 'prototype']);

function twinOf(event: EventEnvelope, keys: string[]): string[] | null {
  const object = event.data['object'];
  const inObject = keys[0] === 'data' && keys[1] === 'object' && keys.length === 3;
  const inData = keys[0] === 'data' && keys.length === 2;
  const last = keys.at(-1) ?? '';
  if (!isPlain(object) || !Object.hasOwn(object, last) || !Object.hasOwn(event.data, last)) return null;
  if (inObject) return ['data', last];
  return inData ? ['data', 'object', last] : null;
}

function put(root: object, keys: string[], value: unknown): void {
  let at: Record<string, unknown> = Object.assign(root);
  for (const key of keys.slice(0, -1)) {
    const next = at[key];
    const child: Record<string, unknown> = isPlain(next) ? next : {};
    at[key] = child;
    at = child;
  }
  at[keys.at(-1) ?? ''] = value;
}

function isPlain(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
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
