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

type Flags = 'emit' | 'anchored';

function on(
  status: readonly [number, ...number[]],
  type: ProblemType | null,
  retry: ProblemRetry,
  flags: readonly Flags[],
): Omit<ProblemEntry, 'meaning' | 'next'> {
  return { status, type, retry, emit: flags.includes('emit'), anchored: flags.includes('anchored') };
}

/** A general code that only repeats the meaning of its status. */
function family(status: number, retry: ProblemRetry, meaning: string, next: string): ProblemEntry {
  return { ...on([status], null, retry, []), meaning, next };
}

/** A code of the public web forms: known, but not used by this program. */
function foreign(status: number, meaning: string): ProblemEntry {
  return { ...on([status], IR, 'no', []), meaning, next: 'not used by this program' };
}

const AE = 'authentication_error';
const PE = 'permission_error';
const IR = 'invalid_request_error';
const RL = 'rate_limit_error';
const API = 'api_error';
const BOTH: readonly Flags[] = ['emit', 'anchored'];
const SIGN_IN = 'check the credential with `credicorp whoami --check`, or sign in again with `credicorp login`';
const FIX_FIELD = 'correct the field named in `param` and send it again; a write with a new idempotency key';

const NEW_KEY = 'a corrected body needs a new key: leave --idempotency-key out or choose another';
const WAIT = 'wait for `Retry-After`, then repeat; lower --concurrency for bulk work';

/** Every documented and sandbox code (partner-api.md#errors), in the order of the page. */
export const PROBLEMS = {
  parameter_missing: {
    ...on([400], IR, 'no', BOTH),
    meaning: 'a required field is missing',
    next: 'add the field named in `param`',
  },
  parameter_invalid: {
    ...on([400], IR, 'no', BOTH),
    meaning: 'a field has the wrong type, enum value or format, or a cursor or limit is bad',
    next: FIX_FIELD,
  },
  invalid_request: {
    ...on([400, 404, 405], IR, 'no', ['emit']),
    meaning: 'the body is not JSON, or the route or method is unknown',
    next: 'check method, path and body; `credicorp api` prints what was sent with --debug',
  },
  missing_api_key: {
    ...on([401], AE, 'no', ['emit']),
    meaning: 'the request carried no Authorization header',
    next: 'sign in with `credicorp login`',
  },
  unauthorized: {
    ...on([401], AE, 'no', ['emit']),
    meaning: 'the credential is unknown or malformed',
    next: SIGN_IN,
  },
  token_expired: {
    ...on([401], AE, 'after_mint', BOTH),
    meaning: 'the access token has expired',
    next: 'mint a new token once and repeat the call; `credicorp token` does so',
  },
  token_revoked: {
    ...on([401], AE, 'no', BOTH),
    meaning: 'the credential was revoked',
    next: 'ask who revoked it in the dashboard, then sign in with a new one: `credicorp login`',
  },
  audience_mismatch: {
    ...on([401], AE, 'no', ['emit']),
    meaning: 'the token was issued for another API',
    next: 'check `aud` with `credicorp token show`, and the host with `credicorp whoami`',
  },
  invalid_token: {
    ...on([401, 403], AE, 'no', []),
    meaning: 'the token was not accepted',
    next: SIGN_IN,
  },
  authentication: {
    ...on([401, 403], AE, 'no', []),
    meaning: 'the call was not authenticated',
    next: SIGN_IN,
  },
  insufficient_scope: {
    ...on([403], PE, 'no', BOTH),
    meaning: 'the token lacks the scope of this route',
    next: 'scopes are fixed when a token is minted: sign in with the missing one, `credicorp login --scopes …`',
  },
  account_suspended: {
    ...on([403], AE, 'no', []),
    meaning: 'the partner account is suspended',
    next: 'write to support with the request id: `credicorp support report`',
  },
  loopback_only: {
    ...on([403], PE, 'no', ['emit']),
    meaning: 'the sandbox accepts admin calls from this machine only, and no calls from web pages of other sites',
    next: 'call it from the machine that the sandbox runs on, as 127.0.0.1 or localhost',
  },
  resource_missing: {
    ...on([404], IR, 'no', BOTH),
    meaning: 'no such object, or it belongs to another project',
    next: 'check the id and the environment with `credicorp whoami`',
  },
  idempotency_conflict: {
    ...on([409], IR, 'no', BOTH),
    meaning: 'the idempotency key was used before with another payload',
    next: NEW_KEY,
  },
  idempotency_key_reused: {
    ...on([409], IR, 'no', ['anchored']),
    meaning: 'the idempotency key was used before with another payload',
    next: NEW_KEY,
  },
  idempotency_key_in_progress: {
    ...on([409], IR, 'same_key', ['emit']),
    meaning: 'the first call with this key is still running',
    next: 'wait a few seconds and repeat with the same key',
  },
  decision_not_ready: {
    ...on([409], IR, 'poll', ['emit']),
    meaning: 'no decision has been reached yet',
    next: 'wait for it: `credicorp decisions get ID --wait`',
  },
  refresh_in_progress: {
    ...on([409], IR, 'no', ['emit']),
    meaning: 'a refresh of this decision is already queued',
    next: 'read its result: `credicorp decisions get ID --wait`',
  },
  state_conflict: {
    ...on([409], IR, 'no', ['emit']),
    meaning: 'the object does not allow this in its present state',
    next: 'read the present state first, `credicorp apps get ID`',
  },
  mandate_not_active: {
    ...on([409], IR, 'no', BOTH),
    meaning: 'the mandate is pending or revoked',
    next: 'use a mandate that is active, or the scheme `pisp`',
  },
  endpoint_limit_reached: {
    ...on([409], IR, 'no', ['emit']),
    meaning: 'an account can have at most 20 webhook endpoints',
    next: 'remove one: `credicorp webhooks endpoints list`, then `delete`',
  },
  payload_too_large: {
    ...on([413], IR, 'no', ['emit']),
    meaning: 'the request body is too large',
    next: 'send less: at most 64 KiB',
  },
  validation_error: {
    ...on([422], IR, 'no', ['emit']),
    meaning: 'a value is out of range',
    next: FIX_FIELD,
  },
  amount_below_minimum: {
    ...on([422], IR, 'no', BOTH),
    meaning: 'the amount is under £1,000',
    next: 'use an amount from £1,000 to £250,000: --amount 1000',
  },
  amount_above_maximum: {
    ...on([422], IR, 'no', ['emit']),
    meaning: 'the amount is over £250,000 or over the offer',
    next: 'use an amount up to £250,000, or up to the offer',
  },
  term_out_of_range: {
    ...on([422], IR, 'no', BOTH),
    meaning: 'the term is outside 3 to 60 months',
    next: 'use --term 3 to 60',
  },
  company_not_found: {
    ...on([422, 400], IR, 'no', BOTH),
    meaning: 'there is no active company with this number',
    next: 'check the number at Companies House; `credicorp sandbox companies` lists those of the sandbox',
  },
  company_not_eligible: {
    ...on([422], IR, 'no', BOTH),
    meaning: 'the applicant is not a UK company or LLP',
    next: 'only UK incorporated companies and LLPs can apply',
  },
  rate_limit_exceeded: {
    ...on([429], RL, 'after_wait', BOTH),
    meaning: 'a rate limit was hit',
    next: WAIT,
  },
  rate_limited: {
    ...on([429], RL, 'after_wait', []),
    meaning: 'a rate limit was hit',
    next: WAIT,
  },
  internal_error: {
    ...on([500], API, 'idempotent', BOTH),
    meaning: 'the service failed',
    next: 'repeat with the same idempotency key; if it fails again, `credicorp support report` with the request id',
  },
  service_unavailable: {
    ...on([503], API, 'yes', ['emit']),
    meaning: 'the service is overloaded or in maintenance',
    next: 'wait and repeat with the same idempotency key; `credicorp status --wait` waits until it is up',
  },
  api: {
    ...on([500, 503], API, 'yes', []),
    meaning: 'the service failed',
    next: 'repeat with the same idempotency key',
  },
  bad_request: family(400, 'no', 'the request was not accepted', 'read the message and correct the request'),
  validation: family(422, 'no', 'a value was not accepted', FIX_FIELD),
  not_found: family(404, 'no', 'no such object or route', 'check the id and the environment'),
  conflict: family(409, 'no', 'the present state does not allow it', 'read the present state first'),
  server_error: family(500, 'yes', 'the service failed', 'repeat with the same idempotency key'),
  consent_required: foreign(400, 'public forms: consent is missing'),
  form_required: foreign(400, 'public forms: the form name is missing'),
  invalid_email: foreign(400, 'public forms: the e-mail is not valid'),
  invalid_dept: foreign(400, 'public forms: unknown department'),
  invalid_amount: foreign(400, 'public forms: the amount is not valid'),
  cms_page_not_found: foreign(404, 'public pages: no such page'),
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
