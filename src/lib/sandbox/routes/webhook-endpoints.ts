/** Webhook endpoints (webhooks.md#webhook-endpoints, webhooks.md#secret-rotation). */
import * as z from 'zod/mini';
import { isLoopback } from '../../contract/environments.ts';
import { DEFAULT_API_VERSION, isEventPattern } from '../../contract/events.ts';
import type { ProblemDetail } from '../../contract/problem.ts';
import { isoSeconds } from '../../contract/time.ts';
import { cutPage, readPageQuery } from '../state/cursors.ts';
import { abandonAll, holdAll, release } from '../deliveries/deliveries.ts';
import { empty, json, projectOf, type SandboxAnswer, type SandboxCall } from '../http/call.ts';
import {
  at,
  validateRanges,
  validateTypes,
  listType,
  metadata,
  oneOf,
  described,
  textField,
  unknownMembers,
  upTo,
  type Field,
} from '../http/fields.ts';
import type { EndpointKept } from '../state/objects.ts';
import { refuse } from '../http/refusal.ts';
import type { SandboxRoute } from '../requests/router.ts';
import { newId, save, stamp, type SandboxState } from '../state/state.ts';
import { sentMetadata, optionalText } from './applications.ts';

const LIST = '/partner/v1/webhook_endpoints';
const MOST = 20;
const OVERLAP_MS = 86_400_000;

const target = described(
  upTo(z.stringFormat('uri', isTarget), 2048),
  'an https URL (http for loopback only) without user info and fragment',
);

export const PATCH_FIELDS: readonly Field[] = [
  { path: 'url', type: target },
  { path: 'enabled_events', type: listType },
  textField('description', 500),
  metadata,
  { path: 'status', type: oneOf('enabled', 'disabled') },
];

export const ENDPOINT_FIELDS: readonly Field[] = [
  { path: 'url', required: true, type: target },
  { path: 'enabled_events', type: listType },
  { path: 'events', type: listType },
  textField('description', 500),
  { path: 'api_version', type: described(z.stringFormat('date', /^\d{4}-\d{2}-\d{2}$/), 'a date as YYYY-MM-DD') },
  metadata,
];

export function endpointRoutes(state: SandboxState): SandboxRoute[] {
  const one = `${LIST}/:id`;
  return [
    { method: 'POST', path: LIST, plane: 'partner', handle: (call) => create(state, call) },
    { method: 'GET', path: LIST, plane: 'partner', handle: (call) => page(state, call) },
    { method: 'GET', path: one, plane: 'partner', handle: (call) => json(200, find(state, call).resource) },
    { method: 'PATCH', path: one, plane: 'partner', handle: (call) => update(state, call) },
    { method: 'DELETE', path: one, plane: 'partner', handle: (call) => remove(state, call) },
    { method: 'POST', path: `${one}/rotate_secret`, plane: 'partner', handle: (call) => rotate(state, call) },
  ];
}

/** `https`, or `http` to loopback; without fragment or user info, which would be lost or leak (webhooks.md#webhook-endpoints). */
function isTarget(value: string): boolean {
  if (!URL.canParse(value) || value.includes('#')) return false;
  const { protocol, hostname, username, password } = new URL(value);
  if (username !== '' || password !== '') return false;
  return protocol === 'https:' || (protocol === 'http:' && isLoopback(hostname));
}

function create(state: SandboxState, call: SandboxCall): SandboxAnswer {
  const { body } = call;
  const enabled = at(body, 'enabled_events') ?? at(body, 'events');
  validateTypes(body, ENDPOINT_FIELDS, eventMistakes(body, enabled, true));
  validateRanges(body, ENDPOINT_FIELDS);
  const project = projectOf(call);
  if (state.webhook_endpoints.list(project).length >= MOST) {
    throw refuse('endpoint_limit_reached', `An account has at most ${MOST} webhook endpoints.`);
  }
  for (const name of unknownMembers(body, ENDPOINT_FIELDS))
    call.notes.push(`unknown body field: ${name.slice(0, 100)}`);
  const kept: EndpointKept = {
    n: state.webhook_endpoints.nextNumber(),
    project,
    resource: {
      id: newId(state, 'webhook_endpoints'),
      url: String(at(body, 'url')),
      enabled_events: textsOf(enabled),
      status: 'enabled',
      description: optionalText(body, 'description'),
      api_version: optionalText(body, 'api_version') ?? DEFAULT_API_VERSION,
      metadata: sentMetadata(body),
      created: stamp(state),
      disabled_reason: null,
      previous_secret_expires_at: null,
    },
    secret: state.ids.next('whsec_'),
    previous: null,
    failingSince: null,
  };
  state.webhook_endpoints.add(kept);
  save(state, 'webhook_endpoints', kept);
  call.resourceIds = [kept.resource.id];
  call.secretive = true;
  return json(201, { ...kept.resource, secret: kept.secret });
}

/** What is wrong with the events asked for, beyond their type. */
function eventMistakes(body: unknown, enabled: unknown, required: boolean): ProblemDetail[] {
  const both = at(body, 'enabled_events') !== undefined && at(body, 'events') !== undefined;
  if (both && JSON.stringify(at(body, 'enabled_events')) !== JSON.stringify(at(body, 'events'))) {
    return [mistake('events', 'events and enabled_events are two names of one field and differ here.')];
  }
  if (enabled === undefined) {
    const missing = { param: 'enabled_events', code: 'parameter_missing' };
    return required ? [{ ...missing, message: 'Missing required parameter: enabled_events.' }] : [];
  }
  if (!listType.safeParse(enabled).success) return [];
  const names = textsOf(enabled);
  if (names.length === 0) return [mistake('enabled_events', 'enabled_events must name at least one event type or *.')];
  return names.flatMap((name, i) =>
    isEventPattern(name) ? [] : [mistake(`enabled_events[${i}]`, `There is no event type ${name.slice(0, 64)}.`)],
  );
}

function mistake(param: string, message: string): ProblemDetail {
  return { param, code: 'parameter_invalid', message };
}

function textsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : [];
}

function page(state: SandboxState, call: SandboxCall): SandboxAnswer {
  const request = readPageQuery(call.search, state.seed, LIST);
  const records = state.webhook_endpoints.list(projectOf(call));
  return json(
    200,
    cutPage(records, request, state.seed, LIST, ({ resource }) => resource),
  );
}

/** @throws Refusal 404 */
function find(state: SandboxState, call: SandboxCall): EndpointKept {
  const id = call.params['id'] ?? '';
  const kept = state.webhook_endpoints.of(projectOf(call), id);
  if (kept === undefined) throw refuse('resource_missing', `No such webhook endpoint: ${id.slice(0, 64)}.`, 'id');
  call.resourceIds = [id];
  return kept;
}

function update(state: SandboxState, call: SandboxCall): SandboxAnswer {
  const kept = find(state, call);
  const { body } = call;
  validateTypes(body, PATCH_FIELDS, eventMistakes(body, at(body, 'enabled_events'), false));
  validateRanges(body, PATCH_FIELDS);
  for (const name of unknownMembers(body, PATCH_FIELDS)) call.notes.push(`unknown body field: ${name.slice(0, 100)}`);
  const { resource } = kept;
  const enabled = at(body, 'enabled_events');
  resource.url = optionalText(body, 'url') ?? resource.url;
  if (enabled !== undefined) resource.enabled_events = textsOf(enabled);
  resource.description = optionalText(body, 'description') ?? resource.description;
  if (at(body, 'metadata') !== undefined) resource.metadata = sentMetadata(body);
  turn(state, kept, optionalText(body, 'status'));
  save(state, 'webhook_endpoints', kept);
  return json(200, resource);
}

/** Enables an endpoint and sends what was held, or disables it and holds what is waiting. */
function turn(state: SandboxState, kept: EndpointKept, status: string | null): void {
  const { resource } = kept;
  if (status === 'disabled' && resource.status === 'enabled') {
    resource.status = 'disabled';
    holdAll(state, resource.id);
  }
  if (status === 'enabled' && resource.status === 'disabled') {
    resource.status = 'enabled';
    resource.disabled_reason = null;
    kept.failingSince = null;
    release(state, kept);
  }
}

function remove(state: SandboxState, call: SandboxCall): SandboxAnswer {
  const kept = find(state, call);
  state.webhook_endpoints.remove(kept);
  state.persistence.remove('webhook_endpoints', kept.resource.id);
  abandonAll(state, kept.resource.id);
  return empty(204);
}

/** The old secret signs beside the new one for 24 h; a second rotation drops the oldest (webhooks.md#secret-rotation). */
function rotate(state: SandboxState, call: SandboxCall): SandboxAnswer {
  const kept = find(state, call);
  const until = state.clock.now() + OVERLAP_MS;
  kept.previous = { secret: kept.secret, until };
  kept.secret = state.ids.next('whsec_');
  kept.resource.previous_secret_expires_at = isoSeconds(until);
  save(state, 'webhook_endpoints', kept);
  call.secretive = true;
  return json(200, { ...kept.resource, secret: kept.secret });
}
