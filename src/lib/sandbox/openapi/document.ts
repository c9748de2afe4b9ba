/** The OpenAPI 3.1 document of every partner route (sandbox.md#start-up). */
import { partnerRoute, SCOPES } from '../../contract/scopes.ts';
import { idempotencyKey } from '../state/idempotent-answers.ts';
import { examples, type Examples, TOKEN_EXAMPLE } from './examples.ts';
import { type OperationRow, OPERATIONS } from './operations.ts';
import { type BodyName, componentSchemas, jsonSchema, ref, type OpenApiSchema } from './component-schemas.ts';

const STATUSES: Readonly<Record<number, string>> = {
  400: 'Absent or malformed field, bad cursor, or a body that is not JSON',
  401: 'Credential absent, unknown, expired or revoked',
  403: 'Scope absent',
  404: 'No such object, or it belongs to another project',
  409: 'Not allowed in the present state, or the idempotency key says otherwise',
  413: 'Body over 64 KiB',
  422: 'Value out of range, or not eligible',
  429: 'Rate limit hit; wait for Retry-After',
  500: 'Fault of the service',
  503: 'Overload or maintenance',
};

const TAGS: Readonly<Record<string, string>> = {
  Applications: 'Credit applications of UK companies and LLPs',
  Decisions: 'The outcome of an application',
  Payments: 'Collections, drawdowns and payment links',
  Identity: 'Checks of a person',
  Accounts: 'Funded applications and their repayment',
  Webhooks: 'Where events are sent',
  OAuth: 'Access tokens',
};

/** `baseUrl` is the origin without a slash. */
export function openapiDocument(facts: { baseUrl: string; version: string }): OpenApiSchema {
  const paths: Record<string, Record<string, OpenApiSchema>> = {};
  const shown = examples();
  for (const row of OPERATIONS) {
    const path = `/partner/v1${row.path}`;
    paths[path] = { ...paths[path], [row.method.toLowerCase()]: operation(row, shown) };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Credicorp Partner API (embedded sandbox)',
      version: facts.version,
      description: 'An offline imitation. Nothing here is real, no money moves, and all figures are fictional.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: facts.baseUrl, description: 'This sandbox' }],
    security: [{ oauth: [] }, { secretKey: [] }],
    tags: Object.entries(TAGS).map(([name, description]) => ({ name, description })),
    paths: { ...paths, ...oauthPaths() },
    components: {
      schemas: componentSchemas(),
      parameters: sharedParameters(),
      headers: HEADERS,
      responses: refusals(),
      securitySchemes: securitySchemes(facts.baseUrl),
    },
  };
}

function operation(row: OperationRow, shown: Examples): OpenApiSchema {
  const { scope, perSecond } = partnerRoute(row.method, row.path) ?? {};
  const limit = perSecond === undefined ? '' : ` At most ${perSecond} a second, on top of the limit of the project.`;
  const writes = row.method !== 'GET';
  return {
    operationId: row.id,
    summary: row.summary,
    description: `Needs the scope \`${scope}\`.${limit}`,
    tags: [row.tag],
    security: [{ oauth: [scope] }, { secretKey: [] }],
    parameters: parametersOf(row, writes),
    ...(row.body === undefined ? {} : { requestBody: requestBody(row.body) }),
    responses: { [row.answer.status]: success(row, shown), ...refusalRefs(row, writes) },
  };
}

function parametersOf(row: OperationRow, writes: boolean): OpenApiSchema[] {
  const shared = [...(row.path.includes('{id}') ? ['id'] : []), ...(writes ? ['IdempotencyKey'] : [])];
  return [
    ...shared.map((name) => ({ $ref: `#/components/parameters/${name}` })),
    ...(row.query ?? []).map(({ path, required = false, type }) => {
      const { description, ...schema } = jsonSchema(type);
      return { name: path, in: 'query', required, description, schema };
    }),
  ];
}

function requestBody(body: NonNullable<OperationRow['body']>): OpenApiSchema {
  return {
    required: body.required,
    content: { 'application/json': { schema: ref(body.name), example: body.example } },
  };
}

function success({ answer }: OperationRow, shown: Examples): OpenApiSchema {
  const headers = Object.fromEntries(
    Object.keys(HEADERS).map((name) => [name, { $ref: `#/components/headers/${name}` }]),
  );
  if (answer.schema === undefined) return { description: 'Done', headers };
  const example = shown[answer.schema];
  return {
    description: 'Done',
    headers,
    content: {
      'application/json': { schema: ref(answer.schema), ...(example === undefined ? {} : { example }) },
    },
  };
}

function refusalRefs(row: OperationRow, writes: boolean): OpenApiSchema {
  const withId = row.path.includes('{id}') ? [404] : [];
  const onWrite = writes ? [409, 413] : [];
  const statuses = new Set([400, 401, 403, ...withId, ...onWrite, ...(row.refusals ?? []), 429, 500, 503]);
  return Object.fromEntries(
    [...statuses].sort((a, b) => a - b).map((status) => [status, { $ref: `#/components/responses/E${status}` }]),
  );
}

function refusals(): Record<string, OpenApiSchema> {
  return Object.fromEntries(
    Object.entries(STATUSES).map(([status, description]) => [
      `E${status}`,
      { description, content: { 'application/json': { schema: ref('Error') } } },
    ]),
  );
}

const TEXT = { type: 'string' };

function sharedParameters(): Record<string, OpenApiSchema> {
  return {
    id: { name: 'id', in: 'path', required: true, schema: TEXT },
    IdempotencyKey: {
      name: 'Idempotency-Key',
      in: 'header',
      description: 'The same key gives the same answer for 24 hours',
      schema: jsonSchema(idempotencyKey),
    },
  };
}

const WHOLE = { type: 'integer' };

const HEADERS: Record<string, OpenApiSchema> = {
  'Credicorp-Request-Id': { description: 'Quote it to support', schema: TEXT },
  'x-credicorp-request-id': { description: 'The same', schema: TEXT },
  'RateLimit-Limit': { description: 'Size of the bucket', schema: WHOLE },
  'RateLimit-Remaining': { description: 'Requests left in it', schema: WHOLE },
  'RateLimit-Reset': { description: 'Seconds until it is full', schema: WHOLE },
};

function securitySchemes(baseUrl: string): Record<string, OpenApiSchema> {
  const scopes = Object.fromEntries(SCOPES.map((scope) => [scope, scope]));
  return {
    oauth: {
      type: 'oauth2',
      flows: { clientCredentials: { tokenUrl: `${baseUrl}/partner/v1/oauth/token`, scopes } },
    },
    secretKey: {
      type: 'http',
      scheme: 'bearer',
      description: 'A secret key such as sk_test_local, sent as the bearer itself',
    },
  };
}

// The token plane in the OpenAPI document (partner-api.md#oauth-tokens).

const LOCAL = { client_id: 'cid_sbx_local', client_secret: 'csk_sbx_local' };
/** The client authenticates by the form or by HTTP Basic, not by a bearer. */
const COMMON = { tags: ['OAuth'], security: [] };

function oauthPaths(): Record<string, OpenApiSchema> {
  return {
    '/partner/v1/oauth/token': {
      post: {
        ...COMMON,
        operationId: 'mintToken',
        summary: 'Get an access token with client credentials',
        requestBody: form('TokenRequest', { grant_type: 'client_credentials', ...LOCAL }),
        responses: answers('TokenAnswer', TOKEN_EXAMPLE),
      },
    },
    '/partner/v1/oauth/introspect': {
      post: {
        ...COMMON,
        operationId: 'introspectToken',
        summary: 'Check whether a token is active',
        requestBody: form('IntrospectionRequest', { token: 'EXAMPLE.ACCESS.TOKEN', ...LOCAL }),
        responses: answers('Introspection', { active: false }),
      },
    },
    '/partner/v1/oauth/jwks': {
      get: {
        ...COMMON,
        operationId: 'getKeys',
        summary: 'The keys tokens are signed with',
        responses: answers('Jwks'),
      },
    },
  };
}

function form(name: BodyName, example: object): OpenApiSchema {
  return { required: true, content: { 'application/x-www-form-urlencoded': { schema: ref(name), example } } };
}

function answers(name: string, example?: object): OpenApiSchema {
  const content = { 'application/json': { schema: ref(name), ...(example ? { example } : {}) } };
  const refused = {
    description: 'Refused (RFC 6749 §5.2)',
    content: { 'application/json': { schema: ref('OAuthError') } },
  };
  return { 200: { description: 'Done', content }, 400: refused, 401: refused, 429: refused };
}
