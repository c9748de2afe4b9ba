/** Pays a payment link (sandbox.md#payment-page-and-links): each try is a payment of its own, and a settled one closes the link. */
import type { PaymentKept, PaymentLinkKept } from '../state/objects.ts';
import type { SandboxState } from '../state/state.ts';
import { repayByLink } from './funding.ts';
import { endPayment, openPayment, outcomeOf, type PaymentOutcome, turnLink } from './payment-lifecycle.ts';

/** The caller has checked that the link is open. Without an `outcome` the rule of the amount decides, faults included. */
export function payLink(state: SandboxState, link: PaymentLinkKept, outcome?: PaymentOutcome): PaymentKept {
  const { id, amount, reference, application_id } = link.resource;
  const payment = openPayment(state, {
    project: link.project,
    amount,
    scheme: 'pisp',
    reference,
    applicationId: application_id,
    linkId: id,
    metadata: {},
  });
  const end = outcome ?? outcomeOf(state, payment);
  if (end === null) return payment;
  endPayment(state, payment, end);
  if (end.status === 'settled') {
    turnLink(state, link, 'paid');
    repayByLink(state, payment);
  }
  return payment;
}
