/**
 * Error codes and the error envelope (partner-api.md#errors, partner-api.md#oauth-tokens) as plain data: the sandbox composes its errors from
 * them, the client explains errors by them. No schema library here, because every command may load this file.
 */
import type { ProblemBody } from './problem-shape.ts';

/** The five error types of the envelope. */
export type ProblemType =
  'authentication_error' | 'permission_error' | 'invalid_request_error' | 'rate_limit_error' | 'api_error';

/**
 * Whether another try makes sense: `same_key` with the same idempotency key, `poll` by reading again, `after_mint` once with a
 * fresh token, `after_wait` after `Retry-After`, `idempotent` for reads and keyed writes.
 */
export type ProblemRetry = 'no' | 'yes' | 'same_key' | 'poll' | 'after_mint' | 'after_wait' | 'idempotent';

export interface ProblemEntry {
  /** HTTP statuses that come with this code, the usual one first. */
  status: readonly [number, ...number[]];
  /** null for the general codes that only repeat the meaning of their status. */
  type: ProblemType | null;
  meaning: string;
  retry: ProblemRetry;
  /** The sandbox returns it by itself; every other code can be produced with an injected fault. */
  emit: boolean;
  /** The published errors page has an anchor for it, so the sandbox sets `doc_url` (partner-api.md#errors). */
  anchored: boolean;
  /** One line: what the user should do now. */
  next: string;
}

const AE = 'authentication_error';
const PE = 'permission_error';
const IR = 'invalid_request_error';
const RL = 'rate_limit_error';
const API = 'api_error';
const SIGN_IN = 'check the credential with `credicorp whoami --check`, or sign in again with `credicorp login`';
const FIX_FIELD = 'correct the field named in `param` and send it again; a write with a new idempotency key';

const NEW_KEY = 'a corrected body needs a new key: leave --idempotency-key out or choose another';
const WAIT = 'wait for `Retry-After`, then repeat; lower --concurrency for bulk work';

/** General codes that only repeat the meaning of their status. */
const FAMILY = { type: null, retry: 'no', emit: false, anchored: false } as const;
/** Codes of the public web forms: known, but not used by this program. */
const PUBLIC_FORMS = { ...FAMILY, type: IR, next: 'not used by this program' } as const;

/** Every documented and sandbox code (partner-api.md#errors), in the order of the page. */
export const PROBLEMS = {
  parameter_missing: {
    ...{ status: [400], type: IR, retry: 'no', emit: true, anchored: true },
    meaning: 'a required field is missing',
    next: 'add the field named in `param`',
  },
  parameter_invalid: {
    ...{ status: [400], type: IR, retry: 'no', emit: true, anchored: true },
    meaning: 'a field has the wrong type, enum value or format, or a cursor or limit is bad',
    next: FIX_FIELD,
  },
  invalid_request: {
    ...{ status: [400, 404, 405], type: IR, retry: 'no', emit: true, anchored: false },
    meaning: 'the body is not JSON, or the route or method is unknown',
    next: 'check method, path and body; `credicorp api` prints what was sent with --debug',
  },
  missing_api_key: {
    ...{ status: [401], type: AE, retry: 'no', emit: true, anchored: false },
    meaning: 'the request carried no Authorization header',
    next: 'sign in with `credicorp login`',
  },
  unauthorized: {
    ...{ status: [401], type: AE, retry: 'no', emit: true, anchored: false },
    meaning: 'the credential is unknown or malformed',
    next: SIGN_IN,
  },
  token_expired: {
    ...{ status: [401], type: AE, retry: 'after_mint', emit: true, anchored: true },
    meaning: 'the access token has expired',
    next: 'mint a new token once and repeat the call; `credicorp token` does so',
  },
  token_revoked: {
    ...{ status: [401], type: AE, retry: 'no', emit: true, anchored: true },
    meaning: 'the credential was revoked',
    next: 'ask who revoked it in the dashboard, then sign in with a new one: `credicorp login`',
  },
  audience_mismatch: {
    ...{ status: [401], type: AE, retry: 'no', emit: true, anchored: false },
    meaning: 'the token was issued for another API',
    next: 'check `aud` with `credicorp token show`, and the host with `credicorp whoami`',
  },
  invalid_token: {
    ...{ status: [401, 403], type: AE, retry: 'no', emit: false, anchored: false },
    meaning: 'the token was not accepted',
    next: SIGN_IN,
  },
  authentication: {
    ...{ status: [401, 403], type: AE, retry: 'no', emit: false, anchored: false },
    meaning: 'the call was not authenticated',
    next: SIGN_IN,
  },
  insufficient_scope: {
    ...{ status: [403], type: PE, retry: 'no', emit: true, anchored: true },
    meaning: 'the token lacks the scope of this route',
    next: 'scopes are fixed when a token is minted: sign in with the missing one, `credicorp login --scopes …`',
  },
  account_suspended: {
    ...{ status: [403], type: AE, retry: 'no', emit: false, anchored: false },
    meaning: 'the partner account is suspended',
    next: 'write to support with the request id: `credicorp support report`',
  },
  admin_token_required: {
    ...{ status: [401], type: AE, retry: 'no', emit: true, anchored: false },
    meaning: 'the sandbox was started with --admin-token, and its admin routes answer only who sends that token',
    next: 'run it as the user who started the sandbox, or set CREDICORP_SANDBOX_ADMIN_TOKEN to the token that it printed',
  },
  loopback_only: {
    ...{ status: [403], type: PE, retry: 'no', emit: true, anchored: false },
    meaning: 'the sandbox accepts admin calls from this machine only, and no calls from web pages of other sites',
    next: 'call it from the machine that the sandbox runs on, as 127.0.0.1 or localhost',
  },
  resource_missing: {
    ...{ status: [404], type: IR, retry: 'no', emit: true, anchored: true },
    meaning: 'no such object, or it belongs to another project',
    next: 'check the id and the environment with `credicorp whoami`',
  },
  idempotency_conflict: {
    ...{ status: [409], type: IR, retry: 'no', emit: true, anchored: true },
    meaning: 'the idempotency key was used before with another payload',
    next: NEW_KEY,
  },
  idempotency_key_reused: {
    ...{ status: [409], type: IR, retry: 'no', emit: false, anchored: true },
    meaning: 'the idempotency key was used before with another payload',
    next: NEW_KEY,
  },
  idempotency_key_in_progress: {
    ...{ status: [409], type: IR, retry: 'same_key', emit: true, anchored: false },
    meaning: 'the first call with this key is still running',
    next: 'wait a few seconds and repeat with the same key',
  },
  decision_not_ready: {
    ...{ status: [409], type: IR, retry: 'poll', emit: true, anchored: false },
    meaning: 'no decision has been reached yet',
    next: 'wait for it: `credicorp decisions get ID --wait`',
  },
  refresh_in_progress: {
    ...{ status: [409], type: IR, retry: 'no', emit: true, anchored: false },
    meaning: 'a refresh of this decision is already queued',
    next: 'read its result: `credicorp decisions get ID --wait`',
  },
  state_conflict: {
    ...{ status: [409], type: IR, retry: 'no', emit: true, anchored: false },
    meaning: 'the object does not allow this in its present state',
    next: 'read the present state first, `credicorp apps get ID`',
  },
  mandate_not_active: {
    ...{ status: [409], type: IR, retry: 'no', emit: true, anchored: true },
    meaning: 'the mandate is pending or revoked',
    next: 'use a mandate that is active, or the scheme `pisp`',
  },
  endpoint_limit_reached: {
    ...{ status: [409], type: IR, retry: 'no', emit: true, anchored: false },
    meaning: 'an account can have at most 20 webhook endpoints',
    next: 'remove one: `credicorp webhooks endpoints list`, then `delete`',
  },
  payload_too_large: {
    ...{ status: [413], type: IR, retry: 'no', emit: true, anchored: false },
    meaning: 'the request body is too large',
    next: 'send less: at most 64 KiB',
  },
  validation_error: {
    ...{ status: [422], type: IR, retry: 'no', emit: true, anchored: false },
    meaning: 'a value is out of range',
    next: FIX_FIELD,
  },
  amount_below_minimum: {
    ...{ status: [422], type: IR, retry: 'no', emit: true, anchored: true },
    meaning: 'the amount is under £1,000',
    next: 'use an amount from £1,000 to £250,000: --amount 1000',
  },
  amount_above_maximum: {
    ...{ status: [422], type: IR, retry: 'no', emit: true, anchored: false },
    meaning: 'the amount is over £250,000 or over the offer',
    next: 'use an amount up to £250,000, or up to the offer',
  },
  term_out_of_range: {
    ...{ status: [422], type: IR, retry: 'no', emit: true, anchored: true },
    meaning: 'the term is outside 3 to 60 months',
    next: 'use --term 3 to 60',
  },
  company_not_found: {
    ...{ status: [422, 400], type: IR, retry: 'no', emit: true, anchored: true },
    meaning: 'there is no active company with this number',
    next: 'check the number at Companies House; `credicorp sandbox companies` lists those of the sandbox',
  },
  company_not_eligible: {
    ...{ status: [422], type: IR, retry: 'no', emit: true, anchored: true },
    meaning: 'the applicant is not a UK company or LLP',
    next: 'only UK incorporated companies and LLPs can apply',
  },
  rate_limit_exceeded: {
    ...{ status: [429], type: RL, retry: 'after_wait', emit: true, anchored: true },
    meaning: 'a rate limit was hit',
    next: WAIT,
  },
  rate_limited: {
    ...{ status: [429], type: RL, retry: 'after_wait', emit: false, anchored: false },
    meaning: 'a rate limit was hit',
    next: WAIT,
  },
  internal_error: {
    ...{ status: [500], type: API, retry: 'idempotent', emit: true, anchored: true },
    meaning: 'the service failed',
    next: 'repeat with the same idempotency key; if it fails again, `credicorp support report` with the request id',
  },
  service_unavailable: {
    ...{ status: [503], type: API, retry: 'yes', emit: true, anchored: false },
    meaning: 'the service is overloaded or in maintenance',
    next: 'wait and repeat with the same idempotency key; `credicorp status --wait` waits until it is up',
  },
  api: {
    ...{ status: [500, 503], type: API, retry: 'yes', emit: false, anchored: false },
    meaning: 'the service failed',
    next: 'repeat with the same idempotency key',
  },
  bad_request: {
    ...FAMILY,
    status: [400],
    meaning: 'the request was not accepted',
    next: 'read the message and correct the request',
  },
  validation: { ...FAMILY, status: [422], meaning: 'a value was not accepted', next: FIX_FIELD },
  not_found: { ...FAMILY, status: [404], meaning: 'no such object or route', next: 'check the id and the environment' },
  conflict: {
    ...FAMILY,
    status: [409],
    meaning: 'the present state does not allow it',
    next: 'read the present state first',
  },
  server_error: {
    ...FAMILY,
    status: [500],
    retry: 'yes',
    meaning: 'the service failed',
    next: 'repeat with the same idempotency key',
  },
  consent_required: { ...PUBLIC_FORMS, status: [400], meaning: 'public forms: consent is missing' },
  form_required: { ...PUBLIC_FORMS, status: [400], meaning: 'public forms: the form name is missing' },
  invalid_email: { ...PUBLIC_FORMS, status: [400], meaning: 'public forms: the e-mail is not valid' },
  invalid_dept: { ...PUBLIC_FORMS, status: [400], meaning: 'public forms: unknown department' },
  invalid_amount: { ...PUBLIC_FORMS, status: [400], meaning: 'public forms: the amount is not valid' },
  cms_page_not_found: { ...PUBLIC_FORMS, status: [404], meaning: 'public pages: no such page' },
} as const satisfies Record<string, ProblemEntry>;

export type ProblemCode = keyof typeof PROBLEMS;

/** The entry of a code; undefined for a code that this version does not know: its type or status then decides. */
export function problemEntry(code: string): ProblemEntry | undefined {
  return Object.hasOwn(PROBLEMS, code) ? PROBLEMS[code as ProblemCode] : undefined;
}

export interface OAuthProblemEntry {
  status: number;
  meaning: string;
  next: string;
}

/** Errors of the token endpoint: their body follows RFC 6749 §5.2 instead of the envelope (partner-api.md#oauth-tokens). */
export const OAUTH_PROBLEMS = {
  invalid_client: {
    status: 401,
    meaning: 'unknown client id, wrong secret, revoked client, or a live credential on a sandbox',
    next: 'sign in again with `credicorp login`',
  },
  invalid_scope: {
    status: 400,
    meaning: 'a scope is unknown or not granted to this client',
    next: 'leave --scopes out to get every scope of the client',
  },
  unsupported_grant_type: {
    status: 400,
    meaning: 'the grant is not client_credentials',
    next: 'check the token URL with `credicorp whoami`',
  },
  invalid_grant: {
    status: 400,
    meaning: 'the grant is not accepted (another name of unsupported_grant_type)',
    next: 'check the token URL with `credicorp whoami`',
  },
  invalid_request: {
    status: 400,
    meaning: 'grant type or client identification is missing, or the body is not a form',
    next: 'check the token URL with `credicorp whoami`',
  },
  rate_limit_exceeded: {
    status: 429,
    meaning: 'too many tokens were requested',
    next: 'wait for `Retry-After`; tokens are cached, so one token request an hour is enough',
  },
} as const satisfies Record<string, OAuthProblemEntry>;

export type OAuthProblemCode = keyof typeof OAUTH_PROBLEMS;

/** One failing field. `param` is a dotted path. */
export interface ProblemDetail {
  param: string;
  code: string;
  message: string;
}

export interface ProblemFacts {
  message: string;
  requestId: string;
  environment: string;
  /** HTTP status; given only when it is not the usual one of the code. */
  status?: number;
  param?: string;
  details?: readonly ProblemDetail[];
}

const DOC_URL = 'https://dev.credicorp.co.uk/api-reference/errors.html#';

/** The status and body of an error answer, members in documented order (partner-api.md#errors). */
export function problem(code: string, facts: ProblemFacts): { status: number; body: ProblemBody } {
  const entry = problemEntry(code);
  const status = facts.status ?? entry?.status[0] ?? 500;
  const error: ProblemBody['error'] = {
    type: entry?.type ?? problemTypeOf(status),
    code,
    message: facts.message,
    ...(facts.param === undefined ? {} : { param: facts.param }),
    ...(entry?.anchored ? { doc_url: DOC_URL + code } : {}),
    request_id: facts.requestId,
    ...(facts.details === undefined ? {} : { details: [...facts.details] }),
  };
  return { status, body: { error, meta: { request_id: facts.requestId, environment: facts.environment } } };
}

/** The error type of a status, for codes without an entry (partner-api.md#errors). */
export function problemTypeOf(status: number): ProblemType {
  if (status === 401) return 'authentication_error';
  if (status === 403) return 'permission_error';
  if (status === 429) return 'rate_limit_error';
  return status >= 500 ? 'api_error' : 'invalid_request_error';
}
