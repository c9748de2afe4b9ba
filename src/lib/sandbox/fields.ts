/**
 * Judging a JSON body by rows of field rules (partner API §5, §7.1): one full pass for presence and type (400), then one for range
 * and eligibility (422). Each pass names every failing field, the first one as `param`.
 */
import type { ProblemCode, ProblemDetail } from '../contract/problem.ts';
import { refuse } from './refusal.ts';

export interface Field {
  /** Dotted. */
  path: string;
  required?: boolean;
  /** Type and format. */
  is: Kind;
  /** Range and eligibility; looked at only when every field has its type. Returns the failure, if any. */
  range?: (value: unknown) => Miss | null;
  /** The range as JSON Schema, for the OpenAPI document. */
  bounds?: Record<string, unknown>;
}

export interface Miss {
  code: ProblemCode;
  message: string;
}

/** A type or format: `says` completes the sentence "amount_pence must be …". */
export interface Kind {
  says: string;
  test(value: unknown): boolean;
  /** The same as JSON Schema, for the OpenAPI document. */
  schema: Record<string, unknown>;
}

export const integer: Kind = { says: 'a whole number', test: Number.isSafeInteger, schema: { type: 'integer' } };

export const text: Kind = { says: 'a string', test: (value) => typeof value === 'string', schema: { type: 'string' } };

export const list: Kind = {
  says: 'an array of strings',
  test: (value) => Array.isArray(value) && value.every((item) => typeof item === 'string'),
  schema: { type: 'array', items: { type: 'string' } },
};

export const email: Kind = matching(/^[^\s@]+@[^\s@]+$/, 'an e-mail address', { format: 'email' });

const pairs: Kind = {
  says: 'an object of strings',
  test: (value) => isObject(value) && Object.values(value).every((member) => typeof member === 'string'),
  schema: { type: 'object', additionalProperties: { type: 'string' }, maxProperties: 20 },
};

export const object: Kind = { says: 'an object', test: isObject, schema: { type: 'object' } };

export const truth: Kind = {
  says: 'true or false',
  test: (value) => typeof value === 'boolean',
  schema: { type: 'boolean' },
};

export function oneOf(...values: string[]): Kind {
  return {
    says: `one of ${values.join(', ')}`,
    test: (value) => typeof value === 'string' && values.includes(value),
    schema: { type: 'string', enum: values },
  };
}

export function matching(pattern: RegExp, says: string, schema: Record<string, unknown> = {}): Kind {
  return {
    says,
    test: (value) => typeof value === 'string' && pattern.test(value),
    schema: { type: 'string', ...schema },
  };
}

/** Absolute https, or http on loopback only (partner API §7.1). */
export const returnUri: Kind = {
  says: 'an absolute https URL (http for loopback only)',
  test: (value) => typeof value === 'string' && value.length <= 2048 && isSafeUrl(value),
  schema: { type: 'string', format: 'uri' },
};

export const instant: Kind = {
  says: 'an ISO 8601 instant',
  test: (value) =>
    typeof value === 'string' &&
    /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:\d{2})$/.test(value) &&
    !Number.isNaN(Date.parse(value)),
  schema: { type: 'string', format: 'date-time' },
};

export const day: Kind = {
  says: 'a date as YYYY-MM-DD',
  test: (value) => typeof value === 'string' && isDay(value),
  schema: { type: 'string', format: 'date' },
};

/** A calendar day that exists. */
function isDay(value: string): boolean {
  const at = /^\d{4}-\d{2}-\d{2}$/.test(value) ? Date.parse(`${value}T00:00:00Z`) : Number.NaN;
  return !Number.isNaN(at) && new Date(at).toISOString().startsWith(value);
}

/** Length limit; `most` in characters. */
function upTo(most: number, name: string, least = 0): (value: unknown) => Miss | null {
  const words = least > 0 ? `${least} to ${most} characters` : `at most ${most} characters`;
  return (value) =>
    typeof value === 'string' && (value.length > most || value.length < least)
      ? { code: 'validation_error', message: `${name} must be ${words}.` }
      : null;
}

/** Up to 20 pairs, keys up to 40 and values up to 500 characters (partner API §7.1). */
function metadataRange(value: unknown): Miss | null {
  const entries = isObject(value) ? Object.entries(value) : [];
  if (entries.length > 20) return { code: 'validation_error', message: 'metadata holds at most 20 pairs.' };
  const long = entries.some(([key, member]) => key.length > 40 || String(member).length > 500);
  if (!long) return null;
  return { code: 'validation_error', message: 'metadata keys are at most 40 and values at most 500 characters.' };
}

export const metadata: Field = { path: 'metadata', is: pairs, range: metadataRange };

/** A text of limited length. */
export function textField(path: string, most: number, least = 0): Field {
  return {
    path,
    is: text,
    range: upTo(most, path, least),
    bounds: { maxLength: most, ...(least > 0 ? { minLength: least } : {}) },
  };
}

/** The value at a dotted path; undefined when absent or null. */
export function at(body: unknown, path: string): unknown {
  let value = body;
  for (const key of keysOf(path)) {
    if (!isObject(value) || !Object.hasOwn(value, key)) return undefined;
    value = value[key];
  }
  return value ?? undefined;
}

/** Paths are those of the field rules, so this holds a few dozen. */
const KEYS = new Map<string, readonly string[]>();

function keysOf(path: string): readonly string[] {
  const known = KEYS.get(path);
  if (known) return known;
  const keys = path.split('.');
  KEYS.set(path, keys);
  return keys;
}

/** Both passes. @throws Refusal 400 or 422 */
export function judge(body: unknown, fields: readonly Field[]): void {
  judgeTypes(body, fields);
  judgeRanges(body, fields);
}

/** The pass for presence and type. `more` are failures found by other means. @throws Refusal 400 */
export function judgeTypes(body: unknown, fields: readonly Field[], more: readonly ProblemDetail[] = []): void {
  const details: ProblemDetail[] = [];
  for (const field of fields) {
    const value = at(body, field.path);
    const blocked = blockedParent(body, field.path);
    const { path: param } = field;
    if (blocked !== null) add(details, blocked, 'parameter_invalid', `${blocked} must be an object.`);
    else if (value === undefined) {
      if (field.required) add(details, param, 'parameter_missing', `Missing required parameter: ${param}.`);
    } else if (!field.is.test(value)) add(details, param, 'parameter_invalid', `${param} must be ${field.is.says}.`);
  }
  refuseAll([...details, ...more]);
}

/** The pass for range and eligibility. @throws Refusal 422 */
export function judgeRanges(body: unknown, fields: readonly Field[], more: readonly ProblemDetail[] = []): void {
  const details: ProblemDetail[] = [];
  for (const { path, range } of fields) {
    const value = at(body, path);
    const miss = value === undefined ? null : (range?.(value) ?? null);
    if (miss) details.push({ param: path, ...miss });
  }
  refuseAll([...details, ...more]);
}

/** Names of top-level members no rule knows, for the request log. */
export function unknownMembers(body: unknown, fields: readonly Field[]): string[] {
  if (!isObject(body)) return [];
  const known = new Set(fields.map((field) => keysOf(field.path)[0]));
  return Object.keys(body).filter((key) => !known.has(key));
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function refuseAll(details: ProblemDetail[]): void {
  const first = details[0];
  if (first === undefined) return;
  throw refuse(first.code as ProblemCode, first.message, first.param, { details });
}

function add(details: ProblemDetail[], param: string, code: ProblemCode, message: string): void {
  if (!details.some((detail) => detail.param === param)) details.push({ param, code, message });
}

/** The first parent on the way to a nested field that is there and is no object. */
function blockedParent(body: unknown, path: string): string | null {
  for (let dot = path.indexOf('.'); dot >= 0; dot = path.indexOf('.', dot + 1)) {
    const parent = path.slice(0, dot);
    const value = at(body, parent);
    if (value !== undefined && !isObject(value)) return parent;
  }
  return null;
}

function isSafeUrl(value: string): boolean {
  if (!URL.canParse(value) || !/^https?:\/\//i.test(value)) return false;
  const url = new URL(value);
  return url.protocol === 'https:' || isLoopback(url.hostname);
}

/** 127.0.0.0/8, ::1 and localhost (partner API §1); the name as a parsed URL gives it. */
export function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(hostname);
}
