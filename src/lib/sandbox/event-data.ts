/** `data` of each event (webhooks.md#event-catalogue): flat keys first, then `object` as it is now, then `previous`. */
import type { EventType } from '../contract/events.ts';
import type { AccountKept, ApplicationKept, DecisionKept, IdentityKept, PaymentKept, ProjectName } from './objects.ts';
import type { World } from './world.ts';

type Data = Record<string, unknown>;

/**
 * The payload of a type about an object that exists, and its project. `unknown`: no such object; `other_kind`: the type is not
 * about such objects.
 */
export function dataOf(
  world: World,
  type: EventType,
  id: string,
): { project: ProjectName; data: Data } | 'unknown' | 'other_kind' {
  const application = world.applications.get(id);
  const decision = world.decisions.get(id);
  const payment = world.payments.get(id);
  const account = world.accounts.get(id);
  const identity = world.identity_checks.get(id);
  const found = application ?? decision ?? payment ?? account ?? identity;
  if (found === undefined) return 'unknown';
  const family = type.split('.')[0];
  const { project } = found;
  if (family === 'application' && application) return { project, data: applicationData(application) };
  if (family === 'decision' && decision) {
    const of = world.applications.get(decision.resource.application_id);
    return of ? { project, data: decisionData(decision, of) } : 'unknown';
  }
  if (family === 'payment' && payment) return { project, data: paymentData(payment) };
  if (family === 'account' && account) return { project, data: accountData(account) };
  if (family === 'identity' && identity) return { project, data: identityData(identity) };
  return 'other_kind';
}

/** Members that changed, with their old values; times are left out, as in the published samples (webhooks.md#event-catalogue). */
export function changes<R extends object>(before: R, after: R): Data {
  const changed: Data = {};
  for (const key in after) {
    const [old, now] = [before[key], after[key]];
    if (old !== now && !key.endsWith('_at') && !isSame(old, now)) changed[key] = old ?? null;
  }
  return changed;
}

function isSame(a: unknown, b: unknown): boolean {
  return typeof a === 'object' && typeof b === 'object' && JSON.stringify(a) === JSON.stringify(b);
}

export function applicationData(
  { resource }: ApplicationKept,
  previous?: Record<string, unknown>,
): Record<string, unknown> {
  const { id, status, reference, account_id } = resource;
  return {
    application_id: id,
    status,
    reference,
    ...(status === 'funded' ? { account_id } : {}),
    object: { ...resource },
    ...(previous ? { previous } : {}),
  };
}

export function decisionData(
  { resource }: DecisionKept,
  application: ApplicationKept,
  previous?: Record<string, unknown>,
): Record<string, unknown> {
  return {
    application_id: resource.application_id,
    decision_id: resource.id,
    outcome: resource.outcome,
    reason: resource.reason,
    reference: application.resource.reference,
    object: { ...resource },
    ...(previous ? { previous } : {}),
  };
}

export function paymentData({ resource }: PaymentKept, previous?: Record<string, unknown>): Record<string, unknown> {
  const { id, status, amount, currency, reference, application_id, payment_link_id, failure_code } = resource;
  return {
    payment_id: id,
    status,
    amount,
    currency,
    reference,
    application_id,
    payment_link_id,
    ...(status === 'failed' ? { failure_code } : {}),
    object: { ...resource },
    ...(previous ? { previous } : {}),
  };
}

export function accountData({ resource }: AccountKept, previous?: Record<string, unknown>): Record<string, unknown> {
  const { id, application_id, status, balance_pence, arrears_pence } = resource;
  return {
    account_id: id,
    application_id,
    status,
    balance_pence,
    arrears_pence,
    object: { ...resource },
    ...(previous ? { previous } : {}),
  };
}

export function identityData({ resource }: IdentityKept, previous?: Record<string, unknown>): Record<string, unknown> {
  const { id, application_id, status, reference } = resource;
  return {
    identity_check_id: id,
    application_id,
    status,
    reference,
    object: { ...resource },
    ...(previous ? { previous } : {}),
  };
}
