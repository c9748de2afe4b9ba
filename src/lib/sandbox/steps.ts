/** Which hand does which step (sandbox.md#lifecycle-timings). */
import { endCollection, runCollection } from './accounts.ts';
import type { RunStep, Step } from './clock.ts';
import type { Faults } from './faults.ts';
import { runIdentityStep } from './identity.ts';
import { runApplicationStep } from './lifecycle.ts';
import { endingOf, endPayment, expireLink } from './payments.ts';
import type { World } from './world.ts';

/** `deliver` takes the steps that involve the network. */
export function createSteps(world: World, faults: Faults, deliver: RunStep): RunStep {
  return (step) => {
    world.ledger.remove('steps', String(step.order));
    switch (step.kind) {
      case 'deliver':
        return deliver(step);
      case 'payment':
        return runPaymentStep(world, faults, step);
      case 'identity':
        return runIdentityStep(world, step);
      case 'collect':
        return runCollection(world, step);
      case 'expire_link':
        return expireLink(world, step);
      case 'submit':
      case 'review':
      case 'decide':
      case 'resolve':
      case 'refresh':
        return runApplicationStep(world, step);
    }
  };
}

/** A collection of an account, or one that settles by itself. */
function runPaymentStep(world: World, faults: Faults, step: Step): void {
  const kept = world.payments.get(step.id);
  if (kept?.resource.status !== 'processing') return;
  const account = kept.account === null ? undefined : world.accounts.get(kept.account);
  if (account) {
    endCollection(world, faults, kept, account);
    return;
  }
  const ending = endingOf(faults, kept);
  if (ending) endPayment(world, kept, ending);
}
