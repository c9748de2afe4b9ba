import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import { Validator } from '@seriousme/openapi-schema-validator';
import {
  Account,
  Application,
  Decision,
  DecisionRefresh,
  IdentityCheck,
  Introspection,
  pageOf,
  Payment,
  PaymentLink,
  TokenAnswer,
  WebhookEndpoint,
} from '../../src/lib/contract/resources.ts';
import { PARTNER_ROUTES } from '../../src/lib/contract/scopes.ts';
import { serveSandbox } from '../../src/lib/sandbox/sandbox-server.ts';
import { bench, type Bench, type Body, type Reply } from './support.ts';

const run = promisify(execFile);

async function documentOf(one: Bench): Promise<Body> {
  const { status, json } = await one.bare('GET', '/openapi.json');
  assert.equal(status, 200);
  return json;
}

/** Every `$ref` below a value. */
function refs(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  const own = '$ref' in value ? [String(value.$ref)] : [];
  return [...own, ...Object.values(value).flatMap(refs)];
}

const resolve = (document: Body, ref: string): unknown =>
  ref
    .replace('#/', '')
    .split('/')
    .reduce((at, key) => at?.[key], document);

test('a standard validator finds nothing to say', async () => {
  const { valid, errors } = await new Validator().validate(await documentOf(bench()));
  assert.deepEqual({ valid, errors: errors ?? [] }, { valid: true, errors: [] });
});

test('the document is whole: every route, every reference, unique names, scopes as they are enforced', async () => {
  const document = await documentOf(bench());
  assert.equal(document.openapi, '3.1.0');
  for (const { method, path, scope } of PARTNER_ROUTES) {
    const operation = document.paths[`/partner/v1${path}`]?.[method.toLowerCase()];
    assert.ok(operation, `${method} ${path}`);
    assert.deepEqual(operation.security, [{ oauth: [scope] }, { secretKey: [] }]);
    const named = (path.match(/\{/g) ?? []).length;
    assert.equal(operation.parameters.filter(({ $ref = '' }: Body) => $ref.endsWith('/id')).length, named);
  }
  const operations = Object.values<Body>(document.paths).flatMap((methods) => Object.values<Body>(methods));
  assert.equal(operations.length, PARTNER_ROUTES.length + 3);
  assert.equal(new Set(operations.map(({ operationId }) => operationId)).size, operations.length);
  for (const ref of refs(document)) assert.ok(resolve(document, ref), ref);
});

const SCHEMAS = new Map(
  Object.entries({
    Account,
    Application,
    Decision,
    DecisionRefresh,
    IdentityCheck,
    Introspection,
    Payment,
    PaymentLink,
    TokenAnswer,
    WebhookEndpoint,
  }),
);

test('every example of an answer is one the client understands', async () => {
  const document = await documentOf(bench());
  let seen = 0;
  for (const methods of Object.values<Body>(document.paths)) {
    for (const { operationId, responses } of Object.values<Body>(methods)) {
      const [, done] = Object.entries<Body>(responses).find(([status]) => status.startsWith('2'))!;
      const content = done.content?.['application/json'];
      if (content?.example === undefined) continue;
      const name = String(content.schema.$ref.split('/').at(-1));
      const single = SCHEMAS.get(name.replace(/Page$/, ''));
      assert.ok(single, name);
      const schema = name.endsWith('Page') ? pageOf(single) : single;
      assert.ok(schema.safeParse(content.example).success, operationId);
      seen += 1;
    }
  }
  assert.ok(seen > 15);
});

/** A client made of nothing but the document, as a generator in another language would make one. */
function generate(document: Body, one: Bench): Record<string, (id?: string) => Promise<Reply>> {
  const client: Record<string, (id?: string) => Promise<Reply>> = {};
  for (const [path, methods] of Object.entries<Body>(document.paths)) {
    for (const [method, operation] of Object.entries<Body>(methods)) {
      const [type, content] = Object.entries<Body>(operation.requestBody?.content ?? {})[0] ?? [];
      const body =
        type === 'application/x-www-form-urlencoded'
          ? new URLSearchParams(content.example).toString()
          : content && JSON.stringify(content.example);
      const headers = { ...(type ? { 'content-type': type } : {}), authorization: 'Bearer sk_test_local' };
      const open = operation.security.length === 0 ? { ...(type ? { 'content-type': type } : {}) } : headers;
      client[operation.operationId] = (id = 'none') =>
        one.bare(method.toUpperCase(), path.replace('{id}', id), body, open);
    }
  }
  return client;
}

test('a client generated from the document gets what the document promises', async () => {
  const one = bench();
  const document = await documentOf(one);
  const client = generate(document, one);
  const call = async (name: string, id?: string): Promise<Body> => {
    const { status, json, text } = await client[name]!(id);
    const methods = Object.values<Body>(document.paths).flatMap((all) => Object.values<Body>(all));
    const { responses } = methods.find(({ operationId }) => operationId === name);
    assert.ok(String(status).startsWith('2') && responses[status], `${name}: ${status} ${text}`);
    return json;
  };
  assert.equal((await call('mintToken')).token_type, 'Bearer');
  assert.equal((await call('introspectToken')).active, false);
  assert.equal((await call('getKeys')).keys.length, 1);
  const { id } = await call('createApplication');
  await call('getApplication', id);
  await call('submitApplication', id);
  await one.advance('1s');
  const decision = await call('getDecision', id);
  await call('refreshDecision', decision.id);
  for (const name of ['Applications', 'Payments', 'Accounts', 'WebhookEndpoints']) await call(`list${name}`);
  await call('getPayment', (await call('createPayment')).id);
  await call('getPaymentLink', (await call('createPaymentLink')).id);
  await call('getIdentityCheck', (await call('createIdentityCheck')).id);
  const endpoint = (await call('createWebhookEndpoint')).id;
  await call('updateWebhookEndpoint', endpoint);
  await call('rotateWebhookSecret', endpoint);
  await call('getWebhookEndpoint', endpoint);
  await call('deleteWebhookEndpoint', endpoint);
  await call('withdrawApplication', id);
  const unknown = await client['getAccount']!();
  assert.equal(unknown.status, 404);
  const missing = await client['listDecisions']!();
  assert.equal(missing.status, 400);
});

/** The members of a body that are no objects of members, by dotted path. */
function leaves(schema: Body, above = ''): [path: string, schema: Body, required: boolean][] {
  return Object.entries<Body>(schema.properties).flatMap(([name, member]) =>
    member.properties
      ? leaves(member, `${above}${name}.`)
      : [[`${above}${name}`, member, Boolean(schema.required?.includes(name))]],
  );
}

/** Values the schema forbids. */
function* forbidden(schema: Body): Generator<unknown> {
  yield schema.type === 'string' ? 5 : 'text';
  if (schema.minimum !== undefined) yield schema.minimum - 1;
  if (schema.maximum !== undefined) yield schema.maximum + 1;
  if (schema.minLength !== undefined) yield '';
  if (schema.maxLength !== undefined) yield 'x'.repeat(schema.maxLength + 1);
  if (schema.pattern ?? schema.enum ?? schema.const ?? schema.format) yield '!';
  if (schema.maxProperties !== undefined) {
    yield Object.fromEntries(Array.from({ length: schema.maxProperties + 1 }, (_, i) => [`k${i}`, 'v']));
  }
}

function withMember(body: Body, path: string, value: unknown): Body {
  const [first = '', ...rest] = path.split('.');
  const member = rest.length === 0 ? value : withMember(body[first] ?? {}, rest.join('.'), value);
  return { ...body, [first]: member };
}

test('bodies are validated by the schemas of the document', async () => {
  const one = bench();
  const document = await documentOf(one);
  let seen = 0;
  for (const [path, { post }] of Object.entries<Body>(document.paths)) {
    const content = post?.requestBody?.content['application/json'];
    if (content === undefined || path.includes('{')) continue;
    for (const [param, schema, required] of leaves(resolve(document, content.schema.$ref) as Body)) {
      for (const value of [...forbidden(schema), ...(required ? [null] : [])]) {
        const body = JSON.stringify(withMember(content.example, param, value));
        const { status, json } = await one.bare('POST', path, body, { authorization: 'Bearer sk_test_local' });
        assert.ok(status === 400 || status === 422, `${path} ${body}: ${status}`);
        assert.equal(json.error.param, param, body);
        seen += 1;
      }
    }
  }
  assert.ok(seen > 90, String(seen));
});

test('queries and forms are validated by the schemas of the document', async () => {
  const one = bench();
  const document = await documentOf(one);
  const seen: string[] = [];
  for (const [path, { get, post }] of Object.entries<Body>(document.paths)) {
    for (const { name, schema, required } of (get?.parameters ?? []).filter((row: Body) => row.in === 'query')) {
      const isAnyText = schema.type === 'string' && schema.enum === undefined;
      const queries = [...(isAnyText ? [] : forbidden(schema))].map(
        (value) => `?${name}=${encodeURIComponent(String(value))}`,
      );
      for (const query of [...queries, ...(required ? [''] : [])]) {
        const { status, json } = await one.call('GET', path + query);
        assert.deepEqual([status, json.error.param], [400, name], path + query);
        seen.push(name);
      }
    }
    const content = post?.requestBody?.content['application/x-www-form-urlencoded'];
    if (content === undefined) continue;
    const { properties, required } = resolve(document, content.schema.$ref) as Body;
    for (const name of Object.keys(properties)) {
      const { [name]: _, ...rest } = content.example;
      const bodies = [
        ...(required.includes(name) ? [rest] : []),
        ...(properties[name].const ? [{ ...rest, [name]: 'x' }] : []),
      ];
      for (const body of bodies) {
        const form = { 'content-type': 'application/x-www-form-urlencoded' };
        assert.equal((await one.bare('POST', path, new URLSearchParams(body).toString(), form)).status, 400, name);
        seen.push(name);
      }
    }
  }
  for (const name of ['limit', 'status', 'created_after', 'application', 'grant_type', 'token'])
    assert.ok(seen.includes(name), name);
});

async function curl(t: TestContext): Promise<string | null> {
  try {
    return (await run('curl', ['--version'])).stdout;
  } catch {
    t.skip('curl is not installed');
    return null;
  }
}

test('the curl lines of the reference page work as they stand', async (t) => {
  if ((await curl(t)) === null) return;
  const { url, close } = await serveSandbox({
    host: '127.0.0.1',
    port: 0,
    version: '0',
    seed: 'ci',
    now: Date.now,
    rateLimit: false,
  });
  t.after(close);
  const page = await (await fetch(`${url}/docs`)).text();
  const plain = page.replaceAll('&#39;', "'").replaceAll('&quot;', '"').replaceAll('&amp;', '&');
  const lines = [...plain.matchAll(/<code>(curl [^<]*)<\/code>/g)].map(([, line]) => line ?? '');
  // And one for a token.
  assert.equal(lines.length, PARTNER_ROUTES.length + 1);
  const ids = new Map<string, string>();
  const statuses: number[] = [];
  for (const line of lines) {
    const family = /\/partner\/v1\/(payments\/links|[a-z_]+)/.exec(line)?.[1] ?? '';
    const command = `${line.replace('/ID', `/${ids.get(family) ?? 'ID'}`)} -w '\\n%{http_code}'`;
    const { stdout } = await run('sh', ['-c', command]);
    const [, body = '', status = ''] = /^([\s\S]*)\n(\d+)$/.exec(stdout) ?? [];
    statuses.push(Number(status));
    if (status === '201' || status === '202') ids.set(family, JSON.parse(body).id);
  }
  const good = statuses.filter((status) => status < 300).length;
  // The others ask for what a fresh sandbox cannot have: a decision at once, an account, a decision by no application.
  assert.ok(good >= 17, String(statuses));
  assert.ok(
    statuses.every((status) => status < 500),
    String(statuses),
  );
});

test('the curl lines of the guide work as they stand', async (t) => {
  if ((await curl(t)) === null) return;
  const { url, close } = await serveSandbox({ host: '127.0.0.1', port: 0, version: '0', seed: 'ci', now: Date.now });
  t.after(close);
  const guide = readFileSync(new URL('../../docs/sandbox.md', import.meta.url), 'utf8');
  const lines = guide.split('\n').filter((line) => line.startsWith('curl '));
  assert.ok(lines.length >= 5);
  for (const line of lines) {
    const { stdout } = await run('sh', ['-c', line.replace('http://127.0.0.1:4010', url)]);
    assert.equal(typeof JSON.parse(stdout), 'object', line);
  }
});

test('the reference page has a place for every route and guards itself like the other pages', async () => {
  const { text, headers, status } = await bench().bare('GET', '/docs');
  assert.equal(status, 200);
  assert.match(headers.get('content-security-policy') ?? '', /default-src 'none'/);
  for (const { method, path } of PARTNER_ROUTES) assert.ok(text.includes(`${method} /partner/v1${path}`), path);
  assert.doesNotMatch(text, /<script/i);
});
