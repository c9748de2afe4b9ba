/**
 * Reads error answers: the error document in every known shape (partner-api.md#errors, partner-api.md#conflicts, RFC 6749 §5.2), the
 * request id, `Retry-After`, and the mark of a replay. What an error means for the caller is decided elsewhere.
 */
import type { FailureFacts } from '../failure.ts';
import type { HttpAnswer } from './exchange.ts';
import { isRecord, parseJson } from './json.ts';
import { redactStart } from './secrets.ts';

export interface ReadProblem {
  type: string | null;
  code: string | null;
  message: string | null;
  param: string | null;
  details: NonNullable<FailureFacts['details']>;
  requestId: string | null;
  docUrl: string | null;
  /** The body has the shape of RFC 6749 §5.2: `error` is a string, not an object. */
  oauth: boolean;
  /** The body was an error document of either shape. */
  understood: boolean;
}

/** Error documents are small; a longer body is something else. */
const MAX_CHARACTERS = 1024 * 1024;
const MAX_DETAILS = 100;
const MAX_TEXT = 500;

/** @param known live secrets, which are redacted in case the server repeats one */
export function readProblem(answer: HttpAnswer, known: readonly string[] = []): ReadProblem {
  const textOf = (value: unknown): string | null => plainText(value, known);
  const body = documentOf(answer.text);
  const error = isRecord(body['error']) ? body['error'] : {};
  const oauthCode = textOf(body['error']);
  const details = detailsOf(error, body, textOf);
  return {
    type: textOf(error['type']),
    code: textOf(error['code']) ?? oauthCode,
    message:
      [error['message'], body['error_description'], error['error_description'], body['message']]
        .map((text) => textOf(text))
        .find((text) => text !== null) ?? null,
    param: textOf(error['param']) ?? details[0]?.param ?? null,
    details,
    requestId: requestIdOf(answer, body),
    docUrl: textOf(error['doc_url']),
    oauth: oauthCode !== null,
    understood: oauthCode !== null || isRecord(body['error']),
  };
}

/** The request id: from either header, then `error.request_id` → `meta.request_id` → top-level `request_id` (partner-api.md#request-ids). */
export function requestIdOf(answer: HttpAnswer, read?: Record<string, unknown>): string | null {
  const { 'credicorp-request-id': header, 'x-credicorp-request-id': otherHeader } = answer.headers;
  const inHeader = firstId([header, otherHeader]);
  if (inHeader !== null) return inHeader;
  const body = read ?? documentOf(answer.text);
  const within = (name: string): unknown => (isRecord(body[name]) ? body[name]['request_id'] : undefined);
  return firstId([within('error'), within('meta'), body['request_id']]) ?? cutRequestId(answer.text);
}

function firstId(values: readonly unknown[]): string | null {
  return values.map((value) => plainText(value)).find((id) => id !== null && /^[\w.:-]{1,128}$/.test(id)) ?? null;
}

/**
 * `Retry-After` in milliseconds (RFC 9110 §10.2.3: seconds or a date); null when the header is missing or neither. A date is compared
 * with the server's own `Date`, because our clock may be wrong, or without that header with `now` (milliseconds since the epoch).
 */
export function retryAfterMs(headers: Readonly<Record<string, string>>, now: number | null = null): number | null {
  const text = headers['retry-after']?.trim() ?? '';
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1000;
  if (!/^[A-Z][a-z]{2,8},? /.test(text)) return null;
  const date = Date.parse(headers['date'] ?? '');
  const from = Number.isNaN(date) ? now : date;
  const until = Date.parse(text);
  return from === null || Number.isNaN(until) ? null : Math.max(0, until - from);
}

/** True for the stored answer of an earlier try with the same idempotency key: nothing was done again (partner-api.md#idempotency). */
export function isReplay(headers: Readonly<Record<string, string>>): boolean {
  return headers['idempotency-replayed'] === 'true';
}

/** The request id in a document that is incomplete and cannot be parsed. */
function cutRequestId(text: string): string | null {
  return /"request_id"\s*:\s*"(req_[0-9A-Za-z]{4,64})"/.exec(text.slice(0, MAX_CHARACTERS))?.[1] ?? null;
}

function documentOf(text: string): Record<string, unknown> {
  if (text.length > MAX_CHARACTERS || !/^\s*\{/.test(text)) return {};
  try {
    const body = parseJson(text);
    return isRecord(body) ? body : {};
  } catch {
    return {};
  }
}

/** `param`, `details[].param|field` and `fields[].field` as one list without repetitions (partner-api.md#errors). */
function detailsOf(
  error: Record<string, unknown>,
  body: Record<string, unknown>,
  textOf: (value: unknown) => string | null,
): ReadProblem['details'] {
  const found = new Map<string, ReadProblem['details'][number]>();
  for (const list of [error['details'], error['fields'], body['details'], body['fields']]) {
    if (!Array.isArray(list)) continue;
    for (const item of list.slice(0, MAX_DETAILS)) {
      const entry = isRecord(item) ? item : {};
      const param = textOf(entry['param']) ?? textOf(entry['field']) ?? textOf(item);
      if (param === null || found.has(param)) continue;
      const code = textOf(entry['code']);
      const message = textOf(entry['message']);
      found.set(param, { param, ...(code === null ? {} : { code }), ...(message === null ? {} : { message }) });
    }
  }
  return [...found.values()];
}

/** Makes text from a server safe for a message: limited length, one line, no control characters, no secrets. */
function plainText(value: unknown, known: readonly string[] = []): string | null {
  if (typeof value !== 'string' || value === '') return null;
  const clean = redactStart(value, 16 * MAX_TEXT, known)
    .replace(/[\s\p{Cc}]+/gu, ' ')
    .trim();
  if (clean === '') return null;
  return clean.length > MAX_TEXT ? `${clean.slice(0, MAX_TEXT - 1)}…` : clean;
}
