/**
 * Decides whether and when to retry a request, as a pure function (partner-api.md#requests-and-responses, partner-api.md#errors,
 * partner-api.md#rate-limits), and runs the retries. A write is only repeated with its idempotency key, so that it takes effect
 * once, however often it is sent.
 */
import { setTimeout as wait } from 'node:timers/promises';
import type { HttpRequest } from '../contract/exchange.ts';
import { LONGEST_TIMER_MS, timerMs } from '../contract/time.ts';
import { Failure } from '../failure.ts';
import { NOT_RETRIED } from './network-errors.ts';
import { readProblem, retryAfterMs } from '../contract/error-answer.ts';
import type { TransportAnswer } from './transport.ts';

/** One logical call, which may need several attempts. */
export interface Call {
  request: HttpRequest;
  /** Attempts sent so far; 1 during the first. */
  attempt: number;
  /** When the first attempt was sent, in milliseconds since the epoch; null before. */
  startedAt: number | null;
  /** True when it can be repeated although its method is not safe: a token request, an introspection. */
  repeatable?: boolean;
  /** An attempt was sent and got no definite answer: what was asked may have happened. */
  unsettled?: true;
}

export interface RetryOptions {
  limits: RetryLimits;
  now: () => number;
  random: () => number;
  sleep: (ms: number, signal?: AbortSignal) => Promise<void>;
  /** Called before each wait. */
  onWait?: ((wait: { reason: string; ms: number; attempt: number }) => void) | undefined;
}

/** Repeats an attempt as long as `decideRetry` allows it. @returns the last answer @throws the last failure */
export async function withRetries(
  call: Call,
  attempt: () => Promise<TransportAnswer>,
  options: RetryOptions,
): Promise<TransportAnswer> {
  for (;;) {
    const ended = await attempt().then(
      (answer) => ({ answer, outcome: outcomeOf(answer) }),
      (error: unknown) => ({ error, outcome: troubleOf(error) }),
    );
    const verdict = decideRetry({
      attempt: call.attempt,
      method: call.request.method,
      keyed: call.repeatable === true || call.request.headers['idempotency-key'] !== undefined,
      outcome: ended.outcome,
      now: options.now(),
      startedAt: call.startedAt ?? options.now(),
      random: options.random(),
      limits: options.limits,
    });
    if ('stop' in verdict) {
      if ('answer' in ended) return ended.answer;
      throw ended.error;
    }
    options.onWait?.({ reason: verdict.reason, ms: verdict.wait, attempt: call.attempt });
    await options.sleep(verdict.wait, call.request.signal);
  }
}

export interface RetryLimits {
  /** Most attempts after the first. */
  maxRetries: number;
  /** Longest time from the first attempt until the start of the last, in milliseconds. */
  totalMs: number;
  /** Longest single wait, in milliseconds; if the server asks for a longer one, the call fails with that advice. */
  maxWaitMs: number;
}

/** The result of an attempt: an answer, or none. */
export type Outcome =
  { status: number; code: string | null; headers: Readonly<Record<string, string>> } | { trouble: string };

export interface Try {
  /** 1 for the first attempt. */
  attempt: number;
  method: string;
  /** True when the request has an idempotency key or can be repeated safely. */
  keyed: boolean;
  outcome: Outcome;
  /** Milliseconds since the epoch. */
  now: number;
  startedAt: number;
  /** 0 ≤ n < 1. */
  random: number;
  limits: RetryLimits;
}

export type RetryVerdict =
  { wait: number; reason: string } | { stop: 'done' | 'unsafe' | 'attempts' | 'wait' | 'time' };

/** Milliseconds to wait before the next attempt, or why there is none. */
export function decideRetry(tried: Try): RetryVerdict {
  const reason = reasonToRetry(tried.outcome);
  if (reason === null) return { stop: 'done' };
  // RFC 9110 §9.2.2 would allow PUT and DELETE too; the API asks for a key on every write (partner-api.md#idempotency).
  if (!tried.keyed && !/^(?:GET|HEAD|OPTIONS)$/.test(tried.method)) return { stop: 'unsafe' };
  if (tried.attempt > tried.limits.maxRetries) return { stop: 'attempts' };
  const asked = askedWait(tried);
  if (asked !== null && asked > tried.limits.maxWaitMs) return { stop: 'wait' };
  const wait = waitFor(tried, asked);
  if (tried.now + wait - tried.startedAt > tried.limits.totalMs) return { stop: 'time' };
  return { wait, reason };
}

function reasonToRetry(outcome: Outcome): string | null {
  if ('trouble' in outcome) return NOT_RETRIED.has(outcome.trouble) ? null : outcome.trouble;
  if (outcome.status === 409 && outcome.code === 'idempotency_key_in_progress') return outcome.code;
  return [429, 500, 502, 503, 504].includes(outcome.status) ? String(outcome.status) : null;
}

/** What the server asks for: `Retry-After`, else on 429 `RateLimit-Reset` (partner-api.md#rate-limits). */
function askedWait({ outcome, now }: Try): number | null {
  if (!('status' in outcome)) return null;
  const asked = retryAfterMs(outcome.headers, now);
  if (asked !== null) return asked;
  const reset = outcome.headers['ratelimit-reset']?.trim() ?? '';
  return outcome.status === 429 && /^\d{1,9}$/.test(reset) ? Number(reset) * 1000 : null;
}

/** What was asked for, and a little longer, so that many clients do not all return at the same time; else 2^n seconds with full jitter. */
function waitFor({ attempt, random, limits }: Try, asked: number | null): number {
  if (asked !== null) return asked + Math.round(random * SPREAD_MS);
  return Math.round(random * Math.min(1000 * 2 ** (attempt - 1), limits.maxWaitMs));
}

const SPREAD_MS = 250;

/** A successful answer with an incomplete body is a network error; an error answer with an incomplete body is still that error. */
function outcomeOf(answer: TransportAnswer): Outcome {
  if (answer.broken && answer.status < 300 && !UNCHANGING.has(answer.broken.code))
    return { trouble: answer.broken.code };
  const code = answer.status === 409 ? readProblem(answer).code : null;
  return { status: answer.status, code, headers: answer.headers };
}

/** Errors that would be the same on every attempt. */
const UNCHANGING: ReadonlySet<string> = new Set(['too_large', 'encoding', 'not_utf8']);

function troubleOf(error: unknown): Outcome {
  if (error instanceof Failure && error.kind === 'unavailable') return { trouble: error.facts.code ?? 'network' };
  // Interrupted, or a bug: never retried.
  return { status: 0, code: null, headers: {} };
}

/** A wait that ends early when the program is asked to stop. @param ms milliseconds @throws Failure `interrupted` */
export async function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  try {
    let left = ms;
    do {
      await wait(timerMs(left), undefined, signal ? { signal } : {});
      left -= LONGEST_TIMER_MS;
    } while (left > 0);
  } catch {
    throw new Failure('interrupted', 'stopped while waiting');
  }
}
