/** Servicing accounts (partner-api.md#accounts). */
import { cutPage, PAGE_QUERY, readPageQuery } from '../state/cursors.ts';
import { json, projectOf, type SandboxAnswer, type SandboxCall } from '../http/call.ts';
import { applicationId, oneOf, type Field } from '../http/fields.ts';
import type { AccountKept } from '../state/objects.ts';
import { refuse } from '../http/refusal.ts';
import type { SandboxRoute } from '../requests/router.ts';
import type { SandboxState } from '../state/state.ts';

const LIST = '/partner/v1/accounts';
export const ACCOUNT_QUERY: readonly Field[] = [
  { path: 'status', type: oneOf('active', 'in_arrears', 'closed') },
  applicationId,
  ...PAGE_QUERY,
];

export function accountRoutes(state: SandboxState): SandboxRoute[] {
  return [
    { method: 'GET', path: LIST, plane: 'partner', handle: (call) => list(state, call) },
    { method: 'GET', path: `${LIST}/:id`, plane: 'partner', handle: (call) => read(state, call) },
  ];
}

function list(state: SandboxState, call: SandboxCall): SandboxAnswer {
  const page = readPageQuery(call.search, state.seed, LIST, ACCOUNT_QUERY);
  const status = call.search.get('status');
  const application = call.search.get('application_id');
  const accept = ({ resource }: AccountKept): boolean =>
    (status === null || resource.status === status) &&
    (application === null || resource.application_id === application);
  const records = state.accounts.list(projectOf(call));
  return json(
    200,
    cutPage(records, page, state.seed, LIST, ({ resource }) => resource, accept),
  );
}

function read(state: SandboxState, call: SandboxCall): SandboxAnswer {
  const id = call.params['id'] ?? '';
  const kept = state.accounts.of(projectOf(call), id);
  if (kept === undefined) throw refuse('resource_missing', `No such account: ${id.slice(0, 64)}.`, 'id');
  call.resourceIds = [id];
  return json(200, kept.resource);
}
