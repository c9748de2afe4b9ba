/** How an application moves (sandbox.md#lifecycle-timings). A step whose application has moved on does nothing. */
import type { Step } from './clock.ts';
import { applicationData, changes, decisionData } from './event-data.ts';
import { tell } from './events.ts';
import type { ApplicationKept, ApplicationObject, DecisionKept, DecisionObject, ReservedCompany } from './objects.ts';
import { conditionsOf, judge, offer, waitForDecision, WAITS, type Verdict } from './outcomes.ts';
import { newId, plan, save, stamp, type World } from './world.ts';

/** Changes members of an application and says so. `tellFirst` names the event that stands before `application.updated`. */
function change(world: World, kept: ApplicationKept, to: Partial<ApplicationObject>): Record<string, unknown> {
  const before = { ...kept.resource };
  Object.assign(kept.resource, to, { updated_at: stamp(world) });
  save(world, 'applications', kept);
  return changes(before, kept.resource);
}

function tellUpdated(world: World, kept: ApplicationKept, previous: Record<string, unknown>): void {
  tell(world, kept.project, 'application.updated', applicationData(kept, previous));
}

/** The applicant completes the journey. The caller has checked that the status is `created`. */
export function submit(world: World, kept: ApplicationKept): void {
  const previous = change(world, kept, { status: 'submitted', submitted_at: stamp(world) });
  tell(world, kept.project, 'application.submitted', applicationData(kept));
  tellUpdated(world, kept, previous);
  const company = companyOf(world, kept);
  plan(world, 'review', kept.resource.id, WAITS.review);
  plan(world, 'decide', kept.resource.id, waitForDecision(company.effect));
}

/** The caller has checked that the status allows it. */
export function withdraw(world: World, kept: ApplicationKept): void {
  kept.refresh = null;
  tellUpdated(world, kept, change(world, kept, { status: 'withdrawn', withdrawn_at: stamp(world) }));
}

/** Does one of the steps of an application. */
export function runApplicationStep(world: World, step: Step): void {
  const kept = world.applications.get(step.id);
  if (kept === undefined) return;
  const { status } = kept.resource;
  if (step.kind === 'submit' && status === 'created') submit(world, kept);
  else if (step.kind === 'review' && status === 'submitted') {
    tellUpdated(world, kept, change(world, kept, { status: 'in_review' }));
  } else if (step.kind === 'decide' && status === 'in_review') decide(world, kept);
  else if (step.kind === 'resolve' && status === 'in_review') resolve(world, kept);
  else if (step.kind === 'refresh') refresh(world, kept);
}

function decide(world: World, kept: ApplicationKept): void {
  const { id, amount_pence, term_months } = kept.resource;
  const now = stamp(world);
  const decision: DecisionKept = {
    n: world.decisions.nextNumber(),
    project: kept.project,
    resource: {
      id: newId(world, 'decisions'),
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
  const company = companyOf(world, kept);
  const verdict = judge(company, amount_pence);
  settle(world, decision, verdict, company);
  world.decisions.add(decision);
  conclude(world, kept, decision);
  if (verdict.resolves) plan(world, 'resolve', id, WAITS.resolve);
}

/** The underwriter of the sandbox approves. */
function resolve(world: World, kept: ApplicationKept): void {
  const decision = decisionOf(world, kept);
  if (decision?.resource.outcome !== 'referred') return;
  const before = { ...decision.resource };
  settle(world, decision, { outcome: 'approved', reason: null, resolves: false }, companyOf(world, kept));
  conclude(world, kept, decision, before);
}

function refresh(world: World, kept: ApplicationKept): void {
  const decision = decisionOf(world, kept);
  const inputs = kept.refresh;
  if (decision === undefined || inputs === null) return;
  kept.refresh = null;
  save(world, 'applications', kept);
  const before = { ...decision.resource };
  const { outcome, reason } = before;
  const company = companyOf(world, kept);
  if (outcome !== 'declined') Object.assign(decision.resource, inputs);
  const verdict = outcome === 'referred' ? judge(company, inputs.amount_pence) : { outcome, reason, resolves: false };
  settle(world, decision, verdict, company);
  conclude(world, kept, decision, before);
}

/** Writes an outcome into a decision. */
function settle(world: World, decision: DecisionKept, verdict: Verdict, company: ReservedCompany): void {
  const now = world.clock.now();
  const { resource } = decision;
  resource.outcome = verdict.outcome;
  resource.reason = verdict.reason;
  resource.conditions = conditionsOf(company, verdict.outcome);
  resource.offer = verdict.outcome === 'approved' ? offer(resource.amount_pence, resource.term_months, now) : null;
  if (resource.offer) resource.offer.expires_at = world.texts.share(resource.offer.expires_at);
  resource.updated_at = stamp(world);
}

/** Tells the outcome, then moves the application where it moves: never back (partner-api.md#application-lifecycle). */
function conclude(world: World, kept: ApplicationKept, decision: DecisionKept, before?: DecisionObject): void {
  save(world, 'decisions', decision);
  const { outcome, id } = decision.resource;
  const moves = outcome !== 'referred' && kept.resource.status === 'in_review';
  const to = moves ? { status: outcome, decided_at: stamp(world) } : {};
  const previous = change(world, kept, { decision_id: id, ...to });
  const earlier = before && changes(before, decision.resource);
  tell(world, kept.project, 'decision.completed', decisionData(decision, kept, earlier));
  if (moves) tellUpdated(world, kept, previous);
}

export function decisionOf(world: World, kept: ApplicationKept): DecisionKept | undefined {
  return kept.resource.decision_id === null ? undefined : world.decisions.get(kept.resource.decision_id);
}

function companyOf(world: World, { resource }: ApplicationKept): ReservedCompany {
  return world.companies.ofApplication(resource.business.company_number);
}
