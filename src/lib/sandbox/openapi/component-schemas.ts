/** Component schemas: answers from the zod schemas that the client checks with, bodies from those that the sandbox checks with. */
import * as z from 'zod/mini';
import { OAuthProblemBody, ProblemBody } from '../../contract/problem-shape.ts';
import {
  Account,
  Application,
  Decision,
  DecisionRefresh,
  IdentityCheck,
  Introspection,
  Jwks,
  pageOf,
  Payment,
  PaymentLink,
  TokenAnswer,
  WebhookEndpoint,
} from '../../contract/resources.ts';
import type { Field } from '../http/fields.ts';
import { applicationFields } from '../routes/applications.ts';
import { REFRESH_FIELDS } from '../routes/decisions.ts';
import { ENDPOINT_FIELDS, PATCH_FIELDS } from '../routes/webhook-endpoints.ts';
import { IDENTITY_FIELDS } from '../routes/identity-checks.ts';
import { linkFields } from '../routes/payments.ts';
import { PAYMENT_FIELDS } from '../routes/payments.ts';
import { INTROSPECTION_FIELDS, TOKEN_FIELDS } from '../routes/oauth.ts';

export type OpenApiSchema = Record<string, unknown>;

const ANSWERS = {
  Application,
  Decision,
  DecisionRefresh,
  Payment,
  PaymentLink,
  IdentityCheck,
  Account,
  WebhookEndpoint,
  TokenAnswer,
  Introspection,
  Jwks,
  Error: ProblemBody,
  OAuthError: OAuthProblemBody,
};

/** Kinds that come in pages. */
const PAGED = { Application, Decision, Payment, Account, WebhookEndpoint };

export type AnswerName = keyof typeof ANSWERS;
export type PagedName = keyof typeof PAGED;

export const BODIES = {
  ApplicationCreate: applicationFields(() => null),
  DecisionRefreshCreate: REFRESH_FIELDS,
  PaymentCreate: PAYMENT_FIELDS,
  PaymentLinkCreate: linkFields(() => 0),
  IdentityCheckCreate: IDENTITY_FIELDS,
  WebhookEndpointCreate: ENDPOINT_FIELDS,
  WebhookEndpointUpdate: PATCH_FIELDS,
  TokenRequest: TOKEN_FIELDS,
  IntrospectionRequest: INTROSPECTION_FIELDS,
} satisfies Record<string, readonly Field[]>;

export type BodyName = keyof typeof BODIES;

/** Everything below `components.schemas`. */
export function componentSchemas(): Record<string, OpenApiSchema> {
  const schemas: Record<string, OpenApiSchema> = {};
  for (const [name, schema] of Object.entries(ANSWERS)) schemas[name] = jsonSchema(schema);
  for (const [name, schema] of Object.entries(PAGED)) schemas[`${name}Page`] = pageSchema(name, schema);
  for (const [name, fields] of Object.entries(BODIES)) schemas[name] = jsonSchema(bodyOf(fields));
  return schemas;
}

/** One schema as it stands in the document. */
export function jsonSchema(schema: z.core.$ZodType): OpenApiSchema {
  const made = z.toJSONSchema(schema, {
    unrepresentable: 'any',
    // There are no floats on the wire, and an instant is always written as ISO 8601 (partner-api.md#conventions).
    override: ({ jsonSchema: part }) => {
      if (part.title === 'number') replaceBy(part, { type: 'integer' });
      // New members may come (partner-api.md#conventions).
      if (part.additionalProperties === false) delete part.additionalProperties;
      if (part.title === 'instant') replaceBy(part, { type: 'string', format: 'date-time' });
    },
  });
  // A schema with a name of its own is put among the definitions; here the names are given by the document.
  const own: OpenApiSchema = made.$ref === undefined ? made : { ...made.$defs?.[made.$ref.replace('#/$defs/', '')] };
  const { $schema: _, $defs: __, id: ___, ...rest } = own;
  return rest;
}

function replaceBy(made: object, by: OpenApiSchema): void {
  for (const key of Object.keys(made)) Reflect.deleteProperty(made, key);
  Object.assign(made, by);
}

function pageSchema(name: string, item: z.ZodMiniType): OpenApiSchema {
  const page = jsonSchema(pageOf(item));
  const properties = { ...Object(page['properties']), data: { type: 'array', items: ref(name) } };
  return { ...page, properties };
}

export function ref(name: string): OpenApiSchema {
  return { $ref: `#/components/schemas/${name}` };
}

/** Nested paths become nested objects; unknown members are allowed, as the sandbox allows them. */
function bodyOf(fields: readonly Field[]): z.core.$ZodType {
  const members = Map.groupBy(fields, ({ path }) => path.split('.', 1)[0] ?? path);
  const shape = [...members].map(([name, rows]) => {
    const [own] = rows;
    const nested = rows.filter(({ path }) => path !== name);
    const below = nested.map((row) => ({ ...row, path: row.path.slice(name.length + 1) }));
    const schema = own === undefined || nested.length > 0 ? bodyOf(below) : (own.range ?? own.type);
    return [name, rows.some(({ required }) => required) ? schema : z.optional(schema)] as const;
  });
  return z.looseObject(Object.fromEntries(shape));
}
