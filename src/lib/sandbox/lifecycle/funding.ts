/** Funding and what follows: the account and its repayment schedule (sandbox.md#funding). */
import { isoSeconds } from '../../contract/time.ts';
import { accountData, applicationData, changes, emit } from '../deliveries/emitted-events.ts';
import type { ScheduledStep } from '../state/clock.ts';
import { repayment } from './underwriting.ts';
import type { AccountKept, AccountObject, ApplicationKept, PaymentKept } from '../state/objects.ts';
import { newId, plan, planAt, type SandboxState, save, stamp } from '../state/state.ts';
import { decisionOf } from './application-lifecycle.ts';
import { closePayment, emitPaymentEnd, endPayment, openPayment, PAYMENT_FAIL } from './payment-lifecycle.ts';

export interface Funded {
  application: ApplicationKept;
  payment: PaymentKept;
  account: AccountKept;
}

/** Releases the money of an application, as a person at Credicorp does. The caller has checked that it is approved. */
export function fund(state: SandboxState, application: ApplicationKept): Funded {
  const payment = drawdownOf(state, application);
  const paid = closePayment(state, payment, { status: 'settled' });
  const before = { ...application.resource };
  const account = openAccount(state, application, payment);
  const now = stamp(state);
  Object.assign(application.resource, {
    status: 'funded',
    account_id: account.resource.id,
    funded_at: now,
    updated_at: now,
  });
  save(state, 'applications', application);
  const previous = changes(before, application.resource);
  emit(state, application.project, 'application.funded', applicationData(application, previous));
  emitPaymentEnd(state, payment, paid);
  emit(state, account.project, 'account.updated', accountData(account));
  return { application, payment, account };
}

/** The oldest drawdown that waits for release, or one for the whole offer. */
function drawdownOf(state: SandboxState, application: ApplicationKept): PaymentKept {
  const { id, reference } = application.resource;
  const waiting = state.payments
    .list(application.project)
    .find(
      ({ resource, account }) => account === null && resource.application_id === id && resource.status === 'processing',
    );
  const offer = decisionOf(state, application)?.resource.offer;
  return (
    waiting ??
    openPayment(state, {
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

function openAccount(state: SandboxState, application: ApplicationKept, drawdown: PaymentKept): AccountKept {
  const opened = state.clock.now();
  const term = decisionOf(state, application)?.resource.offer?.term_months ?? application.resource.term_months;
  const instalment = repayment(drawdown.resource.amount, term);
  const balance = instalment * term;
  const kept: AccountKept = {
    n: state.accounts.nextNumber(),
    project: application.project,
    resource: {
      id: newId(state, 'accounts'),
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
  state.accounts.add(kept);
  scheduleNext(state, kept);
  save(state, 'accounts', kept);
  return kept;
}

/** Names the next due date and plans its collection. */
function scheduleNext(state: SandboxState, kept: AccountKept): void {
  const due = dueDate(Date.parse(kept.resource.opened_at), kept.collected + 1);
  kept.resource.next_payment = {
    due_on: isoSeconds(due).slice(0, 10),
    amount_pence: Math.min(kept.instalment, kept.resource.balance_pence),
  };
  planAt(state, 'collect', kept.resource.id, due);
}

/** The day of opening in the n-th following month, clamped to the month's end, at 06:00 UTC. */
export function dueDate(opened: number, n: number): number {
  const start = new Date(opened);
  const month = start.getUTCMonth() + n;
  const lastDay = new Date(Date.UTC(start.getUTCFullYear(), month + 1, 0)).getUTCDate();
  return Date.UTC(start.getUTCFullYear(), month, Math.min(start.getUTCDate(), lastDay), 6);
}

/** The step of a due date: a direct debit that ends 300 ms later. */
export function runCollection(state: SandboxState, step: ScheduledStep): void {
  const kept = state.accounts.get(step.id);
  if (kept === undefined || kept.resource.status === 'closed') return;
  const payment = openPayment(state, {
    project: kept.project,
    amount: Math.min(kept.instalment, kept.resource.balance_pence),
    scheme: 'direct_debit',
    reference: null,
    applicationId: kept.resource.application_id,
    linkId: null,
    metadata: {},
    account: kept.resource.id,
  });
  plan(state, 'payment', payment.resource.id);
}

/** The end of a collection: the date moves on whether it was paid or not. */
export function endCollection(state: SandboxState, payment: PaymentKept, account: AccountKept): void {
  const fault = state.faults.take(PAYMENT_FAIL, { applicationId: payment.resource.application_id });
  const before = { ...account.resource };
  account.collected += 1;
  if (fault === null) {
    endPayment(state, payment, { status: 'settled' });
    repay(account, payment.resource.amount);
  } else {
    endPayment(state, payment, { status: 'failed', failureCode: fault.code ?? 'insufficient_funds' });
    fallBehind(account, payment.resource.amount);
  }
  if (account.resource.status === 'closed') account.resource.next_payment = null;
  else scheduleNext(state, account);
  saveAccount(state, account, before);
}

/** A payment by link on the application of an open account counts as a repayment; it does not move the date. */
export function repayByLink(state: SandboxState, payment: PaymentKept): void {
  const { application_id: id } = payment.resource;
  const application = id === null ? undefined : state.applications.get(id);
  const account = state.accounts.get(application?.resource.account_id ?? '');
  if (account === undefined || account.resource.status === 'closed') return;
  const before = { ...account.resource };
  repay(account, payment.resource.amount);
  const { next_payment: next, balance_pence: balance } = account.resource;
  if (balance === 0) account.resource.next_payment = null;
  else if (next) account.resource.next_payment = { ...next, amount_pence: Math.min(account.instalment, balance) };
  saveAccount(state, account, before);
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

function saveAccount(state: SandboxState, account: AccountKept, before: AccountObject): void {
  save(state, 'accounts', account);
  emit(state, account.project, 'account.updated', accountData(account, changes(before, account.resource)));
}
