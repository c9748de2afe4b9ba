/** How an identity check completes, by the subject's last name (sandbox.md#amounts-and-test-values). */
import type { Step } from './clock.ts';
import { changes, identityData } from './event-data.ts';
import { tell } from './events.ts';
import type { IdentityObject } from './objects.ts';
import { save, stamp, type World } from './world.ts';

const FATES: Readonly<Record<string, { status: IdentityObject['status']; spoils: string; result: string }>> = {
  fail: { status: 'failed', spoils: 'sanctions', result: 'fail' },
  refer: { status: 'referred', spoils: 'pep', result: 'refer' },
};

/** The step of a check that is due. */
export function runIdentityStep(world: World, step: Step): void {
  const kept = world.identity_checks.get(step.id);
  const name = String(kept?.resource.subject['last_name']).toLowerCase();
  if (kept?.resource.status !== 'pending' || name === 'pending') return;
  const fate = Object.hasOwn(FATES, name) ? FATES[name] : undefined;
  const before = { ...kept.resource };
  kept.resource.status = fate?.status ?? 'passed';
  kept.resource.checks = ['name', 'address', 'sanctions', 'pep'].map((check) => ({
    name: check,
    result: check === fate?.spoils ? fate.result : 'pass',
  }));
  kept.resource.completed_at = stamp(world);
  save(world, 'identity_checks', kept);
  const { status } = changes(before, kept.resource);
  // Only the status, as in the published sample (webhooks.md#event-catalogue): `checks` come into being, they do not change.
  tell(world, kept.project, 'identity.check.completed', identityData(kept, { status }));
}
