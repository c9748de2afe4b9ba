/**
 * A complete sample payload for each event type (webhooks.md#event-catalogue, objects complete as the API shows them): what `webhooks trigger` sends
 * when no object id is given.
 */
import { DEFAULT_API_VERSION, type EventEnvelope, type EventType } from './events.ts';

const ID = /^(app|dec|pay|plink|idc|acc|enq|loan|con)_(?=[0-9A-Za-z]+$)/;

/**
 * The sample event of a type, with new ids; an id that occurs several times in the sample gets the same new id everywhere. `freshId`
 * receives a prefix with its underscore and returns a complete id; `created` is ISO 8601.
 */
export function sampleEvent(
  type: EventType,
  facts: { id: string; created: string; apiVersion?: string },
  freshId: (prefix: string) => string,
): EventEnvelope {
  const known = new Map<string, string>();
  const renewText = (text: string): string => {
    const prefix = ID.exec(text)?.[0];
    if (prefix === undefined) return text;
    const fresh = known.get(text) ?? freshId(prefix);
    known.set(text, fresh);
    return fresh;
  };
  return {
    id: facts.id,
    type,
    created: facts.created,
    livemode: false,
    api_version: facts.apiVersion ?? DEFAULT_API_VERSION,
    data: renewMembers(SAMPLES[type], renewText),
  };
}

function renewMembers(record: object, renew: (text: string) => string): Record<string, unknown> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, renewValue(value, renew)]));
}

function renewValue(value: unknown, renew: (text: string) => string): unknown {
  if (typeof value === 'string') return renew(value);
  if (Array.isArray(value)) return value.map((item) => renewValue(item, renew));
  return typeof value === 'object' && value !== null ? renewMembers(value, renew) : value;
}

const AT = '2026-06-29T10:14:02Z';

function application(status: string, changes: object = {}): object {
  return {
    id: 'app_8Kd2c9Qm',
    status,
    amount_pence: 2500000,
    term_months: 12,
    handoff_url: 'http://127.0.0.1:4010/apply/s/3fa7Qm2Zt8Wc1LrX5nYv0BdE',
    created_at: AT,
    business: { company_number: '16093826', name: 'Sample Trading Ltd' },
    currency: 'GBP',
    purpose: 'working_capital',
    applicant: null,
    redirect_uri: 'https://yourapp.example/return',
    reference: 'order_88421',
    introduction_id: null,
    metadata: {},
    decision_id: null,
    account_id: null,
    updated_at: AT,
    submitted_at: AT,
    decided_at: null,
    funded_at: null,
    withdrawn_at: null,
    ...changes,
  };
}

function decision(outcome: string, reason: string | null): object {
  return {
    id: 'dec_5H2N8kQz',
    application_id: 'app_8Kd2c9Qm',
    outcome,
    reason,
    amount_pence: 2500000,
    currency: 'GBP',
    term_months: 12,
    conditions: [],
    offer: outcome === 'approved' ? OFFER : null,
    created_at: AT,
    updated_at: AT,
  };
}

const OFFER = {
  amount_pence: 2500000,
  term_months: 12,
  annual_rate_bps: 1200,
  arrangement_fee_pence: 50000,
  monthly_repayment_pence: 222122,
  expires_at: '2026-07-13T10:14:02Z',
};

function payment(id: string, status: string, amount: number, reference: string, failure: string | null): object {
  return {
    id,
    status,
    amount,
    currency: 'GBP',
    scheme: 'pisp',
    reference,
    payment_link_id: null,
    application_id: null,
    failure_code: failure,
    created_at: '2026-06-29T13:42:07Z',
    metadata: {},
  };
}

const ACCOUNT = {
  id: 'acc_1Jx6Pz3T',
  application_id: 'app_8Kd2c9Qm',
  status: 'active',
  balance_pence: 2665464,
  arrears_pence: 0,
  currency: 'GBP',
  next_payment: { due_on: '2026-07-29', amount_pence: 222122 },
  opened_at: '2026-06-29T11:00:00Z',
};

const IDENTITY_CHECK = {
  id: 'idc_4Wm9Xb2Q',
  status: 'passed',
  subject: { first_name: 'Ada', last_name: 'Sample', date_of_birth: '1990-01-01' },
  checks: [
    { name: 'name', result: 'pass' },
    { name: 'address', result: 'pass' },
    { name: 'sanctions', result: 'pass' },
    { name: 'pep', result: 'pass' },
  ],
  application_id: null,
  reference: null,
  created_at: '2026-06-29T10:15:00Z',
  completed_at: '2026-06-29T10:15:01Z',
  metadata: {},
};

const LOAN = { id: 'loan_6Yb2Qe8R', status: 'active', amount: 25000, currency: 'GBP', term_months: 12 };
const CONSENT = { id: 'con_8Hm4Ts1D', subject: 'enq_9F3K2P', purpose: 'marketing' };
const ENQUIRY = { id: 'enq_9F3K2P', form: 'contact-us', dept: 'support' };
const PAID = { amount: 250000, currency: 'GBP', reference: 'INV-5512', application_id: null, payment_link_id: null };
const UNPAID = { ...PAID, amount: 45001, reference: 'INV-5513' };

const SAMPLES: Readonly<Record<EventType, object>> = {
  'application.submitted': {
    application_id: 'app_8Kd2c9Qm',
    status: 'submitted',
    reference: 'order_88421',
    object: application('submitted'),
  },
  'application.updated': {
    application_id: 'app_8Kd2c9Qm',
    status: 'in_review',
    reference: 'order_88421',
    object: application('in_review'),
    previous: { status: 'submitted' },
  },
  'application.funded': {
    application_id: 'app_8Kd2c9Qm',
    status: 'funded',
    reference: 'order_88421',
    account_id: 'acc_1Jx6Pz3T',
    object: application('funded', {
      decision_id: 'dec_5H2N8kQz',
      account_id: 'acc_1Jx6Pz3T',
      decided_at: AT,
      funded_at: AT,
    }),
    previous: { status: 'approved', account_id: null },
  },
  'decision.completed': {
    application_id: 'app_8Kd2c9Qm',
    decision_id: 'dec_5H2N8kQz',
    outcome: 'approved',
    reason: null,
    reference: 'order_88421',
    object: decision('approved', null),
  },
  'payment.settled': {
    payment_id: 'pay_7Tq1Zc4M',
    status: 'settled',
    ...PAID,
    object: payment('pay_7Tq1Zc4M', 'settled', 250000, 'INV-5512', null),
    previous: { status: 'processing' },
  },
  'payment.failed': {
    payment_id: 'pay_9Ls3Vd6H',
    status: 'failed',
    ...UNPAID,
    failure_code: 'insufficient_funds',
    object: payment('pay_9Ls3Vd6H', 'failed', 45001, 'INV-5513', 'insufficient_funds'),
    previous: { status: 'processing', failure_code: null },
  },
  'account.updated': {
    account_id: 'acc_1Jx6Pz3T',
    application_id: 'app_8Kd2c9Qm',
    status: 'active',
    balance_pence: 2665464,
    arrears_pence: 0,
    object: ACCOUNT,
  },
  'identity.check.completed': {
    identity_check_id: 'idc_4Wm9Xb2Q',
    application_id: null,
    status: 'passed',
    reference: null,
    object: IDENTITY_CHECK,
    previous: { status: 'pending' },
  },
  'enquiry.created': { object: { ...ENQUIRY, status: 'new' } },
  'enquiry.updated': {
    object: { ...ENQUIRY, status: 'in_progress', assignee: 'support-team' },
    previous: { status: 'new' },
  },
  'decision.referred': {
    application_id: 'app_8Kd2c9Qm',
    decision_id: 'dec_5H2N8kQz',
    outcome: 'referred',
    reason: null,
    object: { id: 'dec_5H2N8kQz', application_id: 'app_8Kd2c9Qm', outcome: 'referred' },
  },
  'loan.activated': { object: LOAN },
  'loan.closed': { object: { ...LOAN, status: 'closed' }, previous: { status: 'active' } },
  'payment.succeeded': {
    payment_id: 'pay_2Kc7Wn5J',
    object: { id: 'pay_2Kc7Wn5J', loan_id: 'loan_6Yb2Qe8R', amount: 2200, currency: 'GBP', status: 'succeeded' },
  },
  'consent.granted': { object: { ...CONSENT, granted: true } },
  'consent.withdrawn': { object: { ...CONSENT, granted: false }, previous: { granted: true } },
};
