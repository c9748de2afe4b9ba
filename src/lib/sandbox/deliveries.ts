/** Each (event, endpoint) pair is one delivery: attempts on the schedule of webhooks.md#retry-schedule, signed anew each time. */
import { signatureHeader } from '../contract/signature.ts';
import { isoSeconds } from '../contract/time.ts';
import type { DeliveryKept, EndpointKept, EventKept } from './objects.ts';
import type { Receipt } from './sender.ts';
import { newId, planAt, save, type World } from './world.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Wait after each attempt before the next one (webhooks.md#retry-schedule). */
const RETRY_WAITS = [
  MINUTE,
  5 * MINUTE,
  30 * MINUTE,
  2 * HOUR,
  6 * HOUR,
  8 * HOUR,
  10 * HOUR,
  10 * HOUR,
  11 * HOUR,
  12 * HOUR,
  12 * HOUR,
] as const;

/** An event older than this is dropped for an endpoint. */
export const EVENT_LIFE_MS = 72 * HOUR;
/** Failures for this long disable an endpoint. */
const PATIENCE_MS = 7 * DAY;
/** Attempts under way per endpoint. */
export const ABREAST = 10;
/** Real time a receiver has. */
export const ATTEMPT_LIMIT_MS = 10_000;

/** Opens a delivery; its first attempt is due at once, or waits while the endpoint is disabled. */
export function open(world: World, event: EventKept, endpoint: EndpointKept): DeliveryKept {
  const now = world.clock.now();
  const held = endpoint.resource.status === 'disabled';
  const delivery: DeliveryKept = {
    n: world.deliveries.nextNumber(),
    project: event.project,
    resource: {
      id: newId(world, 'deliveries'),
      event_id: event.resource.id,
      event_type: event.resource.type,
      endpoint_id: endpoint.resource.id,
      url: endpoint.resource.url,
      status: held ? 'held' : 'pending',
      created: isoSeconds(now),
      next_attempt_at: held ? null : isoSeconds(now),
      attempts: [],
    },
    eventCreated: event.created,
    due: null,
    body: bodyFor(event, endpoint.resource.api_version),
  };
  world.deliveries.add(delivery);
  schedule(world, delivery, held ? event.created + EVENT_LIFE_MS : now);
  return delivery;
}

/** Moves the next attempt to another instant. */
export function postpone(world: World, delivery: DeliveryKept, due: number): void {
  delivery.resource.next_attempt_at = isoSeconds(due);
  schedule(world, delivery, due);
}

function schedule(world: World, delivery: DeliveryKept, due: number): void {
  delivery.due = due;
  save(world, 'deliveries', delivery);
  planAt(world, 'deliver', delivery.resource.id, due);
}

/** The endpoint's schema date is echoed; the payload has one shape for all dates (webhooks.md#event-envelope). */
function bodyFor(event: EventKept, apiVersion: string): string {
  return JSON.stringify({ ...event.resource, api_version: apiVersion });
}

/** The headers of one attempt (webhooks.md#signature-scheme, webhooks.md#delivery); `t` in unix seconds, always real time (sandbox.md#webhook-delivery). */
export function attemptHeaders(
  world: World,
  delivery: DeliveryKept,
  secrets: readonly string[],
  t: number,
): Record<string, string> {
  const debug = {
    'Credicorp-Event-Id': delivery.resource.event_id,
    'Credicorp-Attempt': String(delivery.resource.attempts.length + 1),
  };
  return {
    'Content-Type': 'application/json',
    'User-Agent': 'Credicorp-Sandbox-Webhooks/1',
    'Credicorp-Signature': signatureHeader({ secrets, t, body: Buffer.from(delivery.body) }),
    'Credicorp-Delivery': delivery.resource.id,
    ...(world.settings.webhookDebugHeaders ? debug : {}),
  };
}

/** The secrets that sign now: two during the 24 h after a rotation (webhooks.md#secret-rotation). */
export function signingSecrets(world: World, endpoint: EndpointKept): string[] {
  const { secret, previous } = endpoint;
  if (previous === null || previous.until <= world.clock.now()) return [secret];
  return world.settings.v1Order === 'new-first' ? [secret, previous.secret] : [previous.secret, secret];
}

export interface AttemptFacts {
  /** Sandbox milliseconds at the start of the attempt. */
  at: number;
  /** Signed time in unix seconds. */
  t: number;
  durationMs: number;
  v1Count: number;
}

/** Writes an attempt down and decides what follows it. */
export function conclude(world: World, delivery: DeliveryKept, receipt: Receipt, facts: AttemptFacts): void {
  const { resource } = delivery;
  resource.attempts.push({
    n: resource.attempts.length + 1,
    at: isoSeconds(facts.at),
    t: facts.t,
    status: receipt.status,
    error: receipt.error,
    duration_ms: facts.durationMs,
    v1_count: facts.v1Count,
  });
  const endpoint = world.webhook_endpoints.get(resource.endpoint_id);
  if (receipt.error === null && receipt.status >= 200 && receipt.status < 300) {
    finish(world, delivery, 'delivered');
    if (endpoint) noteSuccess(world, endpoint);
  } else if (endpoint === undefined) finish(world, delivery, 'abandoned');
  else {
    noteFailure(world, endpoint, facts.at);
    retry(world, delivery, endpoint, facts.at);
  }
  for (const watcher of world.watchers) watcher.delivery(delivery);
}

function retry(world: World, delivery: DeliveryKept, endpoint: EndpointKept, attemptedAt: number): void {
  const wait = RETRY_WAITS[delivery.resource.attempts.length - 1];
  const due = attemptedAt + (wait ?? 0);
  if (wait === undefined || due - delivery.eventCreated >= EVENT_LIFE_MS) finish(world, delivery, 'abandoned');
  else if (endpoint.resource.status === 'disabled') hold(world, delivery);
  else postpone(world, delivery, due);
}

/** Ends a delivery. */
export function finish(world: World, delivery: DeliveryKept, status: 'delivered' | 'abandoned'): void {
  delivery.resource.status = status;
  delivery.resource.next_attempt_at = null;
  delivery.due = null;
  save(world, 'deliveries', delivery);
}

/** No attempt while the endpoint is disabled; given up when the event is too old. */
export function hold(world: World, delivery: DeliveryKept): void {
  delivery.resource.status = 'held';
  delivery.resource.next_attempt_at = null;
  schedule(world, delivery, delivery.eventCreated + EVENT_LIFE_MS);
}

/** An endpoint that was disabled by hand gets no attempts from now on. */
export function holdAll(world: World, endpointId: string): void {
  for (const delivery of waitingFor(world, endpointId))
    if (delivery.resource.status === 'pending') hold(world, delivery);
}

/** What waits for an endpoint that was deleted is given up (sandbox.md#webhook-delivery). */
export function abandonAll(world: World, endpointId: string): void {
  for (const delivery of waitingFor(world, endpointId)) finish(world, delivery, 'abandoned');
}

/** What was held for an endpoint that is enabled again goes out, if it is still young (webhooks.md#webhook-endpoints). */
export function release(world: World, endpoint: EndpointKept): void {
  const now = world.clock.now();
  for (const delivery of waitingFor(world, endpoint.resource.id)) {
    if (delivery.resource.status !== 'held') continue;
    if (now - delivery.eventCreated >= EVENT_LIFE_MS) finish(world, delivery, 'abandoned');
    else {
      delivery.resource.status = 'pending';
      delivery.resource.next_attempt_at = isoSeconds(now);
      schedule(world, delivery, now);
    }
  }
}

function waitingFor(world: World, endpointId: string): DeliveryKept[] {
  return world.deliveries
    .all()
    .filter((delivery) => delivery.resource.endpoint_id === endpointId && isWaiting(delivery));
}

/** True while attempts may follow. */
export function isWaiting({ resource: { status } }: DeliveryKept): boolean {
  return status === 'pending' || status === 'held';
}

function noteSuccess(world: World, endpoint: EndpointKept): void {
  if (endpoint.failingSince === null) return;
  endpoint.failingSince = null;
  save(world, 'webhook_endpoints', endpoint);
}

function noteFailure(world: World, endpoint: EndpointKept, at: number): void {
  endpoint.failingSince ??= at;
  if (at - endpoint.failingSince >= PATIENCE_MS && endpoint.resource.status === 'enabled') {
    endpoint.resource.status = 'disabled';
    endpoint.resource.disabled_reason = 'delivery_failures';
  }
  save(world, 'webhook_endpoints', endpoint);
}
