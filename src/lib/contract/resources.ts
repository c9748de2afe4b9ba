/**
 * What an answer must hold for the client to understand it. Deliberately loose: unknown members are kept, documented members are the
 * only required ones, everything this project assumed may be absent or null (partner API §0 rules 1 and 4, §18).
 */
import * as z from 'zod';
import { isKeptNumber } from './json.ts';

/** A number, or the kept text of one that a double cannot hold (`json`). */
const numeric = z.union([z.number(), z.custom<object>(isKeptNumber)]).meta({ title: 'number' });
/** ISO 8601 text; epoch seconds are read too (partner API §18). */
const instant = z.union([z.string(), z.number()]).meta({ title: 'instant' });
const text = z.string().nullish();
const metadata = z.record(z.string(), z.unknown()).nullish();

export const Application = z
  .looseObject({
    id: z.string(),
    status: z.string(),
    amount_pence: numeric.nullish(),
    term_months: numeric.nullish(),
    handoff_url: text,
    created_at: instant.nullish(),
    business: z.looseObject({ company_number: text, name: text }).nullish(),
    currency: text,
    purpose: text,
    applicant: z.looseObject({ email: text, first_name: text }).nullish(),
    redirect_uri: text,
    reference: text,
    introduction_id: text,
    metadata,
    decision_id: text,
    account_id: text,
    updated_at: instant.nullish(),
    submitted_at: instant.nullish(),
    decided_at: instant.nullish(),
    funded_at: instant.nullish(),
    withdrawn_at: instant.nullish(),
  })
  .meta({ id: 'Application' });
export type Application = z.infer<typeof Application>;

const Offer = z.looseObject({
  amount_pence: numeric.nullish(),
  term_months: numeric.nullish(),
  annual_rate_bps: numeric.nullish(),
  arrangement_fee_pence: numeric.nullish(),
  monthly_repayment_pence: numeric.nullish(),
  expires_at: instant.nullish(),
});

/** `outcome` may be absent: a 200 without it is read as pending (partner API §8). */
export const Decision = z
  .looseObject({
    id: text,
    application_id: text,
    outcome: text,
    reason: text,
    amount_pence: numeric.nullish(),
    currency: text,
    term_months: numeric.nullish(),
    conditions: z.array(z.looseObject({ code: text, description: text })).nullish(),
    offer: Offer.nullish(),
    created_at: instant.nullish(),
    updated_at: instant.nullish(),
  })
  .meta({ id: 'Decision' });
export type Decision = z.infer<typeof Decision>;

/** The answer to a refresh: the new outcome arrives later, by event and by reading. */
export const DecisionRefresh = z
  .looseObject({ id: text, application_id: text, refresh_status: text, requested_at: instant.nullish() })
  .meta({ id: 'DecisionRefresh' });
export type DecisionRefresh = z.infer<typeof DecisionRefresh>;

/** `amount` is pence here (partner API §18). Only `status` is published. */
export const Payment = z
  .looseObject({
    id: text,
    status: z.string(),
    amount: numeric.nullish(),
    currency: text,
    scheme: text,
    reference: text,
    payment_link_id: text,
    application_id: text,
    failure_code: text,
    created_at: instant.nullish(),
    metadata,
  })
  .meta({ id: 'Payment' });
export type Payment = z.infer<typeof Payment>;

export const PaymentLink = z
  .looseObject({
    id: text,
    status: text,
    url: text,
    amount: numeric.nullish(),
    currency: text,
    reference: text,
    payer: z.looseObject({ name: text, email: text }).nullish(),
    application_id: text,
    redirect_uri: text,
    expires_at: instant.nullish(),
    created_at: instant.nullish(),
    metadata,
  })
  .meta({ id: 'PaymentLink' });
export type PaymentLink = z.infer<typeof PaymentLink>;

const Address = z.looseObject({ line1: text, city: text, postcode: text, country: text });

const Subject = z.looseObject({
  first_name: text,
  last_name: text,
  date_of_birth: text,
  address: Address.nullish(),
  email: text,
  company_number: text,
});

export const IdentityCheck = z
  .looseObject({
    id: text,
    status: text,
    subject: Subject.nullish(),
    checks: z.array(z.looseObject({ name: text, result: text })).nullish(),
    application_id: text,
    reference: text,
    created_at: instant.nullish(),
    completed_at: instant.nullish(),
    metadata,
  })
  .meta({ id: 'IdentityCheck' });
export type IdentityCheck = z.infer<typeof IdentityCheck>;

export const Account = z
  .looseObject({
    id: text,
    application_id: text,
    status: text,
    balance_pence: numeric.nullish(),
    arrears_pence: numeric.nullish(),
    currency: text,
    next_payment: z.looseObject({ due_on: text, amount_pence: numeric.nullish() }).nullish(),
    opened_at: instant.nullish(),
  })
  .meta({ id: 'Account' });
export type Account = z.infer<typeof Account>;

/** `secret` is present in the answers to create and rotate only; `events` is another name of `enabled_events` (webhooks page §1). */
export const WebhookEndpoint = z
  .looseObject({
    id: z.string(),
    url: text,
    enabled_events: z.array(z.string()).nullish(),
    events: z.array(z.string()).nullish(),
    status: text,
    description: text,
    api_version: text,
    metadata,
    created: instant.nullish(),
    disabled_reason: text,
    previous_secret_expires_at: instant.nullish(),
    secret: text,
  })
  .meta({ id: 'WebhookEndpoint' });
export type WebhookEndpoint = z.infer<typeof WebhookEndpoint>;

/** A page of a list: the end is `has_more: false`, or `next_cursor` null or absent (partner API §15). */
export interface Page<T> {
  data: T[];
  has_more?: boolean | null | undefined;
  next_cursor?: string | null | undefined;
  [member: string]: unknown;
}

export function pageOf<T extends z.ZodType>(item: T) {
  return z.looseObject({ data: z.array(item), has_more: z.boolean().nullish(), next_cursor: text });
}

/** RFC 6749 §5.1; `expires_in` in seconds, 3600 when absent (partner API §3). */
export const TokenAnswer = z
  .looseObject({
    access_token: z.string(),
    token_type: text,
    expires_in: z.number().nullish(),
    scope: text,
  })
  .meta({ id: 'TokenAnswer' });
export type TokenAnswer = z.infer<typeof TokenAnswer>;

/** RFC 8414; only the members read are relied on. */
export const Discovery = z
  .looseObject({
    issuer: text,
    token_endpoint: text,
    jwks_uri: text,
    introspection_endpoint: text,
    grant_types_supported: z.array(z.string()).nullish(),
    token_endpoint_auth_methods_supported: z.array(z.string()).nullish(),
    scopes_supported: z.array(z.string()).nullish(),
  })
  .meta({ id: 'Discovery' });
export type Discovery = z.infer<typeof Discovery>;

/** RFC 7517. */
export const Jwks = z
  .looseObject({ keys: z.array(z.looseObject({ kty: z.string(), kid: text, alg: text, use: text })) })
  .meta({ id: 'Jwks' });
export type Jwks = z.infer<typeof Jwks>;

/** RFC 7662. */
export const Introspection = z
  .looseObject({ active: z.boolean(), client_id: text, scope: text, exp: z.number().nullish() })
  .meta({ id: 'Introspection' });
export type Introspection = z.infer<typeof Introspection>;
