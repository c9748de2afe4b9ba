/** Admin routes about events and deliveries (sandbox.md#admin-routes). */
import { sampleEvent } from '../../contract/event-samples.ts';
import { isEventType, setInEvent, type EventEnvelope, type EventType } from '../../contract/events.ts';
import { isoSeconds } from '../../contract/time.ts';
import { cutPage, PAGE_QUERY, readPage } from '../cursors.ts';
import { open } from '../deliveries.ts';
import { record, subscribersOf } from '../events.ts';
import { dataOf } from '../event-data.ts';
import { json, type Answer, type Call } from '../exchange.ts';
import { at, integer, isObject, judge, judgeTypes, object, oneOf, text, within, type Field } from '../fields.ts';
import type { IdPrefix } from '../identifiers.ts';
import type { EndpointKept, EventKept, ProjectName } from '../objects.ts';
import { refuse } from '../refusal.ts';
import type { Route } from '../router.ts';
import { newId, type World } from '../world.ts';

const EVENTS = '/_sandbox/events';
const DELIVERIES = '/_sandbox/deliveries';

export function adminEventRoutes(world: World): Route[] {
  return [
    { method: 'GET', path: EVENTS, plane: 'admin', handle: (call) => listEvents(world, call) },
    { method: 'POST', path: EVENTS, plane: 'admin', handle: (call) => trigger(world, call) },
    { method: 'POST', path: `${EVENTS}/:id/resend`, plane: 'admin', handle: (call) => resend(world, call) },
    { method: 'GET', path: DELIVERIES, plane: 'admin', handle: (call) => listDeliveries(world, call) },
  ];
}

function listEvents(world: World, call: Call): Answer {
  const page = readPage(call.search, world.seed, EVENTS);
  const type = call.search.get('type');
  return json(
    200,
    cutPage(
      world.events.all(),
      page,
      world.seed,
      EVENTS,
      show,
      (event) => type === null || event.resource.type === type,
    ),
  );
}

function show({ resource }: EventKept): EventEnvelope {
  return resource;
}

const DELIVERY_QUERY: readonly Field[] = [
  { path: 'status', type: oneOf('pending', 'delivered', 'abandoned', 'held') },
  ...PAGE_QUERY,
];

function listDeliveries(world: World, call: Call): Answer {
  const page = readPage(call.search, world.seed, DELIVERIES, DELIVERY_QUERY);
  const status = call.search.get('status');
  const event = call.search.get('event');
  const endpoint = call.search.get('endpoint');
  return json(
    200,
    cutPage(
      world.deliveries.all(),
      page,
      world.seed,
      DELIVERIES,
      ({ resource }) => resource,
      ({ resource }) =>
        (status === null || resource.status === status) &&
        (event === null || resource.event_id === event) &&
        (endpoint === null || resource.endpoint_id === endpoint),
    ),
  );
}

const TRIGGER_FIELDS: readonly Field[] = [
  { path: 'type', required: true, type: text },
  { path: 'object_id', type: text },
  { path: 'project', type: oneOf('local', 'launch', 'scale') },
  { path: 'set', type: object },
  { path: 'endpoint', type: text },
  { path: 'count', type: integer, range: within(integer, 1, 1000, 'count must be 1 to 1000.') },
];

/** A real event through the delivery machinery. */
function trigger(world: World, call: Call): Answer {
  const { body } = call;
  judge(body, TRIGGER_FIELDS);
  const type = String(at(body, 'type'));
  if (!isEventType(type)) throw refuse('parameter_invalid', `There is no event type ${type.slice(0, 64)}.`, 'type');
  const source = sourceOf(world, body, type);
  const only = endpointOf(world, at(body, 'endpoint'), source.project);
  const count = at(body, 'count');
  const events: EventEnvelope[] = [];
  for (let i = 0; i < Number(count ?? 1); i++) {
    const envelope = compose(world, type, source.data);
    applySets(envelope, at(body, 'set'));
    record(world, source.project, envelope, only);
    events.push(envelope);
  }
  return json(201, count === undefined ? events[0] : { events });
}

interface Source {
  project: ProjectName;
  /** Null: the sample of the type. */
  data: Record<string, unknown> | null;
}

/** An object that exists fills the payload and decides the project; else the endpoint does. @throws Refusal 404, 400 */
function sourceOf(world: World, body: unknown, type: EventType): Source {
  const id = at(body, 'object_id');
  const endpoint = world.webhook_endpoints.get(String(at(body, 'endpoint')));
  const project = PROJECT_NAMES.find((name) => name === at(body, 'project')) ?? endpoint?.project ?? 'local';
  if (id === undefined) return { project, data: null };
  const found = dataOf(world, type, String(id));
  if (found === 'unknown') throw refuse('resource_missing', 'No such object.', 'object_id');
  if (found === 'other_kind') throw refuse('parameter_invalid', `${type} is not about such an object.`, 'object_id');
  return found;
}

const PROJECT_NAMES: readonly ProjectName[] = ['local', 'launch', 'scale'];

function compose(world: World, type: EventType, data: Record<string, unknown> | null): EventEnvelope {
  const facts = { id: newId(world, 'events'), created: isoSeconds(world.clock.now()) };
  const sample = sampleEvent(type, facts, (prefix) => world.ids.next(prefix as IdPrefix));
  return data === null ? sample : { ...sample, data: structuredClone(data) };
}

/** @throws Refusal 400 for a path that is not to be set */
function applySets(envelope: EventEnvelope, sets: unknown): void {
  if (!isObject(sets)) return;
  for (const [path, value] of Object.entries(sets)) {
    if (!setInEvent(envelope, path, value)) {
      throw refuse('parameter_invalid', `${path.slice(0, 100)} cannot be set.`, `set.${path.slice(0, 100)}`);
    }
  }
}

/** @throws Refusal 404 */
function endpointOf(world: World, id: unknown, project: ProjectName): EndpointKept | undefined {
  if (id === undefined) return undefined;
  const endpoint = world.webhook_endpoints.of(project, String(id));
  if (endpoint === undefined) throw refuse('resource_missing', 'No such webhook endpoint.', 'endpoint');
  return endpoint;
}

const RESEND_FIELDS: readonly Field[] = [{ path: 'endpoint', type: text }];

/** The same event id and bytes under a new delivery id. */
function resend(world: World, call: Call): Answer {
  const id = call.params['id'] ?? '';
  const event = world.events.get(id);
  if (event === undefined) throw refuse('resource_missing', `No such event: ${id.slice(0, 64)}.`, 'id');
  judgeTypes(call.body, RESEND_FIELDS);
  const only = endpointOf(world, at(call.body, 'endpoint'), event.project);
  const targets = only ? [only] : subscribersOf(world, event);
  const deliveries = targets.map((endpoint) => open(world, event, endpoint).resource);
  return json(202, { deliveries });
}
