/** Servicing accounts (partner-api.md#accounts). */
import { cutPage, PAGE_QUERY, readPage } from '../cursors.ts';
import { json, projectOf, type Answer, type Call } from '../exchange.ts';
import { applicationId, oneOf, type Field } from '../fields.ts';
import type { AccountKept } from '../objects.ts';
import { refuse } from '../refusal.ts';
import type { Route } from '../router.ts';
import type { World } from '../world.ts';

const LIST = '/partner/v1/accounts';
export const ACCOUNT_QUERY: readonly Field[] = [
  { path: 'status', type: oneOf('active', 'in_arrears', 'closed') },
  applicationId,
  ...PAGE_QUERY,
];

export function accountRoutes(world: World): Route[] {
  return [
    { method: 'GET', path: LIST, plane: 'partner', handle: (call) => list(world, call) },
    { method: 'GET', path: `${LIST}/:id`, plane: 'partner', handle: (call) => read(world, call) },
  ];
}

function list(world: World, call: Call): Answer {
  const page = readPage(call.search, world.seed, LIST, ACCOUNT_QUERY);
  const status = call.search.get('status');
  const application = call.search.get('application_id');
  const accept = ({ resource }: AccountKept): boolean =>
    (status === null || resource.status === status) &&
    (application === null || resource.application_id === application);
  const records = world.accounts.list(projectOf(call));
  return json(
    200,
    cutPage(records, page, world.seed, LIST, ({ resource }) => resource, accept),
  );
}

function read(world: World, call: Call): Answer {
  const id = call.params['id'] ?? '';
  const kept = world.accounts.of(projectOf(call), id);
  if (kept === undefined) throw refuse('resource_missing', `No such account: ${id.slice(0, 64)}.`, 'id');
  call.resourceIds = [id];
  return json(200, kept.resource);
}
