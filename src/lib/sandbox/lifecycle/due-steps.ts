/** Runs a step that is due, by its kind (sandbox.md#lifecycle-timings). */
import { changes, emit, identityData } from '../deliveries/emitted-events.ts';
import type { RunStep, ScheduledStep } from '../state/clock.ts';
import type { IdentityObject } from '../state/objects.ts';
import { type SandboxState, save, stamp } from '../state/state.ts';
import { runApplicationStep } from './application-lifecycle.ts';
import { endCollection, runCollection } from './funding.ts';
import { endPayment, expireLink, outcomeOf } from './payment-lifecycle.ts';

/** `deliver` runs the steps that use the network. */
export function createStepRunner(state: SandboxState, deliver: RunStep): RunStep {
  return (step) => {
    state.persistence.remove('steps', String(step.order));
    switch (step.kind) {
      case 'deliver':
        return deliver(step);
      case 'payment':
        return runPaymentStep(state, step);
      case 'identity':
        return runIdentityStep(state, step);
      case 'collect':
        return runCollection(state, step);
      case 'expire_link':
        return expireLink(state, step);
      case 'submit':
      case 'review':
      case 'decide':
      case 'resolve':
      case 'refresh':
        return runApplicationStep(state, step);
    }
  };
}

/** A collection of an account, or one that settles by itself. */
function runPaymentStep(state: SandboxState, step: ScheduledStep): void {
  const kept = state.payments.get(step.id);
  if (kept?.resource.status !== 'processing') return;
  const account = kept.account === null ? undefined : state.accounts.get(kept.account);
  if (account) {
    endCollection(state, kept, account);
    return;
  }
  const outcome = outcomeOf(state, kept);
  if (outcome) endPayment(state, kept, outcome);
}

// How an identity check completes, by the subject's last name (sandbox.md#amounts-and-test-values).

const FATES: Readonly<Record<string, { status: IdentityObject['status']; spoils: string; result: string }>> = {
  fail: { status: 'failed', spoils: 'sanctions', result: 'fail' },
  refer: { status: 'referred', spoils: 'pep', result: 'refer' },
};

/** The step of a check that is due. */
function runIdentityStep(state: SandboxState, step: ScheduledStep): void {
  const kept = state.identity_checks.get(step.id);
  const name = String(kept?.resource.subject['last_name']).toLowerCase();
  if (kept?.resource.status !== 'pending' || name === 'pending') return;
  const fate = Object.hasOwn(FATES, name) ? FATES[name] : undefined;
  const before = { ...kept.resource };
  kept.resource.status = fate?.status ?? 'passed';
  kept.resource.checks = ['name', 'address', 'sanctions', 'pep'].map((check) => ({
    name: check,
    result: check === fate?.spoils ? fate.result : 'pass',
  }));
  kept.resource.completed_at = stamp(state);
  save(state, 'identity_checks', kept);
  const { status } = changes(before, kept.resource);
  // Only the status, as in the published sample (webhooks.md#event-catalogue): `checks` come into being, they do not change.
  emit(state, kept.project, 'identity.check.completed', identityData(kept, { status }));
}
