/** Funding and what follows: the account and its repayment schedule (sandbox.md#funding). */
import { isoSeconds } from '../contract/time.ts';
import type { Step } from './clock.ts';
import { accountData, applicationData, changes } from './event-data.ts';
import { tell } from './events.ts';
import type { Faults } from './faults.ts';
import { decisionOf } from './lifecycle.ts';
import type { AccountKept, AccountObject, ApplicationKept, PaymentKept } from './objects.ts';
import { repayment, WAITS } from './outcomes.ts';
import { closePayment, endPayment, openPayment, PAYMENT_FAIL, tellPayment } from './payments.ts';
import { newId, plan, planAt, save, stamp, type World } from './world.ts';

export interface Funded {
  application: ApplicationKept;
  payment: PaymentKept;
  account: AccountKept;
}

/** The person who releases money. The caller has checked that the application is approved. */
export function fund(world: World, application: ApplicationKept): Funded {
  const payment = drawdownOf(world, application);
  const paid = closePayment(world, payment, { status: 'settled' });
  const before = { ...application.resource };
  const account = openAccount(world, application, payment);
  const now = stamp(world);
  Object.assign(application.resource, {
    status: 'funded',
    account_id: account.resource.id,
    funded_at: now,
    updated_at: now,
  });
  save(world, 'applications', application);
  const previous = changes(before, application.resource);
  tell(world, application.project, 'application.funded', applicationData(application, previous));
  tellPayment(world, payment, paid);
  tell(world, account.project, 'account.updated', accountData(account));
  return { application, payment, account };
}

/** The oldest drawdown that waits for release, or one for the whole offer. */
function drawdownOf(world: World, application: ApplicationKept): PaymentKept {
  const { id, reference } = application.resource;
  const waiting = world.payments
    .list(application.project)
    .find(
      ({ resource, account }) => account === null && resource.application_id === id && resource.status === 'processing',
    );
  const offer = decisionOf(world, application)?.resource.offer;
  return (
    waiting ??
    openPayment(world, {
      project: application.project,
      amount: offer?.amount_pence ?? application.resource.amount_pence,
      scheme: 'pisp',
      // A reference of an application may be longer than one of a payment.
      reference: reference?.slice(0, 64) ?? null,
      applicationId: id,
      linkId: null,
      metadata: {},
    })
  );
}

function openAccount(world: World, application: ApplicationKept, drawdown: PaymentKept): AccountKept {
  const opened = world.clock.now();
  const term = decisionOf(world, application)?.resource.offer?.term_months ?? application.resource.term_months;
  const instalment = repayment(drawdown.resource.amount, term);
  const balance = instalment * term;
  const kept: AccountKept = {
    n: world.accounts.nextNumber(),
    project: application.project,
    resource: {
      id: newId(world, 'accounts'),
      application_id: application.resource.id,
      status: 'active',
      balance_pence: balance,
      arrears_pence: 0,
      currency: 'GBP',
      next_payment: null,
      opened_at: isoSeconds(opened),
    },
    instalment,
    collected: 0,
  };
  world.accounts.add(kept);
  scheduleNext(world, kept);
  save(world, 'accounts', kept);
  return kept;
}

/** Names the next due date and plans its collection. */
function scheduleNext(world: World, kept: AccountKept): void {
  const due = dueDate(Date.parse(kept.resource.opened_at), kept.collected + 1);
  kept.resource.next_payment = {
    due_on: isoSeconds(due).slice(0, 10),
    amount_pence: Math.min(kept.instalment, kept.resource.balance_pence),
  };
  planAt(world, 'collect', kept.resource.id, due);
}

/** The day of opening in the n-th following month, clamped to the month's end, at 06:00 UTC. */
export function dueDate(opened: number, n: number): number {
  const start = new Date(opened);
  const month = start.getUTCMonth() + n;
  const lastDay = new Date(Date.UTC(start.getUTCFullYear(), month + 1, 0)).getUTCDate();
  return Date.UTC(start.getUTCFullYear(), month, Math.min(start.getUTCDate(), lastDay), 6);
}

/** The step of a due date: a direct debit that ends 300 ms later. */
export function runCollection(world: World, step: Step): void {
  const kept = world.accounts.get(step.id);
  if (kept === undefined || kept.resource.status === 'closed') return;
  const payment = openPayment(world, {
    project: kept.project,
    amount: Math.min(kept.instalment, kept.resource.balance_pence),
    scheme: 'direct_debit',
    reference: null,
    applicationId: kept.resource.application_id,
    linkId: null,
    metadata: {},
    account: kept.resource.id,
  });
  plan(world, 'payment', payment.resource.id, WAITS.payment);
}

/** The end of a collection: the date moves on whether it was paid or not. */
export function endCollection(world: World, faults: Faults, payment: PaymentKept, account: AccountKept): void {
  const fault = faults.take(PAYMENT_FAIL, { applicationId: payment.resource.application_id });
  const before = { ...account.resource };
  account.collected += 1;
  if (fault === null) {
    endPayment(world, payment, { status: 'settled' });
    repay(account, payment.resource.amount);
  } else {
    endPayment(world, payment, { status: 'failed', failureCode: fault.code ?? 'insufficient_funds' });
    fallBehind(account, payment.resource.amount);
  }
  if (account.resource.status === 'closed') account.resource.next_payment = null;
  else scheduleNext(world, account);
  tellAccount(world, account, before);
}

/** A payment by link on the application of an open account counts as a repayment; it does not move the date. */
export function repayByLink(world: World, payment: PaymentKept): void {
  const { application_id: id } = payment.resource;
  const application = id === null ? undefined : world.applications.get(id);
  const account = world.accounts.get(application?.resource.account_id ?? '');
  if (account === undefined || account.resource.status === 'closed') return;
  const before = { ...account.resource };
  repay(account, payment.resource.amount);
  const { next_payment: next, balance_pence: balance } = account.resource;
  if (balance === 0) account.resource.next_payment = null;
  else if (next) account.resource.next_payment = { ...next, amount_pence: Math.min(account.instalment, balance) };
  tellAccount(world, account, before);
}

/** First arrears and balance together, then the balance alone. */
function repay({ resource }: AccountKept, amount: number): void {
  resource.arrears_pence = Math.max(0, resource.arrears_pence - amount);
  resource.balance_pence = Math.max(0, resource.balance_pence - amount);
  if (resource.balance_pence === 0) resource.status = 'closed';
  else if (resource.arrears_pence === 0) resource.status = 'active';
}

function fallBehind({ resource }: AccountKept, amount: number): void {
  resource.arrears_pence = Math.min(resource.balance_pence, resource.arrears_pence + amount);
  resource.status = 'in_arrears';
}

function tellAccount(world: World, account: AccountKept, before: AccountObject): void {
  save(world, 'accounts', account);
  tell(world, account.project, 'account.updated', accountData(account, changes(before, account.resource)));
}
