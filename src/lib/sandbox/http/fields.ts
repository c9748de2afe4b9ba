/**
 * Checks a JSON body against rows of zod schemas (partner-api.md#requests-and-responses, partner-api.md#create-an-application): one full pass for presence and type (400), then one for range
 * and eligibility (422). Each pass names every failing field, the first one as `param`. The OpenAPI document is made of the same rows.
 */
import * as z from 'zod/mini';
import { isLoopback } from '../../contract/environments.ts';
import type { ProblemCode, ProblemDetail } from '../../contract/problem.ts';
import { refuse } from './refusal.ts';

export interface Field {
  /** Dotted. */
  path: string;
  required?: boolean;
  /** Type and format. Its description completes the sentence "amount_pence must be …". */
  type: z.ZodMiniType;
  /** The type within its range, eligibility included; looked at only when every field has its type. */
  range?: z.ZodMiniType;
  /** What an issue of the range is called, by zod's name for it; `validation_error` otherwise. */
  codes?: Partial<Record<string, ProblemCode>>;
}

export interface FieldProblem {
  code: ProblemCode;
  message: string;
}

/** Describes what a schema asks for, in words for messages and the OpenAPI document. */
export function described<T extends z.ZodMiniType>(schema: T, description: string): T {
  z.globalRegistry.add(schema, { description });
  return schema;
}

export const integerType = described(z.int(), 'a whole number');
export const textType = described(z.string(), 'a string');
export const listType = described(z.array(z.string()), 'an array of strings');
export const emailType = described(z.stringFormat('email', /^[^\s@]+@[^\s@]+$/), 'an e-mail address');
export const objectType = described(z.record(z.string(), z.unknown()), 'an object');
export const booleanType = described(z.boolean(), 'true or false');
export const companyNumberType = described(z.string().check(z.regex(/^[A-Za-z0-9]{8}$/)), '8 letters or digits');
export const dayType = described(z.stringFormat('date', isDay), 'a date as YYYY-MM-DD');

export function oneOf(...values: string[]): z.ZodMiniType<string> {
  return described(z.enum(values), `one of ${values.join(', ')}`);
}

/** A filter of lists. */
export const applicationId: Field = { path: 'application_id', type: described(z.string(), 'the id of an application') };

/** Absolute https, or http on loopback only (partner-api.md#create-an-application). */
export const returnUri = described(
  upTo(z.stringFormat('uri', isSafeUrl), 2048),
  'an absolute https URL (http for loopback only)',
);

/** At most that many characters, in UTF-16 units: `z.maxLength` counts code points, so it speaks for the document only. */
export function upTo(type: z.ZodMiniType<string>, most: number, message?: string): typeof type {
  return type.check(
    z.maxLength(most, message),
    z.refine((value) => value.length <= most, message),
  );
}

const INSTANT = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:\d{2})$/;

export const instantType = described(
  z.stringFormat('date-time', (value) => INSTANT.test(value) && !Number.isNaN(Date.parse(value))),
  'an ISO 8601 instant',
);

/** A calendar day that exists. */
function isDay(value: string): boolean {
  const at = /^\d{4}-\d{2}-\d{2}$/.test(value) ? Date.parse(`${value}T00:00:00Z`) : Number.NaN;
  return !Number.isNaN(at) && new Date(at).toISOString().startsWith(value);
}

/** From `least` to `most`, both included. */
export function within(type: z.ZodMiniType<number>, least: number, most: number, message: string): typeof type {
  return type.check(z.gte(least, message), z.lte(most, message));
}

/** A text of limited length. */
export function textField(path: string, most: number, least = 0): Field {
  const message = `${path} must be ${least > 0 ? `${least} to` : 'at most'} ${most} characters.`;
  const short = upTo(textType, most, message);
  return { path, type: textType, range: least > 0 ? short.check(z.minLength(least, message)) : short };
}

/** Strings by name. A record of zod would pass over a member named `__proto__`, here it is allowed like any other name. */
const pairs = z
  .custom<Record<string, string>>(
    (value) => isObject(value) && Object.values(value).every((one) => typeof one === 'string'),
  )
  .register(z.globalRegistry, {
    description: 'an object of strings',
    type: 'object',
    additionalProperties: { type: 'string' },
    maxProperties: 20,
  });

/** Up to 20 pairs, keys up to 40 and values up to 500 characters (partner-api.md#create-an-application). */
export const metadata: Field = {
  path: 'metadata',
  type: pairs,
  range: pairs.check(
    z.refine((value) => Object.keys(value).length <= 20, 'metadata holds at most 20 pairs.'),
    z.refine(
      (value) => Object.entries(value).every(([key, member]) => key.length <= 40 && member.length <= 500),
      'metadata keys are at most 40 and values at most 500 characters.',
    ),
  ),
};

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
export function validate(body: unknown, fields: readonly Field[]): void {
  validateTypes(body, fields);
  validateRanges(body, fields);
}

/** The pass for presence and type. `more` are failures found by other means. @throws Refusal 400 */
export function validateTypes(body: unknown, fields: readonly Field[], more: readonly ProblemDetail[] = []): void {
  const details: ProblemDetail[] = [];
  for (const field of fields) {
    const value = at(body, field.path);
    const blocked = blockedParent(body, field.path);
    const { path: param } = field;
    if (blocked !== null) add(details, blocked, 'parameter_invalid', `${blocked} must be an object.`);
    else if (value === undefined) {
      if (field.required) add(details, param, 'parameter_missing', `Missing required parameter: ${param}.`);
    } else if (!field.type.safeParse(value).success) {
      add(details, param, 'parameter_invalid', `${param} must be ${z.globalRegistry.get(field.type)?.description}.`);
    }
  }
  refuseAll([...details, ...more]);
}

/** The pass for range and eligibility. @throws Refusal 422 */
export function validateRanges(body: unknown, fields: readonly Field[], more: readonly ProblemDetail[] = []): void {
  const details: ProblemDetail[] = [];
  for (const { path, range, codes } of fields) {
    const value = range && at(body, path);
    const issue = value === undefined ? undefined : range?.safeParse(value).error?.issues[0];
    if (issue === undefined) continue;
    const own = issue.code === 'custom' ? issue.params?.['code'] : codes?.[issue.code];
    details.push({ param: path, code: own ?? 'validation_error', message: issue.message });
  }
  refuseAll([...details, ...more]);
}

/** Query parameters, each at its first value, checked like a body. @throws Refusal 400 */
export function validateQuery(search: URLSearchParams, fields: readonly Field[]): void {
  validateTypes(Object.fromEntries(fields.map(({ path }) => [path, search.get(path)])), fields);
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
