/** Admin routes about events and deliveries (sandbox.md#admin-routes). */
import { sampleEvent } from '../../contract/event-samples.ts';
import { isEventType, setInEvent, type EventEnvelope, type EventType } from '../../contract/events.ts';
import { isoSeconds } from '../../contract/time.ts';
import { cutPage, PAGE_QUERY, readPageQuery } from '../state/cursors.ts';
import { openDelivery } from '../deliveries/deliveries.ts';
import { recordEvent, subscribersOf } from '../deliveries/emitted-events.ts';
import { eventData } from '../deliveries/emitted-events.ts';
import { json, type SandboxAnswer, type SandboxCall } from '../http/call.ts';
import {
  at,
  integerType,
  isObject,
  validate,
  validateTypes,
  objectType,
  oneOf,
  textType,
  within,
  type Field,
} from '../http/fields.ts';
import type { IdPrefix } from '../state/identifiers.ts';
import type { EndpointKept, EventKept } from '../state/objects.ts';
import type { ProjectName } from '../http/call.ts';
import { refuse } from '../http/refusal.ts';
import type { SandboxRoute } from '../requests/router.ts';
import { newId, type SandboxState } from '../state/state.ts';

const EVENTS = '/_sandbox/events';
const DELIVERIES = '/_sandbox/deliveries';

export function adminEventRoutes(state: SandboxState): SandboxRoute[] {
  return [
    { method: 'GET', path: EVENTS, plane: 'admin', handle: (call) => listEvents(state, call) },
    { method: 'POST', path: EVENTS, plane: 'admin', handle: (call) => trigger(state, call) },
    { method: 'POST', path: `${EVENTS}/:id/resend`, plane: 'admin', handle: (call) => resend(state, call) },
    { method: 'GET', path: DELIVERIES, plane: 'admin', handle: (call) => listDeliveries(state, call) },
  ];
}

function listEvents(state: SandboxState, call: SandboxCall): SandboxAnswer {
  const page = readPageQuery(call.search, state.seed, EVENTS);
  const type = call.search.get('type');
  return json(
    200,
    cutPage(
      state.events.all(),
      page,
      state.seed,
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

function listDeliveries(state: SandboxState, call: SandboxCall): SandboxAnswer {
  const page = readPageQuery(call.search, state.seed, DELIVERIES, DELIVERY_QUERY);
  const status = call.search.get('status');
  const event = call.search.get('event');
  const endpoint = call.search.get('endpoint');
  return json(
    200,
    cutPage(
      state.deliveries.all(),
      page,
      state.seed,
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
  { path: 'type', required: true, type: textType },
  { path: 'object_id', type: textType },
  { path: 'project', type: oneOf('local', 'launch', 'scale') },
  { path: 'set', type: objectType },
  { path: 'endpoint', type: textType },
  { path: 'count', type: integerType, range: within(integerType, 1, 1000, 'count must be 1 to 1000.') },
];

/** A real event through the delivery machinery. */
function trigger(state: SandboxState, call: SandboxCall): SandboxAnswer {
  const { body } = call;
  validate(body, TRIGGER_FIELDS);
  const type = String(at(body, 'type'));
  if (!isEventType(type)) throw refuse('parameter_invalid', `There is no event type ${type.slice(0, 64)}.`, 'type');
  const source = sourceOf(state, body, type);
  const only = endpointOf(state, at(body, 'endpoint'), source.project);
  const count = at(body, 'count');
  const events: EventEnvelope[] = [];
  for (let i = 0; i < Number(count ?? 1); i++) {
    const envelope = compose(state, type, source.data);
    applySets(envelope, at(body, 'set'));
    recordEvent(state, source.project, envelope, only);
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
function sourceOf(state: SandboxState, body: unknown, type: EventType): Source {
  const id = at(body, 'object_id');
  const endpoint = state.webhook_endpoints.get(String(at(body, 'endpoint')));
  const project = PROJECT_NAMES.find((name) => name === at(body, 'project')) ?? endpoint?.project ?? 'local';
  if (id === undefined) return { project, data: null };
  const found = eventData(state, type, String(id));
  if (found === 'unknown') throw refuse('resource_missing', 'No such object.', 'object_id');
  if (found === 'other_kind') throw refuse('parameter_invalid', `${type} is not about such an object.`, 'object_id');
  return found;
}

const PROJECT_NAMES: readonly ProjectName[] = ['local', 'launch', 'scale'];

function compose(state: SandboxState, type: EventType, data: Record<string, unknown> | null): EventEnvelope {
  const facts = { id: newId(state, 'events'), created: isoSeconds(state.clock.now()) };
  const sample = sampleEvent(type, facts, (prefix) => state.ids.next(prefix as IdPrefix));
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
function endpointOf(state: SandboxState, id: unknown, project: ProjectName): EndpointKept | undefined {
  if (id === undefined) return undefined;
  const endpoint = state.webhook_endpoints.of(project, String(id));
  if (endpoint === undefined) throw refuse('resource_missing', 'No such webhook endpoint.', 'endpoint');
  return endpoint;
}

const RESEND_FIELDS: readonly Field[] = [{ path: 'endpoint', type: textType }];

/** The same event id and bytes under a new delivery id. */
function resend(state: SandboxState, call: SandboxCall): SandboxAnswer {
  const id = call.params['id'] ?? '';
  const event = state.events.get(id);
  if (event === undefined) throw refuse('resource_missing', `No such event: ${id.slice(0, 64)}.`, 'id');
  validateTypes(call.body, RESEND_FIELDS);
  const only = endpointOf(state, at(call.body, 'endpoint'), event.project);
  const targets = only ? [only] : subscribersOf(state, event);
  const deliveries = targets.map((endpoint) => openDelivery(state, event, endpoint).resource);
  return json(202, { deliveries });
}
