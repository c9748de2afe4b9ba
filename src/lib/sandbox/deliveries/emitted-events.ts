/** Emits events: records each one and opens a delivery to every endpoint that subscribes to it (webhooks.md#event-envelope, webhooks.md#event-catalogue). */
import { DEFAULT_API_VERSION, type EventEnvelope, eventMatches, type EventType } from '../../contract/events.ts';
import type { ProjectName } from '../http/call.ts';
import {
  type AccountKept,
  type ApplicationKept,
  type DecisionKept,
  type EndpointKept,
  type EventKept,
  type IdentityKept,
  isWaiting,
  type PaymentKept,
} from '../state/objects.ts';
import { newId, type SandboxState, save } from '../state/state.ts';
import { openDelivery } from './deliveries.ts';

/** How many of the newest events and deliveries are always kept; older ones stay only while a delivery waits. */
const KEPT = 2000;
/** Old ones are removed each time this many have been added. */
const TIDIED_EACH = 1000;

/** Records an event about an object of a project and opens its deliveries. */
export function emit(
  state: SandboxState,
  project: ProjectName,
  type: EventType,
  data: Record<string, unknown>,
): EventKept {
  return recordEvent(state, project, {
    id: newId(state, 'events'),
    type,
    created: state.clock.stamp(),
    livemode: false,
    api_version: DEFAULT_API_VERSION,
    data,
  });
}

/** Records a complete envelope that already has its id. */
export function recordEvent(
  state: SandboxState,
  project: ProjectName,
  envelope: EventEnvelope,
  only?: EndpointKept,
): EventKept {
  const event: EventKept = {
    n: state.events.nextNumber(),
    project,
    resource: envelope,
    created: state.clock.now(),
  };
  state.events.add(event);
  save(state, 'events', event);
  for (const watcher of state.watchers) watcher.event(event);
  const wanted = only ? [only] : subscribersOf(state, event);
  for (const endpoint of wanted) openDelivery(state, event, endpoint);
  if (event.n % TIDIED_EACH === 0) prune(state);
  return event;
}

/** The endpoints of its project that subscribe to its type. */
export function subscribersOf(state: SandboxState, { project, resource: { type } }: EventKept): EndpointKept[] {
  return state.webhook_endpoints
    .list(project)
    .filter(({ resource }) => resource.enabled_events.some((pattern) => eventMatches(pattern, type)));
}

/** Removes old finished deliveries, and old events without a waiting delivery. What is removed cannot be sent again. */
function prune(state: SandboxState): void {
  const over = state.deliveries.removeOldest(KEPT, (delivery) => !isWaiting(delivery));
  for (const delivery of over) state.persistence.remove('deliveries', delivery.resource.id);
  const waited = new Set(
    state.deliveries
      .all()
      .filter(isWaiting)
      .map(({ resource }) => resource.event_id),
  );
  const old = state.events.removeOldest(KEPT, ({ resource }) => !waited.has(resource.id));
  for (const event of old) state.persistence.remove('events', event.resource.id);
}

// `data` of each event (webhooks.md#event-catalogue): flat keys first, then `object` as it is now, then `previous`.

type Data = Record<string, unknown>;

/**
 * The payload of a type about an object that exists, and its project. `unknown`: no such object; `other_kind`: the type is not
 * about such objects.
 */
export function eventData(
  state: SandboxState,
  type: EventType,
  id: string,
): { project: ProjectName; data: Data } | 'unknown' | 'other_kind' {
  const application = state.applications.get(id);
  const decision = state.decisions.get(id);
  const payment = state.payments.get(id);
  const account = state.accounts.get(id);
  const identity = state.identity_checks.get(id);
  const found = application ?? decision ?? payment ?? account ?? identity;
  if (found === undefined) return 'unknown';
  const family = type.split('.')[0];
  const { project } = found;
  if (family === 'application' && application) return { project, data: applicationData(application) };
  if (family === 'decision' && decision) {
    const of = state.applications.get(decision.resource.application_id);
    return of ? { project, data: decisionData(decision, of) } : 'unknown';
  }
  if (family === 'payment' && payment) return { project, data: paymentData(payment) };
  if (family === 'account' && account) return { project, data: accountData(account) };
  if (family === 'identity' && identity) return { project, data: identityData(identity) };
  return 'other_kind';
}

/** Members that changed, with their old values; times are left out, as in the published samples (webhooks.md#event-catalogue). */
export function changes<R extends object>(before: R, after: R): Data {
  const changed: Data = {};
  for (const key in after) {
    const [old, now] = [before[key], after[key]];
    if (old !== now && !key.endsWith('_at') && !isSame(old, now)) changed[key] = old ?? null;
  }
  return changed;
}

function isSame(a: unknown, b: unknown): boolean {
  return typeof a === 'object' && typeof b === 'object' && JSON.stringify(a) === JSON.stringify(b);
}

export function applicationData(
  { resource }: ApplicationKept,
  previous?: Record<string, unknown>,
): Record<string, unknown> {
  const { id, status, reference, account_id } = resource;
  return {
    application_id: id,
    status,
    reference,
    ...(status === 'funded' ? { account_id } : {}),
    object: { ...resource },
    ...(previous ? { previous } : {}),
  };
}

export function decisionData(
  { resource }: DecisionKept,
  application: ApplicationKept,
  previous?: Record<string, unknown>,
): Record<string, unknown> {
  return {
    application_id: resource.application_id,
    decision_id: resource.id,
    outcome: resource.outcome,
    reason: resource.reason,
    reference: application.resource.reference,
    object: { ...resource },
    ...(previous ? { previous } : {}),
  };
}

export function paymentData({ resource }: PaymentKept, previous?: Record<string, unknown>): Record<string, unknown> {
  const { id, status, amount, currency, reference, application_id, payment_link_id, failure_code } = resource;
  return {
    payment_id: id,
    status,
    amount,
    currency,
    reference,
    application_id,
    payment_link_id,
    ...(status === 'failed' ? { failure_code } : {}),
    object: { ...resource },
    ...(previous ? { previous } : {}),
  };
}

export function accountData({ resource }: AccountKept, previous?: Record<string, unknown>): Record<string, unknown> {
  const { id, application_id, status, balance_pence, arrears_pence } = resource;
  return {
    account_id: id,
    application_id,
    status,
    balance_pence,
    arrears_pence,
    object: { ...resource },
    ...(previous ? { previous } : {}),
  };
}

export function identityData({ resource }: IdentityKept, previous?: Record<string, unknown>): Record<string, unknown> {
  const { id, application_id, status, reference } = resource;
  return {
    identity_check_id: id,
    application_id,
    status,
    reference,
    object: { ...resource },
    ...(previous ? { previous } : {}),
  };
}
