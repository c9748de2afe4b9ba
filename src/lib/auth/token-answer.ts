/** Judges what the token plane answered. A pure reading of one answer: status first, then code (RFC 6749 §5, partner-api.md#oauth-tokens). */

import { readProblem, requestIdOf, retryAfterMs } from '../contract/error-answer.ts';
import type { HttpAnswer } from '../contract/exchange.ts';
import { isRecord, parseJson } from '../contract/json.ts';
import { OAUTH_PROBLEMS } from '../contract/problem.ts';
import { Failure, type FailureFacts, type FailureKind } from '../failure.ts';

export interface ReadToken {
  token: string;
  /** Seconds. */
  expiresIn: number;
  /** The scopes the server says it granted, null when it does not say. */
  granted: string | null;
}

/** partner-api.md#oauth-tokens: what a token lives when the server does not say. */
const USUAL_LIFE = 3600;

/**
 * The token in the answer. `known` are secrets to keep out of messages, should the server echo them.
 * @throws Failure `auth`, `rate_limited`, `unavailable`.
 */
export function readTokenAnswer(answer: HttpAnswer, url: string, known: readonly string[] = []): ReadToken {
  if (answer.status < 200 || answer.status > 299) throw tokenFailure(answer, url, known);
  const body = readBody(answer.text);
  const token = body?.['access_token'];
  // A bearer goes into a header: visible ASCII without spaces (RFC 6750 §2.1, a little wider).
  if (typeof token !== 'string' || !/^[\x21-\x7e]+$/.test(token)) {
    throw new Failure('unavailable', `${hostOf(url)} answered, but not with a token`, {
      ...factsOf(answer),
      code: 'no_token_in_answer',
      next: 'check the token URL with credicorp whoami; a proxy or sign-in page may stand in between',
    });
  }
  const type = body?.['token_type'];
  if (typeof type === 'string' && type.toLowerCase() !== 'bearer') {
    throw new Failure('auth', 'the token is of a type this program cannot use', {
      ...factsOf(answer),
      code: 'token_type',
      next: 'check the token URL with credicorp whoami',
    });
  }
  const granted = body?.['scope'];
  return { token, expiresIn: lifeOf(body?.['expires_in']), granted: typeof granted === 'string' ? granted : null };
}

/** What a refusal by the token endpoint means. Also for introspection, which is refused in the same words. */
export function tokenFailure(answer: HttpAnswer, url: string, known: readonly string[] = []): Failure {
  const { code, type, message: said } = readProblem(answer, known);
  const name = code ?? type;
  const problem = Object.entries(OAUTH_PROBLEMS).find(([known]) => known === name)?.[1] ?? null;
  const [message, next] = wordsFor(answer.status, url, problem);
  return new Failure(kindOf(answer.status), message + (said === null ? '' : `: ${said}`), {
    ...factsOf(answer),
    ...(name === null ? {} : { code: name.slice(0, 60) }),
    next,
  });
}

function kindOf(status: number): FailureKind {
  if (status === 429) return 'rate_limited';
  return status >= 500 || status < 400 ? 'unavailable' : 'auth';
}

function wordsFor(status: number, url: string, problem: { meaning: string; next: string } | null): [string, string] {
  const host = hostOf(url);
  if (status === 429) return [`${host} has given out too many tokens for now`, OAUTH_PROBLEMS.rate_limit_exceeded.next];
  if (status >= 500)
    return [`the token server ${host} failed (${status})`, 'try again in a moment; see credicorp status'];
  if (status < 400) {
    // The credentials would follow the redirect to wherever it points.
    return [
      `${host} redirects token requests, which is not followed`,
      'set the token URL it points to with --token-url',
    ];
  }
  if (problem !== null) return [`${host} refused to give a token, ${problem.meaning}`, problem.next];
  if (status === 404 || status === 405) {
    return [
      `${host} has no token endpoint at ${new URL(url).pathname}`,
      'check the base and token URL with credicorp whoami',
    ];
  }
  return [
    `${host} refused to give a token (${status})`,
    'check client id, secret and environment with credicorp whoami',
  ];
}

function factsOf(answer: HttpAnswer): FailureFacts {
  const requestId = requestIdOf(answer);
  const wait = retryAfterMs(answer.headers);
  return {
    status: answer.status,
    ...(requestId === null ? {} : { requestId }),
    ...(wait === null ? {} : { retryAfter: Math.ceil(wait / 1000) }),
  };
}

function readBody(text: string): Record<string, unknown> | null {
  try {
    const body = parseJson(text);
    return isRecord(body) ? body : null;
  } catch {
    return null;
  }
}

/** Seconds as a number, or as text as some servers write it. */
function lifeOf(value: unknown): number {
  const seconds = typeof value === 'string' && value !== '' ? Number(value) : value;
  return typeof seconds === 'number' && Number.isFinite(seconds) && seconds >= 0 ? seconds : USUAL_LIFE;
}

function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : 'the token server';
}
