/** What the OpenAPI document says about each partner route beyond scope and limit, with an example that works on a fresh sandbox. */
import { PAGE_QUERY } from '../state/cursors.ts';
import type { Field } from '../http/fields.ts';
import { ACCOUNT_QUERY } from '../routes/accounts.ts';
import { APPLICATION_QUERY } from '../routes/applications.ts';
import { DECISION_QUERY } from '../routes/decisions.ts';
import { PAYMENT_QUERY } from '../routes/payments.ts';
import type { AnswerName, BodyName, PagedName } from './component-schemas.ts';

export interface OperationRow {
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  /** Below `/partner/v1`. */
  path: string;
  id: string;
  summary: string;
  tag: string;
  body?: { name: BodyName; example: object; required: boolean };
  answer: { status: number; schema?: AnswerName | `${PagedName}Page` };
  /** The rows that the route checks its query with. */
  query?: readonly Field[];
  /** Statuses of refusals beyond those every route has. */
  refusals?: readonly number[];
}

const APPLICATION = {
  amount_pence: 2_500_000,
  term_months: 12,
  business: { company_number: '16093826' },
  purpose: 'working_capital',
  redirect_uri: 'https://yourapp.example/return',
};

const SUBJECT = { first_name: 'Ada', last_name: 'Sample', date_of_birth: '1990-01-01' };

export const OPERATIONS: readonly OperationRow[] = [
  {
    method: 'POST',
    path: '/applications',
    id: 'createApplication',
    summary: 'Create an application',
    tag: 'Applications',
    body: { name: 'ApplicationCreate', example: APPLICATION, required: true },
    answer: { status: 201, schema: 'Application' },
    refusals: [409, 422],
  },
  {
    method: 'GET',
    path: '/applications',
    id: 'listApplications',
    summary: 'List applications, newest first',
    tag: 'Applications',
    query: APPLICATION_QUERY,
    answer: { status: 200, schema: 'ApplicationPage' },
  },
  {
    method: 'GET',
    path: '/applications/{id}',
    id: 'getApplication',
    summary: 'Read an application',
    tag: 'Applications',
    answer: { status: 200, schema: 'Application' },
  },
  {
    method: 'POST',
    path: '/applications/{id}/submit',
    id: 'submitApplication',
    summary: 'Submit an application, as its applicant would',
    tag: 'Applications',
    answer: { status: 200, schema: 'Application' },
    refusals: [409],
  },
  {
    method: 'POST',
    path: '/applications/{id}/withdraw',
    id: 'withdrawApplication',
    summary: 'Withdraw an application before it is funded',
    tag: 'Applications',
    answer: { status: 200, schema: 'Application' },
    refusals: [409],
  },
  {
    method: 'GET',
    path: '/decisions',
    id: 'listDecisions',
    summary: 'The decision of an application, as a page of none or one',
    tag: 'Decisions',
    query: DECISION_QUERY,
    answer: { status: 200, schema: 'DecisionPage' },
  },
  {
    method: 'GET',
    path: '/decisions/{id}',
    id: 'getDecision',
    summary: 'Read a decision by its own or its application’s id; 409 until there is one',
    tag: 'Decisions',
    answer: { status: 200, schema: 'Decision' },
    refusals: [409],
  },
  {
    method: 'POST',
    path: '/decisions/{id}/refresh',
    id: 'refreshDecision',
    summary: 'Ask for a new decision, with another amount or term if given',
    tag: 'Decisions',
    body: { name: 'DecisionRefreshCreate', example: { amount_pence: 2_000_000 }, required: false },
    answer: { status: 202, schema: 'DecisionRefresh' },
    refusals: [409, 422],
  },
  {
    method: 'POST',
    path: '/payments',
    id: 'createPayment',
    summary: 'Collect a payment, or ask for a drawdown',
    tag: 'Payments',
    body: { name: 'PaymentCreate', example: { amount: 250_000, currency: 'GBP', scheme: 'pisp' }, required: true },
    answer: { status: 202, schema: 'Payment' },
    refusals: [404, 409, 422],
  },
  {
    method: 'GET',
    path: '/payments',
    id: 'listPayments',
    summary: 'List payments, newest first',
    tag: 'Payments',
    query: PAYMENT_QUERY,
    answer: { status: 200, schema: 'PaymentPage' },
  },
  {
    method: 'GET',
    path: '/payments/{id}',
    id: 'getPayment',
    summary: 'Read a payment',
    tag: 'Payments',
    answer: { status: 200, schema: 'Payment' },
  },
  {
    method: 'POST',
    path: '/payments/links',
    id: 'createPaymentLink',
    summary: 'Create a link that a payer can pay with',
    tag: 'Payments',
    body: { name: 'PaymentLinkCreate', example: { amount: 45_000, reference: 'INV-5512' }, required: true },
    answer: { status: 201, schema: 'PaymentLink' },
    refusals: [404, 409, 422],
  },
  {
    method: 'GET',
    path: '/payments/links/{id}',
    id: 'getPaymentLink',
    summary: 'Read a payment link',
    tag: 'Payments',
    answer: { status: 200, schema: 'PaymentLink' },
  },
  {
    method: 'POST',
    path: '/identity/checks',
    id: 'createIdentityCheck',
    summary: 'Start an identity check',
    tag: 'Identity',
    body: { name: 'IdentityCheckCreate', example: { subject: SUBJECT }, required: true },
    answer: { status: 201, schema: 'IdentityCheck' },
    refusals: [404, 409, 422],
  },
  {
    method: 'GET',
    path: '/identity/checks/{id}',
    id: 'getIdentityCheck',
    summary: 'Read an identity check',
    tag: 'Identity',
    answer: { status: 200, schema: 'IdentityCheck' },
  },
  {
    method: 'GET',
    path: '/accounts',
    id: 'listAccounts',
    summary: 'List servicing accounts, newest first',
    tag: 'Accounts',
    query: ACCOUNT_QUERY,
    answer: { status: 200, schema: 'AccountPage' },
  },
  {
    method: 'GET',
    path: '/accounts/{id}',
    id: 'getAccount',
    summary: 'Read a servicing account',
    tag: 'Accounts',
    answer: { status: 200, schema: 'Account' },
  },
  {
    method: 'POST',
    path: '/webhook_endpoints',
    id: 'createWebhookEndpoint',
    summary: 'Register a webhook endpoint; its secret is shown only once',
    tag: 'Webhooks',
    body: {
      name: 'WebhookEndpointCreate',
      example: { url: 'http://127.0.0.1:3000/hook', enabled_events: ['decision.completed', 'payment.*'] },
      required: true,
    },
    answer: { status: 201, schema: 'WebhookEndpoint' },
    refusals: [409],
  },
  {
    method: 'GET',
    path: '/webhook_endpoints',
    id: 'listWebhookEndpoints',
    summary: 'List webhook endpoints',
    tag: 'Webhooks',
    query: PAGE_QUERY,
    answer: { status: 200, schema: 'WebhookEndpointPage' },
  },
  {
    method: 'GET',
    path: '/webhook_endpoints/{id}',
    id: 'getWebhookEndpoint',
    summary: 'Read a webhook endpoint',
    tag: 'Webhooks',
    answer: { status: 200, schema: 'WebhookEndpoint' },
  },
  {
    method: 'PATCH',
    path: '/webhook_endpoints/{id}',
    id: 'updateWebhookEndpoint',
    summary: 'Change a webhook endpoint',
    tag: 'Webhooks',
    body: { name: 'WebhookEndpointUpdate', example: { status: 'enabled' }, required: true },
    answer: { status: 200, schema: 'WebhookEndpoint' },
  },
  {
    method: 'DELETE',
    path: '/webhook_endpoints/{id}',
    id: 'deleteWebhookEndpoint',
    summary: 'Delete a webhook endpoint',
    tag: 'Webhooks',
    answer: { status: 204 },
  },
  {
    method: 'POST',
    path: '/webhook_endpoints/{id}/rotate_secret',
    id: 'rotateWebhookSecret',
    summary: 'Issue a new secret; the old one signs beside it for 24 hours',
    tag: 'Webhooks',
    answer: { status: 200, schema: 'WebhookEndpoint' },
  },
];
