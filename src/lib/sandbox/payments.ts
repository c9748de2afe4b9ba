/** How payments and links move (sandbox.md#amounts-and-test-values, sandbox.md#lifecycle-timings, sandbox.md#payment-page-and-links). */
import type { Step } from './clock.ts';
import { changes, paymentData } from './event-data.ts';
import { tell } from './events.ts';
import type { Faults, FaultKind } from './faults.ts';
import type { Metadata, PaymentKept, PaymentLinkKept, PaymentObject, ProjectName } from './objects.ts';
import { paymentFate } from './outcomes.ts';
import { newId, save, stamp, type World } from './world.ts';

export interface NewPayment {
  project: ProjectName;
  amount: number;
  scheme: string;
  reference: string | null;
  applicationId: string | null;
  linkId: string | null;
  metadata: Metadata;
  account?: string;
}

/** A payment that is under way. */
export function openPayment(world: World, facts: NewPayment): PaymentKept {
  const kept: PaymentKept = {
    n: world.payments.nextNumber(),
    project: facts.project,
    resource: {
      id: newId(world, 'payments'),
      status: 'processing',
      amount: facts.amount,
      currency: 'GBP',
      scheme: facts.scheme,
      reference: facts.reference,
      payment_link_id: facts.linkId,
      application_id: facts.applicationId,
      failure_code: null,
      created_at: stamp(world),
      metadata: facts.metadata,
    },
    account: facts.account ?? null,
  };
  world.payments.add(kept);
  save(world, 'payments', kept);
  return kept;
}

export type Ending = { status: 'settled' } | { status: 'failed'; failureCode: string };

/** Ends a payment and says so. */
export function endPayment(world: World, kept: PaymentKept, ending: Ending): void {
  tellPayment(world, kept, closePayment(world, kept, ending));
}

/** Ends a payment without a word; returns the members that changed. */
export function closePayment(world: World, kept: PaymentKept, ending: Ending): Record<string, unknown> {
  const before: PaymentObject = { ...kept.resource };
  kept.resource.status = ending.status;
  if (ending.status === 'failed') kept.resource.failure_code = ending.failureCode;
  save(world, 'payments', kept);
  return changes(before, kept.resource);
}

/** Says how a payment ended. */
export function tellPayment(world: World, kept: PaymentKept, previous: Record<string, unknown>): void {
  const type = kept.resource.status === 'failed' ? 'payment.failed' : 'payment.settled';
  tell(world, kept.project, type, paymentData(kept, previous));
}

/** The kind that keeps a payment from settling. */
export const PAYMENT_FAIL: ReadonlySet<FaultKind> = new Set(['payment_fail']);

/** What becomes of a payment: the rule of its amount, or a fault where it would settle. Null: it stays under way. */
export function endingOf(faults: Faults, kept: PaymentKept): Ending | null {
  const { status, failureCode } = paymentFate(kept.resource.amount);
  if (status === 'processing') return null;
  if (failureCode !== null) return { status: 'failed', failureCode };
  const fault = faults.take(PAYMENT_FAIL, { applicationId: kept.resource.application_id });
  return fault ? { status: 'failed', failureCode: fault.code ?? 'insufficient_funds' } : { status: 'settled' };
}

/** The step of a link that nobody paid in time. */
export function expireLink(world: World, step: Step): void {
  const kept = world.payment_links.get(step.id);
  if (kept?.resource.status === 'open') turnLink(world, kept, 'expired');
}

export function turnLink(world: World, kept: PaymentLinkKept, status: 'paid' | 'expired' | 'cancelled'): void {
  kept.resource.status = status;
  save(world, 'payment_links', kept);
}
