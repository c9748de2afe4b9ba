/** Judges what the token plane answered. A pure reading of one answer: status first, then code (RFC 6749 §5, partner-api.md#oauth-tokens). */

import type { HttpAnswer } from '../contract/exchange.ts';
import { isRecord, parseJson } from '../contract/json.ts';
import { OAUTH_PROBLEMS } from '../contract/problem.ts';
import { redactText } from '../contract/secrets.ts';
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
      ...factsOf(answer, body),
      code: 'no_token_in_answer',
      next: 'check the token URL with credicorp whoami; a proxy or sign-in page may stand in between',
    });
  }
  const type = body?.['token_type'];
  if (typeof type === 'string' && type.toLowerCase() !== 'bearer') {
    throw new Failure('auth', 'the token is of a type this program cannot use', {
      ...factsOf(answer, body),
      code: 'token_type',
      next: 'check the token URL with credicorp whoami',
    });
  }
  const granted = body?.['scope'];
  return { token, expiresIn: lifeOf(body?.['expires_in']), granted: typeof granted === 'string' ? granted : null };
}

/** What a refusal of the token plane means. Also for introspection, which is refused in the same words. */
export function tokenFailure(answer: HttpAnswer, url: string, known: readonly string[] = []): Failure {
  const body = readBody(answer.text);
  const { code, description } = readError(body);
  const facts = factsOf(answer, body);
  const problem = Object.entries(OAUTH_PROBLEMS).find(([name]) => name === code)?.[1] ?? null;
  const kind = kindOf(answer.status);
  const [message, next] = wordsFor(answer.status, url, problem);
  const said = description === null ? '' : `: ${plain(description, known)}`;
  return new Failure(kind, message + said, {
    ...facts,
    ...(code === null ? {} : { code: plain(code, known).slice(0, 60) }),
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

/** `error` is text or an object, on every response (partner-api.md#oauth-tokens); AcountPay may say `message` alone. */
function readError(body: Record<string, unknown> | null): { code: string | null; description: string | null } {
  if (body === null) return { code: null, description: null };
  const { error, error_description, message } = body;
  const inner = isRecord(error) ? error : {};
  return {
    code: firstText(error, inner['code'], inner['type']),
    description: firstText(error_description, inner['message'], inner['error_description'], message),
  };
}

function firstText(...found: unknown[]): string | null {
  return found.find((value): value is string => typeof value === 'string') ?? null;
}

function factsOf(answer: HttpAnswer, body: Record<string, unknown> | null): FailureFacts {
  const inner = isRecord(body?.['error']) ? body['error'] : {};
  const meta = isRecord(body?.['meta']) ? body['meta'] : {};
  const { headers } = answer;
  const ids = [
    headers['credicorp-request-id'],
    headers['x-credicorp-request-id'],
    inner['request_id'],
    meta['request_id'],
    body?.['request_id'],
  ];
  const requestId = ids.find((id): id is string => typeof id === 'string' && /^[\w-]{1,64}$/.test(id));
  const retryAfter = secondsToWait(headers['retry-after'], headers['date']);
  return {
    status: answer.status,
    ...(requestId === undefined ? {} : { requestId }),
    ...(retryAfter === null ? {} : { retryAfter }),
  };
}

/** `Retry-After` in both forms (RFC 9110 §10.2.3); a date is measured by the server's own clock. */
function secondsToWait(value: string | undefined, date: string | undefined): number | null {
  if (value === undefined) return null;
  if (/^\d{1,9}$/.test(value)) return Number(value);
  const wait = (Date.parse(value) - Date.parse(date ?? '')) / 1000;
  return Number.isNaN(wait) ? null : Math.max(0, Math.round(wait));
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

/** Outside text on one line, without secrets or control characters. */
function plain(text: string, known: readonly string[]): string {
  return redactText(text.slice(0, 2000), known)
    .replace(/[\p{Cc}\p{Cf}\s]+/gu, ' ')
    .trim()
    .slice(0, 300);
}

function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : 'the token server';
}
