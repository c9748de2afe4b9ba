/** Each (event, endpoint) pair is one delivery: attempts on the schedule of webhooks.md#retry-schedule, each with a new signature. */
import { signatureHeader } from '../../contract/signature.ts';
import { isoSeconds } from '../../contract/time.ts';
import { type DeliveryKept, type EndpointKept, EVENT_LIFE_MS, type EventKept, isWaiting } from '../state/objects.ts';
import { newId, planAt, type SandboxState, save } from '../state/state.ts';
import type { DeliveryResult } from './sender.ts';

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

/** Failures for this long disable an endpoint. */
const PATIENCE_MS = 7 * DAY;
/** Attempts under way per endpoint. */
export const ABREAST = 10;
/** Real time a receiver has. */
export const ATTEMPT_LIMIT_MS = 10_000;

/** Opens a delivery; its first attempt is due at once, or waits while the endpoint is disabled. */
export function openDelivery(state: SandboxState, event: EventKept, endpoint: EndpointKept): DeliveryKept {
  const now = state.clock.now();
  const held = endpoint.resource.status === 'disabled';
  const delivery: DeliveryKept = {
    n: state.deliveries.nextNumber(),
    project: event.project,
    resource: {
      id: newId(state, 'deliveries'),
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
  state.deliveries.add(delivery);
  schedule(state, delivery, held ? event.created + EVENT_LIFE_MS : now);
  return delivery;
}

/** Reschedules the next attempt. */
export function postpone(state: SandboxState, delivery: DeliveryKept, due: number): void {
  delivery.resource.next_attempt_at = isoSeconds(due);
  schedule(state, delivery, due);
}

function schedule(state: SandboxState, delivery: DeliveryKept, due: number): void {
  delivery.due = due;
  save(state, 'deliveries', delivery);
  planAt(state, 'deliver', delivery.resource.id, due);
}

/** The endpoint's schema date is echoed; the payload has one shape for all dates (webhooks.md#event-envelope). */
function bodyFor(event: EventKept, apiVersion: string): string {
  return JSON.stringify({ ...event.resource, api_version: apiVersion });
}

/** The headers of one attempt (webhooks.md#signature-scheme, webhooks.md#delivery); `t` in unix seconds, always real time (sandbox.md#webhook-delivery). */
export function attemptHeaders(
  state: SandboxState,
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
    ...(state.settings.webhookDebugHeaders ? debug : {}),
  };
}

/** The secrets that sign now: two during the 24 h after a rotation (webhooks.md#secret-rotation). */
export function endpointSecrets(state: SandboxState, endpoint: EndpointKept): string[] {
  const { secret, previous } = endpoint;
  if (previous === null || previous.until <= state.clock.now()) return [secret];
  return state.settings.v1Order === 'new-first' ? [secret, previous.secret] : [previous.secret, secret];
}

export interface AttemptFacts {
  /** Sandbox milliseconds at the start of the attempt. */
  at: number;
  /** Signed time in unix seconds. */
  t: number;
  durationMs: number;
  v1Count: number;
}

/** Records an attempt and decides what follows: delivered, another attempt, held or abandoned. */
export function conclude(
  state: SandboxState,
  delivery: DeliveryKept,
  result: DeliveryResult,
  facts: AttemptFacts,
): void {
  const { resource } = delivery;
  resource.attempts.push({
    n: resource.attempts.length + 1,
    at: isoSeconds(facts.at),
    t: facts.t,
    status: result.status,
    error: result.error,
    duration_ms: facts.durationMs,
    v1_count: facts.v1Count,
  });
  const endpoint = state.webhook_endpoints.get(resource.endpoint_id);
  if (result.error === null && result.status >= 200 && result.status < 300) {
    finish(state, delivery, 'delivered');
    if (endpoint) noteSuccess(state, endpoint);
  } else if (endpoint === undefined) finish(state, delivery, 'abandoned');
  else {
    noteFailure(state, endpoint, facts.at);
    retry(state, delivery, endpoint, facts.at);
  }
  for (const watcher of state.watchers) watcher.delivery(delivery);
}

function retry(state: SandboxState, delivery: DeliveryKept, endpoint: EndpointKept, attemptedAt: number): void {
  const wait = RETRY_WAITS[delivery.resource.attempts.length - 1];
  const due = attemptedAt + (wait ?? 0);
  if (wait === undefined || due - delivery.eventCreated >= EVENT_LIFE_MS) finish(state, delivery, 'abandoned');
  else if (endpoint.resource.status === 'disabled') hold(state, delivery);
  else postpone(state, delivery, due);
}

/** Ends a delivery. */
export function finish(state: SandboxState, delivery: DeliveryKept, status: 'delivered' | 'abandoned'): void {
  delivery.resource.status = status;
  delivery.resource.next_attempt_at = null;
  delivery.due = null;
  save(state, 'deliveries', delivery);
}

/** No attempt while the endpoint is disabled; given up when the event is too old. */
export function hold(state: SandboxState, delivery: DeliveryKept): void {
  delivery.resource.status = 'held';
  delivery.resource.next_attempt_at = null;
  schedule(state, delivery, delivery.eventCreated + EVENT_LIFE_MS);
}

/** Holds everything that waits for an endpoint which was disabled by hand. */
export function holdAll(state: SandboxState, endpointId: string): void {
  for (const delivery of waitingFor(state, endpointId))
    if (delivery.resource.status === 'pending') hold(state, delivery);
}

/** Gives up everything that waits for an endpoint which was deleted (sandbox.md#webhook-delivery). */
export function abandonAll(state: SandboxState, endpointId: string): void {
  for (const delivery of waitingFor(state, endpointId)) finish(state, delivery, 'abandoned');
}

/** Sends what was held for an endpoint that is enabled again, if it is not too old (webhooks.md#webhook-endpoints). */
export function release(state: SandboxState, endpoint: EndpointKept): void {
  const now = state.clock.now();
  for (const delivery of waitingFor(state, endpoint.resource.id)) {
    if (delivery.resource.status !== 'held') continue;
    if (now - delivery.eventCreated >= EVENT_LIFE_MS) finish(state, delivery, 'abandoned');
    else {
      delivery.resource.status = 'pending';
      delivery.resource.next_attempt_at = isoSeconds(now);
      schedule(state, delivery, now);
    }
  }
}

function waitingFor(state: SandboxState, endpointId: string): DeliveryKept[] {
  return state.deliveries
    .all()
    .filter((delivery) => delivery.resource.endpoint_id === endpointId && isWaiting(delivery));
}

function noteSuccess(state: SandboxState, endpoint: EndpointKept): void {
  if (endpoint.failingSince === null) return;
  endpoint.failingSince = null;
  save(state, 'webhook_endpoints', endpoint);
}

function noteFailure(state: SandboxState, endpoint: EndpointKept, at: number): void {
  endpoint.failingSince ??= at;
  if (at - endpoint.failingSince >= PATIENCE_MS && endpoint.resource.status === 'enabled') {
    endpoint.resource.status = 'disabled';
    endpoint.resource.disabled_reason = 'delivery_failures';
  }
  save(state, 'webhook_endpoints', endpoint);
}
