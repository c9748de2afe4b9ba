/** What happened, told to every endpoint that asked for it (webhooks page §7, §8). */
import { DEFAULT_API_VERSION, eventMatches, type EventEnvelope, type EventType } from '../contract/events.ts';
import { isoSeconds } from '../contract/time.ts';
import { open } from './deliveries.ts';
import type {
  AccountKept,
  ApplicationKept,
  DecisionKept,
  EndpointKept,
  EventKept,
  IdentityKept,
  PaymentKept,
  ProjectName,
} from './objects.ts';
import { newId, save, type World } from './world.ts';

/** Events kept beyond those that still wait for a delivery. */
const KEPT = 20_000;

export interface EmitFacts {
  project: ProjectName;
  type: string;
  data: Record<string, unknown>;
  /** Only this endpoint, subscribed or not. */
  only?: EndpointKept;
}

/** Records an event and opens its deliveries. */
export function emit(world: World, facts: EmitFacts): EventKept {
  const now = world.clock.now();
  const envelope: EventEnvelope = {
    id: newId(world, 'events'),
    type: facts.type,
    created: isoSeconds(now),
    livemode: false,
    api_version: DEFAULT_API_VERSION,
    data: facts.data,
  };
  return record(world, facts.project, envelope, facts.only);
}

/** Records a whole envelope, its id drawn before. */
export function record(world: World, project: ProjectName, envelope: EventEnvelope, only?: EndpointKept): EventKept {
  const event: EventKept = {
    n: world.events.nextNumber(),
    project,
    resource: { id: envelope.id },
    type: envelope.type,
    created: world.clock.now(),
    body: JSON.stringify(envelope),
  };
  world.events.add(event);
  save(world, 'events', event);
  for (const watcher of world.watchers) watcher.event(event);
  const wanted = only
    ? [only]
    : world.webhook_endpoints.list(project).filter((endpoint) => wants(endpoint, event.type));
  for (const endpoint of wanted) open(world, event, endpoint);
  prune(world);
  return event;
}

function wants(endpoint: EndpointKept, type: string): boolean {
  return endpoint.resource.enabled_events.some((pattern) => eventMatches(pattern, type));
}

/** Old events go, and deliveries that are over with them; what still waits stays. */
function prune(world: World): void {
  if (world.events.size > KEPT + 1000) {
    for (const event of world.events.removeOldest(1000)) world.ledger.remove('events', event.resource.id);
  }
  if (world.deliveries.size > KEPT + 1000) {
    const over = world.deliveries.removeOldest(1000, ({ resource }) => resource.status !== 'pending');
    for (const delivery of over) world.ledger.remove('deliveries', delivery.resource.id);
  }
}

/** Members that changed, with their old values; times are left out, as in the published samples (webhooks page §8). */
export function changes<R extends object>(before: R, after: R): Record<string, unknown> {
  const old = new Map<string, unknown>(Object.entries(before));
  const changed = Object.entries(after).filter(
    ([key, value]) => !key.endsWith('_at') && JSON.stringify(value) !== JSON.stringify(old.get(key)),
  );
  return Object.fromEntries(changed.map(([key]) => [key, old.get(key) ?? null]));
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
    object: resource,
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
    object: resource,
    ...(previous ? { previous } : {}),
  };
}

export function paymentData({ resource }: PaymentKept, previous: Record<string, unknown>): Record<string, unknown> {
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
    object: resource,
    previous,
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
    object: resource,
    ...(previous ? { previous } : {}),
  };
}

export function identityData({ resource }: IdentityKept, previous: Record<string, unknown>): Record<string, unknown> {
  const { id, application_id, status, reference } = resource;
  return { identity_check_id: id, application_id, status, reference, object: resource, previous };
}

/** Shorthand of an event about a record of a project. */
export function tell(world: World, project: ProjectName, type: EventType, data: Record<string, unknown>): EventKept {
  return emit(world, { project, type, data });
}
