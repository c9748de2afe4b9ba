/** What happened, told to every endpoint that asked for it (webhooks page §7, §8). */
import { DEFAULT_API_VERSION, eventMatches, type EventEnvelope, type EventType } from '../contract/events.ts';
import { open } from './deliveries.ts';
import type { EndpointKept, EventKept, ProjectName } from './objects.ts';
import { newId, save, type World } from './world.ts';

/** Events kept beyond those that still wait for a delivery. */
const KEPT = 2000;

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
  prune(world);
  return event;
}

/** The endpoints of its project that asked for it. */
export function subscribersOf(world: World, { project, resource: { type } }: EventKept): EndpointKept[] {
  return world.webhook_endpoints
    .list(project)
    .filter(({ resource }) => resource.enabled_events.some((pattern) => eventMatches(pattern, type)));
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

/** Shorthand of an event about a record of a project. */
export function tell(world: World, project: ProjectName, type: EventType, data: Record<string, unknown>): EventKept {
  return emit(world, { project, type, data });
}
