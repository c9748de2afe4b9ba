/**
 * Reads what a server says about an error, in every shape it is known to say it (partner-api.md#errors, partner-api.md#conflicts): an object or a string
 * under `error`, a `meta` member, `details[]`, `fields[]`, or nothing of use at all. Judges nothing.
 */
import type { HttpAnswer } from '../contract/exchange.ts';
import { isRecord, parseJson } from '../contract/json.ts';
import { redactText } from '../contract/secrets.ts';
import type { FailureFacts } from '../failure.ts';

export interface Problem {
  type: string | null;
  code: string | null;
  message: string | null;
  param: string | null;
  details: NonNullable<FailureFacts['details']>;
  requestId: string | null;
  docUrl: string | null;
  /** The RFC 6749 §5.2 shape: `error` is a text, not an object. */
  oauth: boolean;
  /** The body was an error document of either shape. */
  understood: boolean;
}

/** Error documents are small; more than this is something else. */
const MOST_CHARACTERS = 1024 * 1024;
const MOST_DETAILS = 100;
const MOST_TEXT = 500;

/** @param known live secret values, should the server repeat one */
export function readProblem(answer: HttpAnswer, known: readonly string[] = []): Problem {
  const textOf = (value: unknown): string | null => plainText(value, known);
  const body = documentOf(answer.text);
  const error = isRecord(body['error']) ? body['error'] : {};
  const oauthCode = textOf(body['error']);
  const details = detailsOf(error, body, textOf);
  return {
    type: textOf(error['type']),
    code: textOf(error['code']) ?? oauthCode,
    message: textOf(error['message']) ?? textOf(body['error_description']) ?? textOf(body['message']),
    param: textOf(error['param']) ?? details[0]?.param ?? null,
    details,
    requestId: requestIdOf(answer, body),
    docUrl: textOf(error['doc_url']),
    oauth: oauthCode !== null,
    understood: oauthCode !== null || isRecord(body['error']),
  };
}

/** Either header → `error.request_id` → `meta.request_id` → top-level `request_id` (partner-api.md#request-ids). */
export function requestIdOf(
  answer: HttpAnswer,
  body: Record<string, unknown> = documentOf(answer.text),
): string | null {
  const header = answer.headers['credicorp-request-id'] ?? answer.headers['x-credicorp-request-id'];
  if (header !== undefined && header !== '') return plainText(header);
  const within = (name: string): unknown => (isRecord(body[name]) ? body[name]['request_id'] : undefined);
  return (
    plainText(within('error')) ??
    plainText(within('meta')) ??
    plainText(body['request_id']) ??
    cutRequestId(answer.text)
  );
}

/** The id in a document that broke off before it could be read. */
function cutRequestId(text: string): string | null {
  return /"request_id"\s*:\s*"(req_[0-9A-Za-z]{4,64})"/.exec(text.slice(0, MOST_CHARACTERS))?.[1] ?? null;
}

function documentOf(text: string): Record<string, unknown> {
  if (text.length > MOST_CHARACTERS || !/^\s*\{/.test(text)) return {};
  try {
    const body = parseJson(text);
    return isRecord(body) ? body : {};
  } catch {
    return {};
  }
}

/** `param`, `details[].param|field` and `fields[].field` as one list without doubles (partner-api.md#errors). */
function detailsOf(
  error: Record<string, unknown>,
  body: Record<string, unknown>,
  textOf: (value: unknown) => string | null,
): Problem['details'] {
  const found = new Map<string, Problem['details'][number]>();
  for (const list of [error['details'], error['fields'], body['details'], body['fields']]) {
    if (!Array.isArray(list)) continue;
    for (const item of list.slice(0, MOST_DETAILS)) {
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

/** Outside text fit for one line of ours: bounded, one line, without control characters and secrets. */
function plainText(value: unknown, known: readonly string[] = []): string | null {
  if (typeof value !== 'string' || value === '') return null;
  const clean = redactText(value, known)
    .replace(/[\s\p{Cc}]+/gu, ' ')
    .trim();
  if (clean === '') return null;
  return clean.length > MOST_TEXT ? `${clean.slice(0, MOST_TEXT - 1)}…` : clean;
}
