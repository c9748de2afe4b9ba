import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bench, replyOf, BASE, START, type Bench, type Body, type Reply } from './support.ts';

test('health has every member in documented order', async () => {
  const one = bench();
  await one.create();
  const { text } = await one.bare('GET', '/_sandbox/health');
  assert.equal(
    text,
    `{"status":"ok","version":"0.0.0","base_url":"${BASE}","environment":"sandbox","tier":"build","seed":"ci","now":"2026-07-04T10:00:00Z",` +
      '"clock":"frozen","auto_submit":true,"lenient":false,"counts":{"applications":1,"decisions":0,"payments":0,"payment_links":0,' +
      '"identity_checks":0,"accounts":0,"webhook_endpoints":0,"events":0,"pending_deliveries":0}}',
  );
});

async function from(
  one: Bench,
  address: string,
  headers: Record<string, string>,
  path = '/_sandbox/health',
): Promise<Reply> {
  return replyOf(await one.sandbox.fetch(new Request(BASE + path, { headers }), { address }));
}

test('admin routes answer loopback peers that name a loopback host, and no foreign page', async () => {
  const one = bench();
  const rows: [string, Record<string, string>, number][] = [
    ['127.0.0.1', {}, 200],
    ['::1', { host: '[::1]:4010' }, 200],
    ['::ffff:127.0.0.1', { host: 'localhost:4010' }, 200],
    ['192.168.1.5', {}, 403],
    ['127.0.0.1', { host: 'evil.example:4010' }, 403],
    ['127.0.0.1', { host: '127.0.0.1.evil.example' }, 403],
    ['127.0.0.1', { host: 'localhost:4010', origin: 'http://evil.example' }, 403],
    ['127.0.0.1', { host: 'localhost:4010', origin: 'null' }, 403],
    ['127.0.0.1', { host: 'localhost:4010', origin: 'http://localhost:4010' }, 200],
  ];
  for (const [address, headers, status] of rows) {
    const reply = await from(one, address, headers);
    assert.equal(reply.status, status, JSON.stringify([address, headers]));
    if (status === 403) assert.equal(reply.json.error.code, 'loopback_only');
  }
});

test('no route answers a web page of another origin, whatever host name points to this machine', async () => {
  const rows: [string, Record<string, string>, number][] = [
    ['127.0.0.1', { host: 'x' }, 200],
    ['127.0.0.1', { host: 'sandbox:4010' }, 200],
    ['127.0.0.1', { host: '127.8.8.8:4010' }, 200],
    ['127.0.0.1', { host: 'api.localhost:4010' }, 200],
    ['::1', { host: '[::ffff:127.0.0.1]:4010' }, 200],
    ['127.0.0.1', { host: 'host.docker.internal:4010' }, 200],
    ['127.0.0.1', { host: 'localhost:4010', origin: 'https://app.test' }, 200],
    ['127.0.0.1', { host: 'internal.evil.example' }, 403],
    ['127.0.0.1', { host: 'localhost:4010', origin: 'http://192.168.1.9' }, 403],
    // A development server hands its page's calls on.
    ['127.0.0.1', { host: 'localhost:4010', origin: 'http://localhost:5173' }, 200],
    ['127.0.0.1', { host: 'evil.example' }, 403],
    ['::1', { host: 'evil.example.:4010', origin: 'http://evil.example.:4010' }, 403],
    ['127.0.0.1', { host: '127.0.0.1.evil.example' }, 403],
    ['127.0.0.1', { host: 'localhost:4010', origin: 'https://evil.example' }, 403],
    ['127.0.0.1', { host: 'localhost:4010', origin: 'null' }, 403],
  ];
  const key = { authorization: 'Bearer sk_test_local' };
  for (const [address, headers, status] of rows) {
    const reply = await from(bench(), address, { ...key, ...headers }, '/partner/v1/applications');
    assert.equal(reply.status, status, JSON.stringify([address, headers]));
    if (status === 403) assert.equal(reply.json.error.code, 'loopback_only');
  }
  const open = bench({ anyName: true });
  assert.equal(
    (await from(open, '127.0.0.1', { ...key, host: 'api.example' }, '/partner/v1/applications')).status,
    200,
  );
});

test('a shared log token opens the request log to another host, and nothing else', async () => {
  const one = bench({ logToken: 'let-me-see' });
  const bearer = { authorization: 'Bearer let-me-see' };
  assert.equal((await from(one, '10.0.0.9', bearer, '/_sandbox/requests')).status, 200);
  assert.equal((await from(one, '10.0.0.9', { authorization: 'Bearer no' }, '/_sandbox/requests')).status, 403);
  assert.equal((await from(one, '10.0.0.9', {}, '/_sandbox/requests')).status, 403);
  assert.equal((await from(one, '10.0.0.9', bearer)).status, 403);
  const hook = { url: 'http://127.0.0.1:3000/c4Qm8Kd2Zt', enabled_events: ['*'] };
  await one.call('POST', '/partner/v1/webhook_endpoints', hook);
  const far = (await from(one, '10.0.0.9', bearer, '/_sandbox/requests')).text;
  assert.match(far, /\{\\"url\\":\\"http:\/\/127\.0\.0\.1:3000\/…\\"/);
  assert.doesNotMatch(far, /c4Qm8Kd2Zt/);
  assert.match((await from(one, '127.0.0.1', {}, '/_sandbox/requests')).text, /c4Qm8Kd2Zt/);
  assert.equal((await from(bench(), '10.0.0.9', { authorization: 'Bearer ' }, '/_sandbox/requests')).status, 403);
});

test('with an admin token every admin route needs it, and no other route does', async () => {
  const one = bench({ adminToken: 'let-me-in', logToken: 'let-me-see' });
  const paths = ['/_sandbox/health', '/_sandbox/companies', '/_sandbox/requests'];
  for (const path of paths) {
    for (const authorization of ['', 'Bearer no', 'Bearer sk_test_local', 'Basic let-me-in', 'Bearer let-me-in2']) {
      const { status, json } = await from(one, '127.0.0.1', authorization === '' ? {} : { authorization }, path);
      assert.deepEqual([status, json.error.code], [401, 'admin_token_required'], `${path} ${authorization}`);
    }
    assert.equal((await from(one, '127.0.0.1', { authorization: 'Bearer let-me-in' }, path)).status, 200, path);
    assert.equal((await from(one, '10.0.0.9', { authorization: 'Bearer let-me-in' }, path)).status, 403, path);
  }
  assert.equal((await from(one, '10.0.0.9', { authorization: 'Bearer let-me-see' }, '/_sandbox/requests')).status, 200);
  assert.equal((await one.call('GET', '/partner/v1/applications')).status, 200);
});

test('an advance with an Idempotency-Key is made once: its repeat joins the one that runs, and later has its answer', async () => {
  const answered = Promise.withResolvers<{ status: number; error: null }>();
  const one = bench({ receive: () => answered.promise });
  await one.call('POST', '/partner/v1/webhook_endpoints', { url: 'http://127.0.0.1:9/hook', enabled_events: ['*'] });
  await one.create();
  const move = (key: string, by = '24h'): Promise<Reply> =>
    one.call('POST', '/_sandbox/clock/advance', { by }, { 'idempotency-key': key });
  const both = Promise.all([move('a'), move('a')]);
  answered.resolve({ status: 200, error: null });
  const [first, joined] = await both;
  assert.deepEqual([first.json.now, joined.json.now], ['2026-07-05T10:00:00Z', '2026-07-05T10:00:00Z']);
  assert.deepEqual((await move('a')).json, first.json);
  assert.equal((await move('a', '1h')).json.now, '2026-07-05T11:00:00Z');
  assert.equal((await move('b')).json.now, '2026-07-06T11:00:00Z');
  assert.equal((await move('c', 'soon')).status, 400);
  await one.call('POST', '/_sandbox/reset', {});
  assert.equal((await move('a')).json.now, '2026-07-05T10:00:00Z');
});

test('the clock moves by duration, by seconds and to an instant, forward only', async () => {
  const one = bench();
  const move = (body: object): Promise<Reply> => one.call('POST', '/_sandbox/clock/advance', body);
  assert.deepEqual((await move({ by: '72h' })).json, {
    now: '2026-07-07T10:00:00Z',
    advanced_seconds: 259_200,
    fired: { steps: 0, deliveries: 0 },
  });
  assert.equal((await move({ seconds: 60 })).json.now, '2026-07-07T10:01:00Z');
  assert.equal((await move({ to: '2026-07-08T00:00:00Z' })).json.now, '2026-07-08T00:00:00Z');
  const rows: [object, number, string, string][] = [
    [{}, 400, 'parameter_missing', 'by'],
    [{ by: '1h', seconds: 1 }, 400, 'parameter_invalid', 'seconds'],
    [{ by: 'soon' }, 400, 'parameter_invalid', 'by'],
    [{ seconds: -1 }, 400, 'parameter_invalid', 'seconds'],
    [{ to: '2026-07-01T00:00:00Z' }, 422, 'validation_error', 'to'],
    [{ by: '999999999d' }, 422, 'validation_error', 'by'],
  ];
  for (const [body, status, code, param] of rows) {
    const { json, ...reply } = await move(body);
    assert.deepEqual([reply.status, json.error.code, json.error.param], [status, code, param], JSON.stringify(body));
  }
  await one.create();
  assert.deepEqual((await move({ by: '1s' })).json.fired, { steps: 3, deliveries: 0 });
});

test('a running clock follows real time by its factor, and sleeping time is made up for', async () => {
  let now = START;
  const one = bench({ clock: { speed: 60 }, now: () => now });
  const { id } = (await one.create()).json;
  const read = async (): Promise<Body> => (await one.call('GET', `/partner/v1/applications/${id}`)).json;
  assert.equal((await read()).status, 'created');
  now += 10;
  assert.equal((await read()).status, 'approved');
  now += 60_000;
  assert.equal((await one.bare('GET', '/_sandbox/health')).json.now, '2026-07-04T11:00:00Z');
});

test('a reset begins the same story again, another with another seed, and keeps endpoints if asked', async () => {
  const one = bench();
  const first = (await one.create({}, { 'idempotency-key': 'k' })).json;
  const endpoint = { url: 'https://a.example/', enabled_events: ['*'] };
  const { id } = (await one.call('POST', '/partner/v1/webhook_endpoints', endpoint)).json;
  const cursor = async (): Promise<string> =>
    (await one.call('GET', '/partner/v1/applications?limit=1')).json.next_cursor;
  await one.create();
  const before = await cursor();
  await one.advance('5h');
  await one.call('POST', '/_sandbox/faults', { kind: 'error', times: 0 });
  const { json } = await one.call('POST', '/_sandbox/reset', { keep: ['webhook_endpoints'] });
  assert.deepEqual([json.now, json.counts.applications, json.counts.webhook_endpoints], ['2026-07-04T10:00:00Z', 0, 1]);
  assert.equal((await one.call('GET', `/partner/v1/webhook_endpoints/${id}`)).status, 200);
  assert.deepEqual((await one.create({}, { 'idempotency-key': 'k' })).json, first);
  await one.create();
  assert.equal(await cursor(), before);
  await one.call('POST', '/_sandbox/reset', { seed: 'other' });
  assert.notEqual((await one.create()).json.id, first.id);
  assert.equal((await one.bare('GET', '/_sandbox/health')).json.seed, 'other');
  assert.equal((await one.call('GET', '/partner/v1/webhook_endpoints')).json.data.length, 0);
  assert.equal((await one.call('POST', '/_sandbox/reset', { keep: ['applications'] })).status, 400);
});

test('faults are listed, cleared, matched by route, counted, timed and drawn', async () => {
  const one = bench();
  const set = (fault: object): Promise<Reply> => one.call('POST', '/_sandbox/faults', fault);
  const { status, text, json } = await set({
    kind: 'error',
    match: { method: 'post', path: '/partner/v1/*' },
    status: 503,
    code: 'service_unavailable',
    retry_after: 2,
    times: 2,
  });
  assert.equal(status, 201);
  assert.equal(
    text.replace(json.id, 'ID'),
    '{"id":"ID","kind":"error","match":{"method":"post","path":"/partner/v1/*"},"status":503,"code":"service_unavailable","message":null,' +
      '"retry_after":2,"delay_ms":0,"probability":1,"for_ms":null,"times":2,"remaining":2}',
  );
  assert.equal((await one.call('GET', '/partner/v1/applications')).status, 200);
  assert.equal((await one.create()).status, 503);
  assert.equal((await one.call('POST', '/partner/v1/decisions/x/refresh')).status, 404);
  assert.equal((await one.call('GET', '/_sandbox/faults')).json.data[0].remaining, 1);
  assert.equal((await one.create()).status, 503);
  assert.equal((await one.create()).status, 201);
  assert.deepEqual((await one.call('GET', '/_sandbox/faults')).json.data, []);

  await set({ kind: 'error', status: 429, for_ms: 1000, times: 0 });
  assert.equal((await one.create()).json.error.code, 'rate_limit_exceeded');
  await one.advance('1s');
  assert.equal((await one.create()).status, 201);

  await set({ kind: 'error', probability: 0.5, times: 0, match: { path: '/partner/v1/accounts' } });
  const seen: number[] = [];
  for (let i = 0; i < 40; i++) seen.push((await one.call('GET', '/partner/v1/accounts')).status);
  assert.ok(seen.includes(200) && seen.includes(503));
  const [{ id }] = (await one.call('GET', '/_sandbox/faults')).json.data;
  assert.equal((await one.call('DELETE', `/_sandbox/faults?id=${id}`)).status, 204);
  assert.equal((await one.call('DELETE', `/_sandbox/faults?id=${id}`)).status, 404);
  assert.equal((await one.call('DELETE', '/_sandbox/faults')).status, 204);
});

test('a fault takes the paths its pattern means, and no pattern takes for ever', async () => {
  const rows: [pattern: string, path: string, meant: boolean][] = [
    ['/**/token', '/oauth/token', true],
    ['/**/token', '/partner/v1/oauth/token', true],
    ['/**/token', '/oauth/tokens', false],
    ['/partner/v1/*', '/partner/v1/payments', true],
    ['/partner/v1/*', '/partner/v1/payments/pay_1', false],
    ['/partner/v1/**', '/partner/v1/payments/pay_1', true],
    ['/partner/v1/p*/p*_1', '/partner/v1/payments/pay_1', true],
    ['/partner/v1/payments*', '/partner/v1/payments', true],
    ['/partner/v1/payments.', '/partner/v1/payments/', false],
    ['**', '/', true],
    ['/**a**a**a**a**a**a**a**b', `/partner/v1/payments/${'a'.repeat(5000)}`, false],
  ];
  for (const [pattern, path, meant] of rows) {
    const one = bench();
    await one.call('POST', '/_sandbox/faults', { kind: 'error', status: 418, match: { path: pattern } });
    const { status } = await one.call(path.endsWith('token') ? 'POST' : 'GET', path);
    assert.equal(status === 418, meant, `${pattern} ${path.slice(0, 40)}: ${status}`);
  }
});

test('each kind of fault has its effect on an exchange', async () => {
  const one = bench();
  const after = async (fault: object, path = '/partner/v1/applications'): Promise<Reply> => {
    await one.call('POST', '/_sandbox/faults', fault);
    return one.call('GET', path);
  };
  const html = await after({ kind: 'html' });
  assert.deepEqual([html.status, html.headers.get('content-type'), html.json], [502, 'text/html', null]);
  assert.match(html.headers.get('credicorp-request-id') ?? '', /^req_/);
  const cut = await after({ kind: 'bad_json' });
  assert.deepEqual([cut.status, cut.text], [200, '{"data":[],"has_more":f']);
  assert.equal((await after({ kind: 'token_expired' })).json.error.code, 'token_expired');
  const began = performance.now();
  assert.equal((await after({ kind: 'latency', delay_ms: 40 })).status, 200);
  assert.ok(performance.now() - began >= 35);
  const own = await after({ kind: 'error', status: 418, code: 'brand_new', message: 'No tea.' });
  assert.deepEqual([own.status, own.json.error.code, own.json.error.message], [418, 'brand_new', 'No tea.']);
  await one.call('POST', '/_sandbox/faults', { kind: 'error', match: { path: '/**/token' } });
  assert.equal((await one.call('GET', '/partner/v1/applications')).status, 200);
  assert.equal((await one.bare('POST', '/partner/v1/oauth/token', '')).status, 503);
  assert.equal((await after({ kind: 'error' }, '/_sandbox/health')).status, 200);
  assert.equal((await one.bare('GET', '/public/v1/status')).status, 503);
  for (const [fault, param] of [
    [{}, 'kind'],
    [{ kind: 'nope' }, 'kind'],
    [{ kind: 'latency', delay_ms: 60_001 }, 'delay_ms'],
    [{ kind: 'error', probability: 2 }, 'probability'],
    [{ kind: 'error', status: 200 }, 'status'],
  ] as const) {
    assert.equal((await one.call('POST', '/_sandbox/faults', fault)).json.error.param, param);
  }
});

test('platform status is always operational', async () => {
  const one = bench();
  assert.equal((await one.bare('GET', '/public/v1/healthz')).status, 200);
  assert.deepEqual((await one.bare('GET', '/public/v1/status')).json, {
    status: 'operational',
    components: [{ name: 'Apply', status: 'operational' }],
  });
});
