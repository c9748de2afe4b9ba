/** How payments and links move (sandbox.md#amounts-and-test-values, sandbox.md#lifecycle-timings, sandbox.md#payment-page-and-links). */
import { changes, emit, paymentData } from '../deliveries/emitted-events.ts';
import type { ProjectName } from '../http/call.ts';
import type { ScheduledStep } from '../state/clock.ts';
import type { FaultKind } from '../../contract/faults.ts';
import type { Metadata, PaymentKept, PaymentLinkKept, PaymentObject } from '../state/objects.ts';
import { newId, type SandboxState, save, stamp } from '../state/state.ts';

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
export function openPayment(state: SandboxState, facts: NewPayment): PaymentKept {
  const kept: PaymentKept = {
    n: state.payments.nextNumber(),
    project: facts.project,
    resource: {
      id: newId(state, 'payments'),
      status: 'processing',
      amount: facts.amount,
      currency: 'GBP',
      scheme: facts.scheme,
      reference: facts.reference,
      payment_link_id: facts.linkId,
      application_id: facts.applicationId,
      failure_code: null,
      created_at: stamp(state),
      metadata: facts.metadata,
    },
    account: facts.account ?? null,
  };
  state.payments.add(kept);
  save(state, 'payments', kept);
  return kept;
}

export type PaymentOutcome = { status: 'settled' } | { status: 'failed'; failureCode: string };

/** Ends a payment and emits the event. */
export function endPayment(state: SandboxState, kept: PaymentKept, outcome: PaymentOutcome): void {
  emitPaymentEnd(state, kept, closePayment(state, kept, outcome));
}

/** Ends a payment without an event; returns the members that changed. */
export function closePayment(state: SandboxState, kept: PaymentKept, outcome: PaymentOutcome): Record<string, unknown> {
  const before: PaymentObject = { ...kept.resource };
  kept.resource.status = outcome.status;
  if (outcome.status === 'failed') kept.resource.failure_code = outcome.failureCode;
  save(state, 'payments', kept);
  return changes(before, kept.resource);
}

/** Emits the event of how a payment ended. */
export function emitPaymentEnd(state: SandboxState, kept: PaymentKept, previous: Record<string, unknown>): void {
  const type = kept.resource.status === 'failed' ? 'payment.failed' : 'payment.settled';
  emit(state, kept.project, type, paymentData(kept, previous));
}

/** The fault that keeps a payment from settling. */
export const PAYMENT_FAIL: ReadonlySet<FaultKind> = new Set(['payment_fail']);

/** What becomes of a payment: the rule of its amount, or a fault where it would settle. Null: it stays under way. */
export function outcomeOf(state: SandboxState, kept: PaymentKept): PaymentOutcome | null {
  const { status, failureCode } = fateByAmount(kept.resource.amount);
  if (status === 'processing') return null;
  if (failureCode !== null) return { status: 'failed', failureCode };
  const fault = state.faults.take(PAYMENT_FAIL, { applicationId: kept.resource.application_id });
  return fault ? { status: 'failed', failureCode: fault.code ?? 'insufficient_funds' } : { status: 'settled' };
}

/** The step of a link that nobody paid in time. */
export function expireLink(state: SandboxState, step: ScheduledStep): void {
  const kept = state.payment_links.get(step.id);
  if (kept?.resource.status === 'open') turnLink(state, kept, 'expired');
}

export function turnLink(state: SandboxState, kept: PaymentLinkKept, status: 'paid' | 'expired' | 'cancelled'): void {
  kept.resource.status = status;
  save(state, 'payment_links', kept);
}

/** What becomes of a collection, by the last two digits of its amount (sandbox.md#amounts-and-test-values). */
function fateByAmount(amount: number): {
  status: 'settled' | 'failed' | 'processing';
  failureCode: string | null;
} {
  const failureCode = { 1: 'insufficient_funds', 2: 'technical_error', 3: 'disputed_by_customer' }[amount % 100];
  if (failureCode !== undefined) return { status: 'failed', failureCode };
  return { status: amount % 100 === 4 ? 'processing' : 'settled', failureCode: null };
}
