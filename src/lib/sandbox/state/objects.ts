/**
 * The records that the sandbox keeps: each record is the resource as the API shows it, members in documented order, beside what only the
 * sandbox knows. `n` counts creations of one kind and is the order of lists.
 */
import type { EventEnvelope } from '../../contract/events.ts';
import type { ProjectName } from '../http/call.ts';

export interface ReservedCompany {
  number: string;
  name: string;
  documented: boolean;
  effect: Effect;
  outcome: DecisionOutcome | null;
  reason: string | null;
  notes: string;
}

/** What happens after submission (sandbox.md#companies). */
export type Effect =
  | 'approve'
  | 'refer_then_approve'
  | 'decline'
  | 'slow_approve'
  | 'refer_hold'
  | 'reject_not_eligible'
  | 'reject_not_found';

export type DecisionOutcome = 'approved' | 'referred' | 'declined';

export interface Kept<R> {
  n: number;
  project: ProjectName;
  resource: R;
}

export type ApplicationStatus =
  'created' | 'submitted' | 'in_review' | 'approved' | 'declined' | 'funded' | 'withdrawn';

/** partner-api.md#create-an-application. */
export interface ApplicationObject {
  id: string;
  status: ApplicationStatus;
  amount_pence: number;
  term_months: number;
  handoff_url: string;
  created_at: string;
  business: Readonly<{ company_number: string; name: string }>;
  currency: 'GBP';
  purpose: string | null;
  applicant: { email?: string; first_name?: string } | null;
  redirect_uri: string | null;
  reference: string | null;
  introduction_id: string | null;
  metadata: Metadata;
  decision_id: string | null;
  account_id: string | null;
  updated_at: string;
  submitted_at: string | null;
  decided_at: string | null;
  funded_at: string | null;
  withdrawn_at: string | null;
}

export type Metadata = Readonly<Record<string, string>>;

export interface ApplicationKept extends Kept<ApplicationObject> {
  /** Opens the journey page, nothing else. */
  token: string;
  /** Inputs of a refresh that is queued; null when none is. */
  refresh: { amount_pence: number; term_months: number } | null;
}

export interface Offer {
  amount_pence: number;
  term_months: number;
  annual_rate_bps: number;
  arrangement_fee_pence: number;
  monthly_repayment_pence: number;
  expires_at: string;
}

/** partner-api.md#decisions. */
export interface DecisionObject {
  id: string;
  application_id: string;
  outcome: DecisionOutcome;
  reason: string | null;
  amount_pence: number;
  currency: 'GBP';
  term_months: number;
  conditions: { code: string; description: string }[];
  offer: Offer | null;
  created_at: string;
  updated_at: string;
}

export type DecisionKept = Kept<DecisionObject>;

/** partner-api.md#create-a-payment. */
export interface PaymentObject {
  id: string;
  status: 'processing' | 'settled' | 'failed';
  amount: number;
  currency: 'GBP';
  scheme: string;
  reference: string | null;
  payment_link_id: string | null;
  application_id: string | null;
  failure_code: string | null;
  created_at: string;
  metadata: Metadata;
}

export interface PaymentKept extends Kept<PaymentObject> {
  /** A collection or repayment of this account. */
  account: string | null;
}

/** partner-api.md#create-a-payment-link. */
export interface PaymentLinkObject {
  id: string;
  status: 'open' | 'paid' | 'expired' | 'cancelled';
  url: string;
  amount: number;
  currency: 'GBP';
  reference: string;
  payer: { name?: string; email?: string } | null;
  application_id: string | null;
  redirect_uri: string | null;
  expires_at: string;
  created_at: string;
  metadata: Metadata;
}

export interface PaymentLinkKept extends Kept<PaymentLinkObject> {
  /** Opens the payment page, nothing else. */
  token: string;
}

/** partner-api.md#identity-checks. */
export interface IdentityObject {
  id: string;
  status: 'pending' | 'passed' | 'failed' | 'referred';
  subject: Record<string, unknown>;
  checks: { name: string; result: string }[];
  application_id: string | null;
  reference: string | null;
  created_at: string;
  completed_at: string | null;
  metadata: Metadata;
}

export type IdentityKept = Kept<IdentityObject>;

/** partner-api.md#accounts. */
export interface AccountObject {
  id: string;
  application_id: string;
  status: 'active' | 'in_arrears' | 'closed';
  balance_pence: number;
  arrears_pence: number;
  currency: 'GBP';
  next_payment: { due_on: string; amount_pence: number } | null;
  opened_at: string;
}

export interface AccountKept extends Kept<AccountObject> {
  instalment: number;
  /** Instalments whose due date has passed. */
  collected: number;
}

/** webhooks.md#webhook-endpoints; the secrets stand beside it. */
export interface EndpointObject {
  id: string;
  url: string;
  enabled_events: string[];
  status: 'enabled' | 'disabled';
  description: string | null;
  api_version: string;
  metadata: Metadata;
  created: string;
  disabled_reason: string | null;
  previous_secret_expires_at: string | null;
}

export interface EndpointKept extends Kept<EndpointObject> {
  secret: string;
  previous: { secret: string; until: number } | null;
  /** Sandbox time of the first failure since the last success. */
  failingSince: number | null;
}

/** The envelope with the default schema date; its data is a snapshot and never changes. */
export interface EventKept extends Kept<EventEnvelope> {
  /** Sandbox milliseconds. */
  created: number;
}

export type DeliveryStatus = 'pending' | 'delivered' | 'abandoned' | 'held';

/** sandbox.md#webhook-delivery. */
export interface AttemptObject {
  n: number;
  at: string;
  t: number;
  status: number | null;
  error: string | null;
  duration_ms: number;
  v1_count: number;
}

export interface DeliveryObject {
  id: string;
  event_id: string;
  event_type: string;
  endpoint_id: string;
  url: string;
  status: DeliveryStatus;
  created: string;
  next_attempt_at: string | null;
  attempts: AttemptObject[];
}

export interface DeliveryKept extends Kept<DeliveryObject> {
  /** Sandbox milliseconds. */
  eventCreated: number;
  /** When the next attempt is due, or a held delivery is given up; null when it is finished. */
  due: number | null;
  /** The exact bytes. */
  body: string;
}

/** An event older than this (sandbox milliseconds) is dropped for an endpoint (webhooks.md#retry-schedule). */
export const EVENT_LIFE_MS = 72 * 3_600_000;

/** True while attempts may follow. */
export function isWaiting({ resource: { status } }: DeliveryKept): boolean {
  return status === 'pending' || status === 'held';
}

/** An idempotent result (partner-api.md#idempotency). */
export interface KeptAnswer {
  /** Payloads are compared by this text. */
  payload: string;
  status: number;
  /** The text, or the resource that `render` makes it from again. */
  body: string | object;
  render: ((resource: object) => string) | null;
  /** Separated by spaces: a hundred thousand of these are kept, and a text is smaller than a list. */
  resourceIds: string;
  /** Sandbox milliseconds. */
  at: number;
}
