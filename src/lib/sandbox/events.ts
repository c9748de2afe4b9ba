/** What happened, told to every endpoint that asked for it (webhooks.md#event-envelope, webhooks.md#event-catalogue). */
import { DEFAULT_API_VERSION, eventMatches, type EventEnvelope, type EventType } from '../contract/events.ts';
import { isWaiting, open } from './deliveries.ts';
import type { EndpointKept, EventKept, ProjectName } from './objects.ts';
import { newId, save, type World } from './world.ts';

/** So many of the newest events and deliveries are kept in any case, older ones only while something waits. */
const KEPT = 2000;
/** What is over goes each time so many more have come. */
const TIDIED_EACH = 1000;

interface EmitFacts {
  project: ProjectName;
  type: string;
  data: Record<string, unknown>;
  /** Only this endpoint, subscribed or not. */
  only?: EndpointKept;
}

/** Records an event and opens its deliveries. */
function emit(world: World, facts: EmitFacts): EventKept {
  const envelope: EventEnvelope = {
    id: newId(world, 'events'),
    type: facts.type,
    created: world.clock.stamp(),
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
    resource: envelope,
    created: world.clock.now(),
  };
  world.events.add(event);
  save(world, 'events', event);
  for (const watcher of world.watchers) watcher.event(event);
  const wanted = only ? [only] : subscribersOf(world, event);
  for (const endpoint of wanted) open(world, event, endpoint);
  if (event.n % TIDIED_EACH === 0) prune(world);
  return event;
}

/** The endpoints of its project that asked for it. */
export function subscribersOf(world: World, { project, resource: { type } }: EventKept): EndpointKept[] {
  return world.webhook_endpoints
    .list(project)
    .filter(({ resource }) => resource.enabled_events.some((pattern) => eventMatches(pattern, type)));
}

/** Old deliveries that are over go, and old events nothing of which still waits: a resend finds the rest. */
function prune(world: World): void {
  const over = world.deliveries.removeOldest(KEPT, (delivery) => !isWaiting(delivery));
  for (const delivery of over) world.ledger.remove('deliveries', delivery.resource.id);
  const waited = new Set(
    world.deliveries
      .all()
      .filter(isWaiting)
      .map(({ resource }) => resource.event_id),
  );
  const old = world.events.removeOldest(KEPT, ({ resource }) => !waited.has(resource.id));
  for (const event of old) world.ledger.remove('events', event.resource.id);
}

/** Shorthand of an event about a record of a project. */
export function tell(world: World, project: ProjectName, type: EventType, data: Record<string, unknown>): EventKept {
  return emit(world, { project, type, data });
}
