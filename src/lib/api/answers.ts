/**
 * Parses an answer into data or a `Failure`. The status decides first, then the error code; the message is for
 * people and is never evaluated (partner-api.md#errors).
 */
import { isRecord, parseJson } from '../contract/json.ts';
import { durationAbove, waitText } from '../contract/time.ts';
import { OAUTH_PROBLEMS, problemEntry } from '../contract/problem.ts';
import { Failure, type FailureFacts, type FailureKind } from '../failure.ts';
import { type ReadProblem, readProblem, requestIdOf, retryAfterMs } from '../contract/error-answer.ts';
import type { TransportAnswer } from './transport.ts';

/** The part of a zod schema that is used here. */
export interface Schema<T> {
  safeParse(value: unknown): { success: true; data: T } | { success: false; error: { issues: readonly Issue[] } };
}

interface Issue {
  readonly path: readonly PropertyKey[];
}

export interface Answer<T> {
  status: number;
  headers: Record<string, string>;
  requestId: string | null;
  text: string;
  /** The JSON document of the answer, numbers unchanged; null for an empty body. */
  json: unknown;
  /** The same document, validated and typed by the schema. */
  data: T;
}

export interface Expected<T> {
  method: string;
  path: string;
  /** The route is assumed, not documented: the hosted API may lack it (partner-api.md#evidence-tags-and-optional-routes). */
  assumed?: boolean;
  schema?: Schema<T>;
  /** A successful answer that is not JSON is returned as text. */
  anyBody?: boolean;
  /** The current time in milliseconds since the epoch, for a date in `Retry-After`. */
  now: number;
  /** Longest wait between two tries, in milliseconds; longer ones are left to the user. */
  maxWaitMs?: number;
  /** Live secrets, which are redacted in case the server repeats one. */
  known?: readonly string[];
}

/** Parses an answer. @throws Failure of the kind that belongs to the status; `unavailable` when a successful answer cannot be read. */
export function parseAnswer<T>(answer: TransportAnswer, expected: Expected<T>): Answer<T> {
  if (answer.status < 200 || answer.status > 299) throw failureOf(answer, expected);
  const unreadable = (why: string): Failure => {
    const requestId = requestIdOf(answer);
    return new Failure('unavailable', `the answer to ${expected.method} ${expected.path} could not be read: ${why}`, {
      status: answer.status,
      code: answer.broken?.code ?? 'unreadable_answer',
      ...(requestId === null ? {} : { requestId }),
      next: 'try again; if it happens again, send the request id to support',
    });
  };
  if (answer.broken) throw unreadable(answer.broken.message);
  const json = expected.anyBody === true && !isJson(answer.text) ? answer.text : documentOf(answer, unreadable);
  const { status, headers, text } = answer;
  const requestId = requestIdOf(answer, isRecord(json) ? json : {});
  // Without a schema the caller gets the document unchecked.
  if (!expected.schema) return { status, headers, requestId, text, json, data: json as T };
  const parsed = expected.schema.safeParse(json);
  if (!parsed.success) throw unreadable(misfit(parsed.error.issues));
  return { status, headers, requestId, text, json, data: parsed.data };
}

function documentOf(answer: TransportAnswer, unreadable: (why: string) => Failure): unknown {
  if (answer.text.trim() === '') return null;
  try {
    return parseJson(answer.text);
  } catch {
    const html = /^\s*<|\bhtml\b/i.test(`${answer.headers['content-type'] ?? ''} ${answer.text.slice(0, 64)}`);
    throw unreadable(html ? 'it is a web page, not JSON' : 'it is not JSON');
  }
}

function isJson(text: string): boolean {
  if (text.trim() === '') return true;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function misfit(issues: readonly Issue[]): string {
  const paths = [...new Set(issues.slice(0, 3).map((issue) => issue.path.map(String).join('.') || 'the document'))];
  return `${paths.join(', ')} does not match the documented format`;
}

function failureOf(answer: TransportAnswer, expected: Expected<unknown>): Failure {
  const { status } = answer;
  const problem = readProblem(answer, expected.known);
  const call = `${expected.method} ${expected.path}`;
  if (expected.assumed === true && isNotOffered(status, problem)) return notOffered(status, call, problem);
  const kind = kindOf(status, problem);
  const retryAfter = retryAfterMs(answer.headers, expected.now);
  const facts: FailureFacts = { status, next: nextOf(status, problem) };
  if (problem.type !== null) facts.type = problem.type;
  if (problem.code !== null) facts.code = problem.code;
  if (problem.param !== null) facts.param = problem.param;
  if (problem.details.length > 0) facts.details = problem.details;
  if (problem.requestId !== null) facts.requestId = problem.requestId;
  if (problem.docUrl !== null && problem.docUrl.startsWith('https://')) facts.docUrl = problem.docUrl;
  if (retryAfter !== null && (status === 429 || status >= 500)) {
    facts.retryAfter = Math.ceil(retryAfter / 1000);
    facts.next = waitAdvice(retryAfter, expected.maxWaitMs) ?? `asked to wait ${waitText(retryAfter)}; ${facts.next}`;
  }
  if (status >= 300 && status < 400) facts.code = 'redirect';
  return new Failure(kind, problem.message ?? plainMessage(status, call), facts);
}

/** Default limit of the wait between two attempts, in milliseconds (partner-api.md#rate-limits). */
export const MAX_WAIT_MS = 60_000;

/** What to do about a wait that is too long to be waited for; null for one that is not. */
export function waitAdvice(askedMs: number, maxWaitMs: number = MAX_WAIT_MS): string | null {
  if (askedMs <= maxWaitMs) return null;
  const limit = waitText(maxWaitMs);
  return `asked to wait ${waitText(askedMs)}; longer than ${limit} is not waited for, --max-wait ${durationAbove(askedMs)} waits`;
}

/** Branch on the status first (partner-api.md#errors). OAuth errors come with 400 too (partner-api.md#oauth-tokens). */
function kindOf(status: number, problem: ReadProblem): FailureKind {
  if (status === 429) return 'rate_limited';
  if (status === 401 || status === 403) return 'auth';
  if (status === 404) return 'not_found';
  if (problem.oauth && isOAuthRefusal(problem.code)) return 'auth';
  // 407 and 408 come from a proxy, and redirects are not followed: in each case there is no answer from the API.
  if (status === 407 || status === 408 || status < 400) return 'unavailable';
  return status < 500 ? 'refused' : 'unavailable';
}

function isOAuthRefusal(code: string | null): boolean {
  return code !== null && code !== 'invalid_request' && Object.hasOwn(OAUTH_PROBLEMS, code);
}

/** partner-api.md#evidence-tags-and-optional-routes rule 2. */
function isNotOffered(status: number, problem: ReadProblem): boolean {
  return status === 405 || (status === 404 && problem.code !== 'resource_missing');
}

function notOffered(status: number, call: string, problem: ReadProblem): Failure {
  const aboutId = /\/[^/]*(?:_|\d)[^/]*(?:\/(?:submit|refresh|withdraw|rotate_secret))?$/.test(call);
  return new Failure(
    status === 404 ? 'not_found' : 'refused',
    `the hosted API does not offer this (${call})${aboutId && status === 404 ? '; or the id is unknown' : ''}`,
    {
      status,
      code: 'not_offered',
      ...(problem.requestId === null ? {} : { requestId: problem.requestId }),
      next: 'the embedded sandbox offers it: `credicorp sandbox start`',
    },
  );
}

function plainMessage(status: number, call: string): string {
  if (status >= 300 && status < 400) return `${call} returned a redirect; redirects are not followed`;
  if (status === 404) return `there is nothing at ${call}`;
  return `${call} returned ${status} without an error document`;
}

function nextOf(status: number, problem: ReadProblem): string {
  const oauth: Readonly<Record<string, { next: string }>> = OAUTH_PROBLEMS;
  const code = problem.code ?? '';
  if (problem.oauth && Object.hasOwn(oauth, code)) return oauth[code]?.next ?? '';
  return problemEntry(code)?.next ?? NEXT_BY_TYPE[problem.type ?? ''] ?? nextByStatus(status);
}

/** Advice by error type, for a code that this version does not know (partner-api.md#errors). */
const NEXT_BY_TYPE: Readonly<Record<string, string>> = {
  authentication_error: 'check the credential with `credicorp whoami --check`, or sign in again with `credicorp login`',
  permission_error: 'the credential lacks a permission: `credicorp whoami` lists its scopes',
  invalid_request_error: 'correct the request; `credicorp logs show` with the request id prints all of it',
  rate_limit_error: 'wait, then repeat; lower --concurrency for bulk work',
  api_error: 'try again later; `credicorp status` shows whether the platform is up',
};

function nextByStatus(status: number): string {
  if (status < 400) return 'check the base address: `credicorp whoami` shows it and where it comes from';
  if (status === 401) return NEXT_BY_TYPE['authentication_error'] ?? '';
  if (status === 403) return NEXT_BY_TYPE['permission_error'] ?? '';
  if (status === 404) return 'check the id, and that it belongs to this environment: `credicorp whoami`';
  if (status === 407) return 'check HTTPS_PROXY and NO_PROXY';
  if (status === 429) return NEXT_BY_TYPE['rate_limit_error'] ?? '';
  return NEXT_BY_TYPE[status >= 500 || status === 408 ? 'api_error' : 'invalid_request_error'] ?? '';
}
