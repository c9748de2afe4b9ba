/** A payer at a payment link (sandbox.md#payment-page-and-links): each try is a payment of its own, and a settled one closes the link. */
import { repayByLink } from './accounts.ts';
import type { Faults } from './faults.ts';
import type { PaymentKept, PaymentLinkKept } from './objects.ts';
import { endingOf, endPayment, openPayment, turnLink, type Ending } from './payments.ts';
import type { World } from './world.ts';

/** The caller has checked that the link is open. Without an `ending` the rule of the amount decides, faults included. */
export function payLink(world: World, faults: Faults, link: PaymentLinkKept, ending?: Ending): PaymentKept {
  const { id, amount, reference, application_id } = link.resource;
  const payment = openPayment(world, {
    project: link.project,
    amount,
    scheme: 'pisp',
    reference,
    applicationId: application_id,
    linkId: id,
    metadata: {},
  });
  const end = ending ?? endingOf(faults, payment);
  if (end === null) return payment;
  endPayment(world, payment, end);
  if (end.status === 'settled') {
    turnLink(world, link, 'paid');
    repayByLink(world, payment);
  }
  return payment;
}
