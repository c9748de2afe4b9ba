/**
 * Schemas of the API's resources, as the client checks answers against them. Deliberately loose: unknown members are kept, only
 * documented members are required, and everything that is assumed may be absent or null (partner-api.md#evidence-tags-and-optional-routes, partner-api.md#conventions).
 */
import * as z from 'zod/mini';
import { isKeptNumber } from './json.ts';

/** A number; one that a double cannot hold is kept as its source text (see `json`). */
const numeric = z.union([z.number(), z.custom<object>(isKeptNumber)]).register(z.globalRegistry, { title: 'number' });
/** A time as ISO 8601 text; epoch seconds are accepted too (partner-api.md#conventions). */
const instant = z.union([z.string(), z.number()]).register(z.globalRegistry, { title: 'instant' });
const text = z.nullish(z.string());
const metadata = z.nullish(z.record(z.string(), z.unknown()));

export const Application = z
  .looseObject({
    id: z.string(),
    status: z.string(),
    amount_pence: z.nullish(numeric),
    term_months: z.nullish(numeric),
    handoff_url: text,
    created_at: z.nullish(instant),
    business: z.nullish(z.looseObject({ company_number: text, name: text })),
    currency: text,
    purpose: text,
    applicant: z.nullish(z.looseObject({ email: text, first_name: text })),
    redirect_uri: text,
    reference: text,
    introduction_id: text,
    metadata,
    decision_id: text,
    account_id: text,
    updated_at: z.nullish(instant),
    submitted_at: z.nullish(instant),
    decided_at: z.nullish(instant),
    funded_at: z.nullish(instant),
    withdrawn_at: z.nullish(instant),
  })
  .register(z.globalRegistry, { id: 'Application' });
export type Application = z.infer<typeof Application>;

const Offer = z.looseObject({
  amount_pence: z.nullish(numeric),
  term_months: z.nullish(numeric),
  annual_rate_bps: z.nullish(numeric),
  arrangement_fee_pence: z.nullish(numeric),
  monthly_repayment_pence: z.nullish(numeric),
  expires_at: z.nullish(instant),
});

/** `outcome` may be absent: a 200 without it means that the decision is pending (partner-api.md#decisions). */
export const Decision = z
  .looseObject({
    id: text,
    application_id: text,
    outcome: text,
    reason: text,
    amount_pence: z.nullish(numeric),
    currency: text,
    term_months: z.nullish(numeric),
    conditions: z.nullish(z.array(z.looseObject({ code: text, description: text }))),
    offer: z.nullish(Offer),
    created_at: z.nullish(instant),
    updated_at: z.nullish(instant),
  })
  .register(z.globalRegistry, { id: 'Decision' });
export type Decision = z.infer<typeof Decision>;

/** The answer to a refresh. The new outcome comes later: as an event, or by reading the decision again. */
export const DecisionRefresh = z
  .looseObject({ id: text, application_id: text, refresh_status: text, requested_at: z.nullish(instant) })
  .register(z.globalRegistry, { id: 'DecisionRefresh' });
export type DecisionRefresh = z.infer<typeof DecisionRefresh>;

/** `amount` is in pence here (partner-api.md#conventions). Only `status` is documented. */
export const Payment = z
  .looseObject({
    id: text,
    status: z.string(),
    amount: z.nullish(numeric),
    currency: text,
    scheme: text,
    reference: text,
    payment_link_id: text,
    application_id: text,
    failure_code: text,
    created_at: z.nullish(instant),
    metadata,
  })
  .register(z.globalRegistry, { id: 'Payment' });
export type Payment = z.infer<typeof Payment>;

export const PaymentLink = z
  .looseObject({
    id: text,
    status: text,
    url: text,
    amount: z.nullish(numeric),
    currency: text,
    reference: text,
    payer: z.nullish(z.looseObject({ name: text, email: text })),
    application_id: text,
    redirect_uri: text,
    expires_at: z.nullish(instant),
    created_at: z.nullish(instant),
    metadata,
  })
  .register(z.globalRegistry, { id: 'PaymentLink' });
export type PaymentLink = z.infer<typeof PaymentLink>;

const Address = z.looseObject({ line1: text, city: text, postcode: text, country: text });

const Subject = z.looseObject({
  first_name: text,
  last_name: text,
  date_of_birth: text,
  address: z.nullish(Address),
  email: text,
  company_number: text,
});

export const IdentityCheck = z
  .looseObject({
    id: text,
    status: text,
    subject: z.nullish(Subject),
    checks: z.nullish(z.array(z.looseObject({ name: text, result: text }))),
    application_id: text,
    reference: text,
    created_at: z.nullish(instant),
    completed_at: z.nullish(instant),
    metadata,
  })
  .register(z.globalRegistry, { id: 'IdentityCheck' });
export type IdentityCheck = z.infer<typeof IdentityCheck>;

export const Account = z
  .looseObject({
    id: text,
    application_id: text,
    status: text,
    balance_pence: z.nullish(numeric),
    arrears_pence: z.nullish(numeric),
    currency: text,
    next_payment: z.nullish(z.looseObject({ due_on: text, amount_pence: z.nullish(numeric) })),
    opened_at: z.nullish(instant),
  })
  .register(z.globalRegistry, { id: 'Account' });
export type Account = z.infer<typeof Account>;

/** `secret` is present in the answers to create and rotate only; `events` is another name for `enabled_events` (webhooks.md#webhook-endpoints). */
export const WebhookEndpoint = z
  .looseObject({
    id: z.string(),
    url: text,
    enabled_events: z.nullish(z.array(z.string())),
    events: z.nullish(z.array(z.string())),
    status: text,
    description: text,
    api_version: text,
    metadata,
    created: z.nullish(instant),
    disabled_reason: text,
    previous_secret_expires_at: z.nullish(instant),
    secret: text,
  })
  .register(z.globalRegistry, { id: 'WebhookEndpoint' });
export type WebhookEndpoint = z.infer<typeof WebhookEndpoint>;

/** A page of a list: the end is `has_more: false`, or `next_cursor` null or absent (partner-api.md#pagination). */
export interface Page<T> {
  data: T[];
  has_more?: boolean | null | undefined;
  next_cursor?: string | null | undefined;
  [member: string]: unknown;
}

export function pageOf<T extends z.ZodMiniType>(item: T) {
  return z.looseObject({ data: z.array(item), has_more: z.nullish(z.boolean()), next_cursor: text });
}

/** RFC 6749 §5.1; `expires_in` in seconds, 3600 when absent (partner-api.md#oauth-tokens). */
export const TokenAnswer = z
  .looseObject({
    access_token: z.string(),
    token_type: text,
    expires_in: z.nullish(z.number()),
    scope: text,
  })
  .register(z.globalRegistry, { id: 'TokenAnswer' });
export type TokenAnswer = z.infer<typeof TokenAnswer>;

/** RFC 8414; only the members that the client uses. */
export const Discovery = z
  .looseObject({
    issuer: text,
    token_endpoint: text,
    jwks_uri: text,
    introspection_endpoint: text,
    grant_types_supported: z.nullish(z.array(z.string())),
    token_endpoint_auth_methods_supported: z.nullish(z.array(z.string())),
    scopes_supported: z.nullish(z.array(z.string())),
  })
  .register(z.globalRegistry, { id: 'Discovery' });
export type Discovery = z.infer<typeof Discovery>;

/** RFC 7517. */
export const Jwks = z
  .looseObject({ keys: z.array(z.looseObject({ kty: z.string(), kid: text, alg: text, use: text })) })
  .register(z.globalRegistry, { id: 'Jwks' });
export type Jwks = z.infer<typeof Jwks>;

/** RFC 7662. */
export const Introspection = z
  .looseObject({ active: z.boolean(), client_id: text, scope: text, exp: z.nullish(z.number()) })
  .register(z.globalRegistry, { id: 'Introspection' });
export type Introspection = z.infer<typeof Introspection>;
