/** Decisions (partner-api.md#decisions): read by decision or application id, and refreshed. */
import { json, projectOf, type SandboxAnswer, type SandboxCall } from '../http/call.ts';
import { applicationId, at, validate, validateQuery, type Field } from '../http/fields.ts';
import { decisionOf } from '../lifecycle/application-lifecycle.ts';
import type { ApplicationKept, DecisionKept } from '../state/objects.ts';
import { refuse } from '../http/refusal.ts';
import type { SandboxRoute } from '../requests/router.ts';
import { plan, save, stamp, type SandboxState } from '../state/state.ts';
import { AMOUNT_AND_TERM } from './applications.ts';

const LIST = '/partner/v1/decisions';

/** Create's rules, both optional. */
export const REFRESH_FIELDS = AMOUNT_AND_TERM.map((field) => ({ ...field, required: false }));

export const DECISION_QUERY: readonly Field[] = [{ ...applicationId, path: 'application', required: true }];

export function decisionRoutes(state: SandboxState): SandboxRoute[] {
  return [
    { method: 'GET', path: LIST, plane: 'partner', handle: (call) => ofApplication(state, call) },
    {
      method: 'GET',
      path: `${LIST}/:id`,
      plane: 'partner',
      handle: (call) => json(200, findDecision(state, call).decision.resource),
    },
    { method: 'POST', path: `${LIST}/:id/refresh`, plane: 'partner', handle: (call) => refresh(state, call) },
  ];
}

function ofApplication(state: SandboxState, call: SandboxCall): SandboxAnswer {
  validateQuery(call.search, DECISION_QUERY);
  const id = call.search.get('application') ?? '';
  const kept = state.applications.of(projectOf(call), id);
  const decision = kept && decisionOf(state, kept);
  call.resourceIds = decision ? [decision.resource.id, id] : [];
  return json(200, { data: decision ? [decision.resource] : [], has_more: false, next_cursor: null });
}

interface RouteMatch {
  decision: DecisionKept;
  application: ApplicationKept;
}

/** Either id kind. @throws Refusal 404, or 409 `decision_not_ready` */
function findDecision(state: SandboxState, call: SandboxCall): RouteMatch {
  const id = call.params['id'] ?? '';
  const project = projectOf(call);
  const direct = state.decisions.of(project, id);
  const application = state.applications.of(project, direct?.resource.application_id ?? id);
  if (application === undefined) {
    throw refuse('resource_missing', `No such decision or application: ${id.slice(0, 64)}.`, 'id');
  }
  const decision = direct ?? decisionOf(state, application);
  call.resourceIds = [...(decision ? [decision.resource.id] : []), application.resource.id];
  if (decision === undefined) {
    throw refuse('decision_not_ready', `The application is ${application.resource.status}; no decision yet.`);
  }
  return { decision, application };
}

function refresh(state: SandboxState, call: SandboxCall): SandboxAnswer {
  const { decision, application } = findDecision(state, call);
  validate(call.body, REFRESH_FIELDS);
  const { status, id } = application.resource;
  if (status === 'funded' || status === 'withdrawn') {
    throw refuse('state_conflict', `The application is ${status}; its decision cannot change any more.`);
  }
  if (application.refresh !== null)
    throw refuse('refresh_in_progress', 'A refresh of this decision is already queued.');
  application.refresh = {
    amount_pence: Number(at(call.body, 'amount_pence') ?? decision.resource.amount_pence),
    term_months: Number(at(call.body, 'term_months') ?? decision.resource.term_months),
  };
  save(state, 'applications', application);
  plan(state, 'refresh', id);
  return json(202, {
    id: decision.resource.id,
    application_id: id,
    refresh_status: 'queued',
    requested_at: stamp(state),
  });
}
