/** How an application moves (sandbox.md#lifecycle-timings). A step whose application has moved on does nothing. */
import { applicationData, changes, decisionData, emit } from '../deliveries/emitted-events.ts';
import type { ScheduledStep } from '../state/clock.ts';
import { conditionsOf, underwrite, offer, type Underwriting } from './underwriting.ts';
import type {
  ApplicationKept,
  ApplicationObject,
  DecisionKept,
  DecisionObject,
  ReservedCompany,
} from '../state/objects.ts';
import { newId, plan, type SandboxState, save, stamp } from '../state/state.ts';

/** How long a decision of `slow_approve` takes (sandbox.md#companies). */
const SLOW_DECISION_MS = 10_150;

/** Changes members of an application; returns what changed. */
function change(state: SandboxState, kept: ApplicationKept, to: Partial<ApplicationObject>): Record<string, unknown> {
  const before = { ...kept.resource };
  Object.assign(kept.resource, to, { updated_at: stamp(state) });
  save(state, 'applications', kept);
  return changes(before, kept.resource);
}

function emitUpdated(state: SandboxState, kept: ApplicationKept, previous: Record<string, unknown>): void {
  emit(state, kept.project, 'application.updated', applicationData(kept, previous));
}

/** The applicant completes the journey. The caller has checked that the status is `created`. */
export function submit(state: SandboxState, kept: ApplicationKept): void {
  const previous = change(state, kept, { status: 'submitted', submitted_at: stamp(state) });
  emit(state, kept.project, 'application.submitted', applicationData(kept));
  emitUpdated(state, kept, previous);
  const company = companyOf(state, kept);
  plan(state, 'review', kept.resource.id);
  plan(state, 'decide', kept.resource.id, company.effect === 'slow_approve' ? SLOW_DECISION_MS : undefined);
}

/** The caller has checked that the status allows it. */
export function withdraw(state: SandboxState, kept: ApplicationKept): void {
  kept.refresh = null;
  emitUpdated(state, kept, change(state, kept, { status: 'withdrawn', withdrawn_at: stamp(state) }));
}

/** Does one of the steps of an application. */
export function runApplicationStep(state: SandboxState, step: ScheduledStep): void {
  const kept = state.applications.get(step.id);
  if (kept === undefined) return;
  const { status } = kept.resource;
  if (step.kind === 'submit' && status === 'created') submit(state, kept);
  else if (step.kind === 'review' && status === 'submitted') {
    emitUpdated(state, kept, change(state, kept, { status: 'in_review' }));
  } else if (step.kind === 'decide' && status === 'in_review') decide(state, kept);
  else if (step.kind === 'resolve' && status === 'in_review') resolve(state, kept);
  else if (step.kind === 'refresh') refresh(state, kept);
}

function decide(state: SandboxState, kept: ApplicationKept): void {
  const { id, amount_pence, term_months } = kept.resource;
  const now = stamp(state);
  const decision: DecisionKept = {
    n: state.decisions.nextNumber(),
    project: kept.project,
    resource: {
      id: newId(state, 'decisions'),
      application_id: id,
      outcome: 'referred',
      reason: null,
      amount_pence,
      currency: 'GBP',
      term_months,
      conditions: [],
      offer: null,
      created_at: now,
      updated_at: now,
    },
  };
  const company = companyOf(state, kept);
  const underwriting = underwrite(company, amount_pence);
  settle(state, decision, underwriting, company);
  state.decisions.add(decision);
  conclude(state, kept, decision);
  if (underwriting.resolves) plan(state, 'resolve', id);
}

/** The underwriter of the sandbox approves. */
function resolve(state: SandboxState, kept: ApplicationKept): void {
  const decision = decisionOf(state, kept);
  if (decision?.resource.outcome !== 'referred') return;
  const before = { ...decision.resource };
  settle(state, decision, { outcome: 'approved', reason: null, resolves: false }, companyOf(state, kept));
  conclude(state, kept, decision, before);
}

function refresh(state: SandboxState, kept: ApplicationKept): void {
  const decision = decisionOf(state, kept);
  const inputs = kept.refresh;
  if (decision === undefined || inputs === null) return;
  kept.refresh = null;
  save(state, 'applications', kept);
  const before = { ...decision.resource };
  const { outcome, reason } = before;
  const company = companyOf(state, kept);
  if (outcome !== 'declined') Object.assign(decision.resource, inputs);
  const underwriting =
    outcome === 'referred' ? underwrite(company, inputs.amount_pence) : { outcome, reason, resolves: false };
  settle(state, decision, underwriting, company);
  conclude(state, kept, decision, before);
}

/** Writes an outcome into a decision. */
function settle(
  state: SandboxState,
  decision: DecisionKept,
  underwriting: Underwriting,
  company: ReservedCompany,
): void {
  const now = state.clock.now();
  const { resource } = decision;
  resource.outcome = underwriting.outcome;
  resource.reason = underwriting.reason;
  resource.conditions = conditionsOf(company, underwriting.outcome);
  resource.offer = underwriting.outcome === 'approved' ? offer(resource.amount_pence, resource.term_months, now) : null;
  resource.updated_at = stamp(state);
}

/** Emits the outcome, then changes the application's status where it changes: never backwards (partner-api.md#application-lifecycle). */
function conclude(state: SandboxState, kept: ApplicationKept, decision: DecisionKept, before?: DecisionObject): void {
  save(state, 'decisions', decision);
  const { outcome, id } = decision.resource;
  const moves = outcome !== 'referred' && kept.resource.status === 'in_review';
  const to = moves ? { status: outcome, decided_at: stamp(state) } : {};
  const previous = change(state, kept, { decision_id: id, ...to });
  const earlier = before && changes(before, decision.resource);
  emit(state, kept.project, 'decision.completed', decisionData(decision, kept, earlier));
  if (moves) emitUpdated(state, kept, previous);
}

export function decisionOf(state: SandboxState, kept: ApplicationKept): DecisionKept | undefined {
  return kept.resource.decision_id === null ? undefined : state.decisions.get(kept.resource.decision_id);
}

function companyOf(state: SandboxState, { resource }: ApplicationKept): ReservedCompany {
  return state.companies.ofApplication(resource.business.company_number);
}
