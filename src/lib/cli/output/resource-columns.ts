/** Which members of each resource are the columns of its list, and of objects read one per row. */
import type { Column } from '../result.ts';

export const APPLICATION_COLUMNS: readonly Column[] = [
  { path: 'id' },
  { path: 'status' },
  { path: 'amount_pence', title: 'amount' },
  { path: 'term_months', title: 'months' },
  { path: 'business.company_number', title: 'company' },
  { path: 'created_at', title: 'created' },
];

export const DECISION_COLUMNS: readonly Column[] = [
  { path: 'id' },
  { path: 'application_id', title: 'application' },
  { path: 'outcome' },
  { path: 'reason' },
  { path: 'amount_pence', title: 'amount' },
  { path: 'term_months', title: 'months' },
  { path: 'updated_at', title: 'updated' },
];

/** `amount` is pence here (partner-api.md#conventions); the title says so, since the name does not. */
export const PAYMENT_COLUMNS: readonly Column[] = [
  { path: 'id' },
  { path: 'status' },
  { path: 'amount', title: 'amount (pence)' },
  { path: 'currency' },
  { path: 'scheme' },
  { path: 'reference' },
  { path: 'created_at', title: 'created' },
];

export const LINK_COLUMNS: readonly Column[] = [
  { path: 'id' },
  { path: 'status' },
  { path: 'amount', title: 'amount (pence)' },
  { path: 'currency' },
  { path: 'reference' },
  { path: 'expires_at', title: 'expires' },
  { path: 'url' },
];

export const CHECK_COLUMNS: readonly Column[] = [
  { path: 'id' },
  { path: 'status' },
  { path: 'subject.first_name', title: 'first name' },
  { path: 'subject.last_name', title: 'last name' },
  { path: 'application_id', title: 'application' },
  { path: 'created_at', title: 'created' },
];

export const ACCOUNT_COLUMNS: readonly Column[] = [
  { path: 'id' },
  { path: 'application_id', title: 'application' },
  { path: 'status' },
  { path: 'balance_pence', title: 'balance' },
  { path: 'arrears_pence', title: 'arrears' },
  { path: 'next_payment.due_on', title: 'next payment' },
  { path: 'opened_at', title: 'opened' },
];
