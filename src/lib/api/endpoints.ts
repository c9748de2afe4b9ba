/**
 * The endpoint list (partner-api.md#endpoint-inventory). A new endpoint is a line here. `assumed` marks the routes that no document states, which
 * the hosted API may lack (partner-api.md#evidence-tags-and-optional-routes).
 */
import type * as Resources from '../contract/resources.ts';

export interface Endpoint {
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  /** The path below `/partner/v1`; `{id}` matches one segment. */
  path: string;
  /** The resource in a successful answer; null for an empty body. */
  holds: ResourceName | null;
  /** True when a successful answer is a page of them. */
  list?: true;
  assumed?: true;
}

export type ResourceName =
  | 'Application'
  | 'Decision'
  | 'DecisionRefresh'
  | 'Payment'
  | 'PaymentLink'
  | 'IdentityCheck'
  | 'Account'
  | 'WebhookEndpoint';

/** The type of each resource. */
export interface ResourceTypes {
  Application: Resources.Application;
  Decision: Resources.Decision;
  DecisionRefresh: Resources.DecisionRefresh;
  Payment: Resources.Payment;
  PaymentLink: Resources.PaymentLink;
  IdentityCheck: Resources.IdentityCheck;
  Account: Resources.Account;
  WebhookEndpoint: Resources.WebhookEndpoint;
}

export const ENDPOINTS = {
  'applications.create': { method: 'POST', path: '/applications', holds: 'Application' },
  'applications.list': { method: 'GET', path: '/applications', holds: 'Application', list: true },
  'applications.get': { method: 'GET', path: '/applications/{id}', holds: 'Application' },
  'applications.submit': { method: 'POST', path: '/applications/{id}/submit', holds: 'Application', assumed: true },
  'applications.withdraw': { method: 'POST', path: '/applications/{id}/withdraw', holds: 'Application' },
  'decisions.list': { method: 'GET', path: '/decisions', holds: 'Decision', list: true },
  'decisions.get': { method: 'GET', path: '/decisions/{id}', holds: 'Decision' },
  'decisions.refresh': { method: 'POST', path: '/decisions/{id}/refresh', holds: 'DecisionRefresh' },
  'payments.create': { method: 'POST', path: '/payments', holds: 'Payment' },
  'payments.list': { method: 'GET', path: '/payments', holds: 'Payment', list: true, assumed: true },
  'payments.get': { method: 'GET', path: '/payments/{id}', holds: 'Payment', assumed: true },
  'links.create': { method: 'POST', path: '/payments/links', holds: 'PaymentLink' },
  'links.get': { method: 'GET', path: '/payments/links/{id}', holds: 'PaymentLink', assumed: true },
  'identity.create': { method: 'POST', path: '/identity/checks', holds: 'IdentityCheck' },
  'identity.get': { method: 'GET', path: '/identity/checks/{id}', holds: 'IdentityCheck', assumed: true },
  'accounts.list': { method: 'GET', path: '/accounts', holds: 'Account', list: true, assumed: true },
  'accounts.get': { method: 'GET', path: '/accounts/{id}', holds: 'Account', assumed: true },
  'webhooks.create': { method: 'POST', path: '/webhook_endpoints', holds: 'WebhookEndpoint' },
  'webhooks.list': { method: 'GET', path: '/webhook_endpoints', holds: 'WebhookEndpoint', list: true, assumed: true },
  'webhooks.get': { method: 'GET', path: '/webhook_endpoints/{id}', holds: 'WebhookEndpoint', assumed: true },
  'webhooks.update': { method: 'PATCH', path: '/webhook_endpoints/{id}', holds: 'WebhookEndpoint', assumed: true },
  'webhooks.delete': { method: 'DELETE', path: '/webhook_endpoints/{id}', holds: null, assumed: true },
  'webhooks.rotate': {
    method: 'POST',
    path: '/webhook_endpoints/{id}/rotate_secret',
    holds: 'WebhookEndpoint',
    assumed: true,
  },
} as const satisfies Record<string, Endpoint>;

export type EndpointName = keyof typeof ENDPOINTS;
/** The result of a call to the endpoint: an object, a page of them, or nothing. */
export type Yield<N extends EndpointName> = (typeof ENDPOINTS)[N] extends { holds: infer R extends ResourceName }
  ? (typeof ENDPOINTS)[N] extends { list: true }
    ? Resources.Page<ResourceTypes[R]>
    : ResourceTypes[R]
  : null;
/** The endpoints that return a page. */
export type ListName = {
  [N in EndpointName]: (typeof ENDPOINTS)[N] extends { list: true } ? N : never;
}[EndpointName];
/** The type of the items on a page of the endpoint. */
export type ItemOf<N extends ListName> = ResourceTypes[(typeof ENDPOINTS)[N]['holds']];
