import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { bench, type Bench, type Body, type Reply } from './support.ts';

interface Told {
  status?: number | null;
  headers?: Record<string, string>;
  shape?: Record<string, string>;
  trigger?: { method: string; path: string; headers?: Record<string, string>; body?: unknown };
  same_body_as?: string;
}

interface Example {
  id: string;
  provider: string;
  kind: string;
  auth?: string;
  method: string | null;
  path: string | null;
  query?: Record<string, string>;
  headers: Record<string, string>;
  body: unknown;
  body_text?: string;
  expected: Told;
  sandbox?: Told;
}

const { examples }: { examples: Example[] } = JSON.parse(
  readFileSync(new URL('../fixtures/examples.json', import.meta.url), 'utf8'),
);
const OURS = examples.filter(({ provider }) => provider === 'credicorp');

/** True when a value has the shape the fixture's own words describe. */
function fits(value: unknown, shape: string): boolean {
  if (shape.startsWith('=')) return String(value) === shape.slice(1);
  if (shape.startsWith('string:')) return typeof value === 'string' && new RegExp(shape.slice(7)).test(value);
  const optional = shape.endsWith('?');
  if (optional && (value === undefined || value === null)) return true;
  return shape
    .replace(/\?$/, '')
    .split('|')
    .some((kind) => fitsKind(value, kind));
}

function fitsKind(value: unknown, kind: string): boolean {
  const tests: Record<string, () => boolean> = {
    string: () => typeof value === 'string',
    integer: () => Number.isInteger(value) || /^\d+$/.test(String(value)),
    boolean: () => typeof value === 'boolean',
    array: () => Array.isArray(value),
    object: () => typeof value === 'object' && value !== null && !Array.isArray(value),
    null: () => value === null,
    url: () => URL.canParse(String(value)),
    datetime: () => /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(String(value)),
    hex: () => /^[0-9a-f]+$/.test(String(value)),
  };
  assert.ok(tests[kind], `the fixture speaks of an unknown kind ${kind}`);
  return tests[kind]();
}

const pick = (value: Body, path: string): unknown => path.split('.').reduce((at, key) => at?.[key], value);

/** Checks what an example promises; returns how many promises there were. */
function check(id: string, reply: Reply, told: Told): number {
  let promises = 0;
  if (typeof told.status === 'number') {
    assert.equal(reply.status, told.status, `${id}: ${reply.text}`);
    promises += 1;
  }
  for (const [path, shape] of Object.entries(told.shape ?? {})) {
    assert.ok(
      fits(pick(reply.json, path), shape),
      `${id}: ${path} is ${JSON.stringify(pick(reply.json, path))}, not ${shape}`,
    );
    promises += 1;
  }
  for (const [name, shape] of Object.entries(told.headers ?? {})) {
    assert.ok(fits(reply.headers.get(name), shape), `${id}: header ${name} is ${reply.headers.get(name)}`);
    promises += 1;
  }
  return promises;
}

async function tokenOf(one: Bench): Promise<string> {
  const form = { 'content-type': 'application/x-www-form-urlencoded' };
  const grant = 'grant_type=client_credentials&client_id=cid_sbx_local&client_secret=csk_sbx_local';
  return (await one.bare('POST', '/partner/v1/oauth/token', grant, form)).json.access_token;
}

/** Sends an example, its placeholders replaced by what works. */
async function send(one: Bench, example: Example, names: Map<string, string>): Promise<Reply> {
  const headers: Record<string, string> = { ...example.headers };
  if (example.auth === 'bearer_token') headers['Authorization'] = `Bearer ${await tokenOf(one)}`;
  if (example.auth === 'secret_key') headers['Authorization'] = 'Bearer sk_test_local';
  const query = new URLSearchParams(example.query);
  if (query.get('cursor')?.startsWith('<')) query.set('cursor', names.get('cursor') ?? '');
  const path = (example.path ?? '')
    .replace('app_8Kd2c9Qm', names.get('application') ?? 'app_x')
    .replace('{id}', 'dec_x');
  const body = example.body_text ?? (example.body === null ? undefined : JSON.stringify(example.body));
  return one.bare(example.method ?? 'GET', query.size > 0 ? `${path}?${query}` : path, body, headers);
}

test('every published exchange gets the status, headers and shape it is documented with', async () => {
  const one = bench();
  const names = new Map<string, string>();
  const replies = new Map<string, Reply>();
  for (let i = 0; i < 30; i++) await one.create();
  names.set('cursor', (await one.call('GET', '/partner/v1/applications?limit=25')).json.next_cursor);
  const conflict = { 'idempotency-key': 'pay-2026-06-29-inv-5512' };
  let promises = 0;
  for (const example of OURS.filter(
    ({ kind, auth }) => kind === 'exchange' || (kind === 'error' && auth !== undefined),
  )) {
    // The precondition of this one in its own sandbox: the key was used with another payload.
    const stage = example.id === 's1-payment-key-reused' ? bench() : one;
    if (stage !== one)
      await stage.call('POST', '/partner/v1/payments', { amount: 1, currency: 'GBP', scheme: 'pisp' }, conflict);
    const reply = await send(stage, example, names);
    replies.set(example.id, reply);
    if (example.id === 's2-application-create') {
      names.set('application', reply.json.id);
      await one.advance('1s');
    }
    promises += check(example.id, reply, { ...example.expected, ...example.sandbox });
    const twin = example.sandbox?.same_body_as;
    if (twin) assert.equal(reply.text, replies.get(twin)?.text);
  }
  assert.ok(promises >= 80, `only ${promises} promises were checked`);
});

test('every published error is produced by its trigger', async () => {
  const triggered = OURS.filter(({ sandbox }) => sandbox?.trigger);
  assert.ok(triggered.length >= 3);
  for (const { id, sandbox } of triggered) {
    const { method, path, body, headers } = sandbox!.trigger!;
    check(id, await bench().call(method, path, body, headers), sandbox!);
  }
  const byFault: Record<string, object> = {
    's2-error-rate-limited': { kind: 'error', status: 429, retry_after: 1 },
    's2-error-service-unavailable': { kind: 'error', status: 503 },
  };
  for (const { id, sandbox } of OURS.filter((example) => byFault[example.id])) {
    const one = bench();
    await one.call('POST', '/_sandbox/faults', byFault[id]);
    check(id, await one.call('GET', '/partner/v1/applications'), sandbox!);
  }
});

test('every route that is named exists and asks for a credential', async () => {
  const one = bench();
  for (const example of OURS.filter(({ kind }) => kind === 'route')) {
    const { status } = await one.bare(example.method ?? '', (example.path ?? '').replace('{id}', 'x'));
    assert.ok([400, 401].includes(status), `${example.id}: ${status}`);
  }
});

test('the webhooks the sandbox sends have the published shapes', async () => {
  const one = bench();
  await one.call('POST', '/partner/v1/webhook_endpoints', { url: 'http://127.0.0.1:3000/', enabled_events: ['*'] });
  await one.create();
  await one.call('POST', '/partner/v1/payments', { amount: 250_000, currency: 'GBP', scheme: 'pisp' });
  await one.advance('1s');
  for (const { id, body, sandbox } of OURS.filter(({ kind, sandbox }) => kind === 'webhook' && sandbox)) {
    const { type } = body as { type: string };
    const event = one.webhookRequests
      .map((webhookRequest) => JSON.parse(webhookRequest.body))
      .find((sent) => sent.type === type);
    for (const [path, shape] of Object.entries(sandbox?.shape ?? {})) {
      assert.ok(fits(pick(event, path), shape), `${id}: ${path} is ${JSON.stringify(pick(event, path))}, not ${shape}`);
    }
  }
});

/** Everything a story says that is promised to be byte-stable (sandbox.md#determinism). */
async function emit(seed: string): Promise<string[]> {
  const one = bench({ seed });
  const described: string[] = [];
  const note = async (reply: Promise<Reply>): Promise<Reply> => {
    const { status, text, headers } = await reply;
    // Access tokens and rate figures are not promised.
    described.push(`${status} ${headers.get('credicorp-request-id')} ${text.replace(/"access_token":"[^"]*"/, '')}`);
    return reply;
  };
  await note(one.bare('GET', '/oauth/jwks'));
  await note(
    one.call('POST', '/partner/v1/webhook_endpoints', { url: 'http://127.0.0.1:3000/', enabled_events: ['*'] }),
  );
  await note(
    one.call('POST', '/_sandbox/faults', {
      kind: 'error',
      probability: 0.5,
      times: 0,
      match: { path: '/partner/v1/accounts' },
    }),
  );
  const names = new Map<string, string>();
  for (const example of OURS.filter(({ method, kind }) => method !== null && kind !== 'webhook' && kind !== 'header')) {
    const reply = await note(send(one, example, names));
    if (example.id === 's2-application-create') names.set('application', reply.json.id);
    await note(one.advance('700ms'));
    await note(one.call('GET', '/partner/v1/accounts'));
  }
  const id = names.get('application') ?? '';
  await note(one.call('POST', '/partner/v1/decisions/nothing/refresh'));
  await note(
    one.bare('GET', new URL((await one.call('GET', `/partner/v1/applications/${id}`)).json.handoff_url).pathname),
  );
  await note(one.call('POST', `/_sandbox/applications/${id}/fund`));
  await note(
    one.call('POST', '/partner/v1/identity/checks', {
      subject: { first_name: 'A', last_name: 'B', date_of_birth: '1990-01-01' },
    }),
  );
  await note(one.advance('40d'));
  await note(one.call('GET', '/partner/v1/applications?limit=1'));
  await note(one.call('GET', '/_sandbox/events?limit=100'));
  await note(one.bare('GET', '/'));
  described.push(...one.webhookRequests.map(({ body, headers }) => `${headers['Credicorp-Delivery']} ${body}`));
  return described;
}

test('the same seed gives the same answers, byte for byte, and another seed others', async () => {
  const first = await emit('ci');
  assert.ok(first.length > 80);
  assert.deepEqual(await emit('ci'), first);
  const other = await emit('not-ci');
  assert.notDeepEqual(other, first);
  assert.equal(other.length, first.length);
});

test('the ids of seed "ci" are those of the documented arithmetic', async () => {
  const { json, headers } = await bench().create();
  // HMAC-SHA256 of "app_:1", "journey:1" and "req_:1" under the seed, digits modulo 62, worked out apart from this program.
  assert.equal(json.id, 'app_9pbkfsrd');
  assert.match(json.handoff_url, /uWGq2CRKEynVIR5k0TgfYp8P$/);
  assert.equal(headers.get('credicorp-request-id'), 'req_kP0m3t49sYY5');
  assert.equal(headers.get('x-credicorp-request-id'), 'req_kP0m3t49sYY5');
});
