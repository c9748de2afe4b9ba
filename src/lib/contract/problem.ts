/**
 * The error envelope and its codes (partner-api.md#errors, partner-api.md#oauth-tokens), as plain data: the sandbox emits it, the client explains by
 * it. No schema library here, every command may load this file.
 */
import type { ProblemBody } from './problem-shape.ts';
import { PROBLEMS, type ProblemEntry, type ProblemType } from './problem-table.ts';

export { PROBLEMS, type ProblemEntry, type ProblemType } from './problem-table.ts';

export type ProblemCode = keyof typeof PROBLEMS;

/** Looks a code up; undefined for one this version does not know (its type or status decides then). */
export function problemEntry(code: string): ProblemEntry | undefined {
  return Object.hasOwn(PROBLEMS, code) ? PROBLEMS[code as ProblemCode] : undefined;
}

export interface OAuthProblemEntry {
  status: number;
  meaning: string;
  next: string;
}

/** Errors of the token plane: RFC 6749 §5.2 body, not the envelope (partner-api.md#oauth-tokens). */
export const OAUTH_PROBLEMS = {
  invalid_client: {
    status: 401,
    meaning: 'unknown client id, wrong secret, revoked client or a live credential on a sandbox',
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
    meaning: 'too many tokens were asked for',
    next: 'wait for `Retry-After`; tokens are cached, so one mint an hour is enough',
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
  /** Only when it is not the usual one of the code. */
  status?: number;
  param?: string;
  details?: readonly ProblemDetail[];
}

const DOC_URL = 'https://dev.credicorp.co.uk/api-reference/errors.html#';

/** The status and envelope of an error, members in documented order (partner-api.md#errors). */
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

/** The type a status belongs to when nothing finer is known (partner-api.md#errors). */
export function problemTypeOf(status: number): ProblemType {
  if (status === 401) return 'authentication_error';
  if (status === 403) return 'permission_error';
  if (status === 429) return 'rate_limit_error';
  return status >= 500 ? 'api_error' : 'invalid_request_error';
}
