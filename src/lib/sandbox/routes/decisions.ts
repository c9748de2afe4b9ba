/** Decisions (partner-api.md#decisions): read by decision or application id, and refreshed. */
import { json, projectOf, type Answer, type Call } from '../exchange.ts';
import { applicationId, at, judge, judgeQuery, type Field } from '../fields.ts';
import { decisionOf } from '../lifecycle.ts';
import type { ApplicationKept, DecisionKept } from '../objects.ts';
import { WAITS } from '../outcomes.ts';
import { refuse } from '../refusal.ts';
import type { Route } from '../router.ts';
import { plan, save, stamp, type World } from '../world.ts';
import { AMOUNT_AND_TERM } from './application-fields.ts';

const LIST = '/partner/v1/decisions';

/** Create's rules, both optional. */
export const REFRESH_FIELDS = AMOUNT_AND_TERM.map((field) => ({ ...field, required: false }));

export const DECISION_QUERY: readonly Field[] = [{ ...applicationId, path: 'application', required: true }];

export function decisionRoutes(world: World): Route[] {
  return [
    { method: 'GET', path: LIST, plane: 'partner', handle: (call) => ofApplication(world, call) },
    {
      method: 'GET',
      path: `${LIST}/:id`,
      plane: 'partner',
      handle: (call) => json(200, findDecision(world, call).decision.resource),
    },
    { method: 'POST', path: `${LIST}/:id/refresh`, plane: 'partner', handle: (call) => refresh(world, call) },
  ];
}

function ofApplication(world: World, call: Call): Answer {
  judgeQuery(call.search, DECISION_QUERY);
  const id = call.search.get('application') ?? '';
  const kept = world.applications.of(projectOf(call), id);
  const decision = kept && decisionOf(world, kept);
  call.resourceIds = decision ? [decision.resource.id, id] : [];
  return json(200, { data: decision ? [decision.resource] : [], has_more: false, next_cursor: null });
}

interface Found {
  decision: DecisionKept;
  application: ApplicationKept;
}

/** Either id kind. @throws Refusal 404, or 409 `decision_not_ready` */
function findDecision(world: World, call: Call): Found {
  const id = call.params['id'] ?? '';
  const project = projectOf(call);
  const direct = world.decisions.of(project, id);
  const application = world.applications.of(project, direct?.resource.application_id ?? id);
  if (application === undefined) {
    throw refuse('resource_missing', `No such decision or application: ${id.slice(0, 64)}.`, 'id');
  }
  const decision = direct ?? decisionOf(world, application);
  call.resourceIds = [...(decision ? [decision.resource.id] : []), application.resource.id];
  if (decision === undefined) {
    throw refuse('decision_not_ready', `The application is ${application.resource.status}; no decision yet.`);
  }
  return { decision, application };
}

function refresh(world: World, call: Call): Answer {
  const { decision, application } = findDecision(world, call);
  judge(call.body, REFRESH_FIELDS);
  const { status, id } = application.resource;
  if (status === 'funded' || status === 'withdrawn') {
    throw refuse('state_conflict', `The application is ${status}; its decision stands.`);
  }
  if (application.refresh !== null)
    throw refuse('refresh_in_progress', 'A refresh of this decision is queued already.');
  application.refresh = {
    amount_pence: Number(at(call.body, 'amount_pence') ?? decision.resource.amount_pence),
    term_months: Number(at(call.body, 'term_months') ?? decision.resource.term_months),
  };
  save(world, 'applications', application);
  plan(world, 'refresh', id, WAITS.refresh);
  return json(202, {
    id: decision.resource.id,
    application_id: id,
    refresh_status: 'queued',
    requested_at: stamp(world),
  });
}
