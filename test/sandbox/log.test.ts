import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { ExchangeRecord } from '../../src/lib/contract/exchange.ts';
import { BASE, bench, type Bench, type Body } from './support.ts';

const LOG = '/_sandbox/requests';

async function entries({ bare }: Bench, query = ''): Promise<Body[]> {
  return (await bare('GET', `${LOG}?limit=100${query}`)).json.data;
}

test('an entry has the request, its sender and the answer', async () => {
  const one = bench();
  const { json, headers } = await one.create(
    { unheard_of: 1, redirect_uri: undefined },
    { 'idempotency-key': 'k', 'user-agent': 'test/1' },
  );
  const [entry] = await entries(one);
  assert.deepEqual(Object.keys(entry), [
    'seq',
    'at',
    'request_id',
    'method',
    'path',
    'query',
    'status',
    'duration_ms',
    'project',
    'credential',
    'scope',
    'idempotency_key',
    'replayed',
    'error_code',
    'rate_limit_remaining',
    'resource_ids',
    'notes',
    'fault_id',
    'user_agent',
    'request_headers',
    'request_body',
    'response_headers',
    'response_body',
  ]);
  assert.equal(entry.request_id, headers.get('credicorp-request-id'));
  assert.deepEqual(
    [entry.method, entry.path, entry.status, entry.project, entry.scope, entry.idempotency_key, entry.user_agent],
    ['POST', '/partner/v1/applications', 201, 'local', 'applications:write', 'k', 'test/1'],
  );
  assert.deepEqual(entry.resource_ids, [json.id]);
  assert.deepEqual(entry.notes.length, 2);
  assert.match(entry.notes.join(), /unheard_of/);
  assert.equal(JSON.parse(entry.response_body).id, json.id);
});

test('nothing secret is in the log, wherever it stood', async () => {
  const one = bench();
  const form = { 'content-type': 'application/x-www-form-urlencoded', cookie: 'session=abc123secret' };
  const { json } = await one.bare(
    'POST',
    '/oauth/token',
    'grant_type=client_credentials&client_id=cid_sbx_local&client_secret=csk_sbx_local',
    form,
  );
  const bearer = { authorization: `Bearer ${json.access_token}` };
  const made = await one.call(
    'POST',
    '/partner/v1/webhook_endpoints',
    { url: 'https://a.example/', enabled_events: ['*'] },
    bearer,
  );
  await one.bare('GET', `/partner/v1/applications?token=t0ps3cret&client_secret=t0ps3cret&limit=1`);
  await one.create({ reference: 'sk_live_abcdef123456' });
  const text = JSON.stringify(await entries(one));
  for (const secret of [
    json.access_token,
    json.access_token.split('.')[2],
    made.json.secret,
    'csk_sbx_local',
    'abc123secret',
    't0ps3cret',
    'abcdef123456',
  ]) {
    assert.ok(!text.includes(secret), secret.slice(0, 6));
  }
  assert.match(text, /whsec_\[redacted\]/);
  assert.match(text, /limit=1/);
});

test('entries are filtered, paged, given as lines; admin requests are not among them', async () => {
  const one = bench();
  await one.call('GET', '/partner/v1/accounts');
  await one.call('GET', '/partner/v1/accounts/acc_x');
  await one.create();
  assert.equal((await entries(one)).length, 3);
  assert.equal((await entries(one, '&status=4xx')).length, 1);
  assert.equal((await entries(one, '&status=201')).length, 1);
  assert.equal((await entries(one, '&method=get&path=/partner/v1/acc')).length, 2);
  const [newest, second] = await entries(one);
  assert.equal((await entries(one, `&since=${second.seq}`)).length, 1);
  const page = (await one.bare('GET', `${LOG}?limit=1`)).json;
  assert.equal(page.data[0].seq, newest.seq);
  const next = (await one.bare('GET', `${LOG}?limit=1&cursor=${page.next_cursor}`)).json;
  assert.equal(next.data[0].seq, second.seq);
  const lines = await one.bare('GET', LOG, undefined, { accept: 'application/x-ndjson' });
  assert.equal(lines.headers.get('content-type'), 'application/x-ndjson');
  const parsed = lines.text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.deepEqual(
    parsed.map(({ status }) => status),
    [200, 404, 201],
  );
  assert.equal((await one.bare('GET', `${LOG}?status=bad`)).status, 400);
});

test('the ring holds the last 1000, bodies are cut at 16 KiB', async () => {
  const one = bench();
  await one.create({ unknown: 'x'.repeat(40_000) });
  const [entry] = await entries(one);
  assert.ok(entry.request_body.length < 17_000);
  for (let i = 0; i < 1100; i++) await one.bare('GET', '/nowhere');
  const lines = await one.bare('GET', LOG, undefined, { accept: 'application/x-ndjson' });
  assert.equal(lines.text.trimEnd().split('\n').length, 1000);
});

/** Reads server-sent events until `enough` says so. */
async function listen(
  one: Bench,
  query: string,
  headers: Record<string, string>,
  enough: (text: string) => boolean,
): Promise<string> {
  const response = await one.sandbox.fetch(new Request(`${BASE}${LOG}/stream${query}`, { headers }), {
    address: '127.0.0.1',
  });
  assert.equal(response.headers.get('content-type'), 'text/event-stream');
  const reader = response.body!.getReader();
  let text = '';
  while (!enough(text)) {
    const { value, done } = await reader.read();
    if (done) break;
    text += Buffer.from(value).toString();
  }
  await reader.cancel();
  return text;
}

const kinds = (text: string): string[] => [...text.matchAll(/^event: (.*)$/gm)].map(([, kind]) => kind ?? '');

test('the stream sends requests, events, deliveries and clock changes as they happen, in one numbering', async () => {
  const one = bench();
  await one.call('POST', '/partner/v1/webhook_endpoints', { url: 'https://a.example/', enabled_events: ['*'] });
  const stream = listen(one, '', {}, (text) => kinds(text).includes('clock'));
  await one.create();
  await one.advance('1s');
  const text = await stream;
  const seen = kinds(text);
  assert.deepEqual(
    ['request', 'webhook_event', 'delivery', 'clock'].map((kind) => seen.filter((one) => one === kind).length),
    [1, 5, 5, 1],
  );
  const ids = [...text.matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id));
  assert.deepEqual(
    ids,
    ids.map((_, i) => ids[0]! + i),
  );
  const resumed = await listen(
    one,
    '',
    { 'last-event-id': String(ids[2]) },
    (more) => kinds(more).length >= ids.length - 3,
  );
  assert.deepEqual(kinds(resumed), seen.slice(3));
  const since = await listen(one, `?since=${ids[2]}`, {}, (more) => kinds(more).length >= ids.length - 3);
  assert.equal(since, resumed);
});

test('a reader that falls a thousand messages behind is sent away', async () => {
  const one = bench();
  const response = await one.sandbox.fetch(new Request(`${BASE}${LOG}/stream`), { address: '127.0.0.1' });
  for (let i = 0; i < 1500; i++) await one.bare('GET', '/nowhere');
  const text = await response.text();
  assert.ok(kinds(text).length >= 1000 && kinds(text).length <= 1002, String(kinds(text).length));
});

test('entries that the ring buffer no longer has are reported as a gap', async () => {
  const one = bench();
  for (let i = 0; i < 2500; i++) await one.bare('GET', '/nowhere');
  const text = await listen(one, '?since=10', {}, (so_far) => kinds(so_far).length > 3);
  assert.match(text, /event: gap\ndata: \{"from":11,"to":1500\}\n\nid: 1501\n/);
});

test('each exchange and each delivery is written into the journal', async () => {
  const written: ExchangeRecord[] = [];
  const one = bench({ record: (record) => void written.push(record) });
  await one.call('POST', '/partner/v1/webhook_endpoints', {
    url: 'http://127.0.0.1:3000/hook?x=1',
    enabled_events: ['loan.*'],
  });
  await one.call('GET', '/partner/v1/applications/app_x?y=1');
  const event = (await one.call('POST', '/_sandbox/events', { type: 'loan.closed' })).json;
  await one.advance('0s');
  assert.deepEqual(
    written.map(({ source, method, path, origin, status }) => [source, method, path, origin, status]),
    [
      ['sandbox', 'POST', '/partner/v1/webhook_endpoints', BASE, 201],
      ['sandbox', 'GET', '/partner/v1/applications/app_x?y=1', BASE, 404],
      ['sandbox', 'POST', '/hook?x=1', 'http://127.0.0.1:3000', 200],
    ],
  );
  assert.deepEqual([written[1]?.errorCode, written[1]?.errorParam], ['resource_missing', 'id']);
  assert.deepEqual([written[2]?.eventId, written[2]?.eventType, written[2]?.attempt], [event.id, 'loan.closed', 1]);
  assert.ok(written.every(({ requestHeaders }) => !('authorization' in requestHeaders)));
});

test('wherever a secret is planted, neither the lines nor the stream show it', async () => {
  const word = fc.string({ unit: fc.constantFrom(...'ABCDEFGHabcdefgh0123456789'), minLength: 16, maxLength: 40 });
  const shape = fc.constantFrom<(secret: string) => string>(
    (secret) => `sk_live_${secret}`,
    (secret) => `csk_sbx_${secret}`,
    (secret) => `whsec_${secret}`,
    (secret) => `Bearer 1${secret}`,
    (secret) => `eyJhbGciOiJFUzI1NiJ9.${secret}.${secret}`,
    (secret) => `Basic ${btoa(`cid_sbx_1:${secret}`)}`,
  );
  const one = bench();
  const secrets: string[] = [];
  const hook = { url: 'https://a.example/?key=pLaNtEd0002', enabled_events: ['*'] };
  await one.call('POST', '/partner/v1/webhook_endpoints', hook);
  const events = listen(one, '', {}, (text) => kinds(text).includes('delivery'));
  const set = { 'data.note': 'sk_live_pLaNtEd0003', 'data.access_token': 'pLaNtEd0004' };
  await one.call('POST', '/_sandbox/events', { type: 'loan.closed', set });
  await one.advance('0s');
  assert.doesNotMatch(await events, /pLaNtEd/);
  const all = fc.record({
    secret: word,
    write: shape,
    place: fc.constantFrom('path', 'query', 'header', 'json', 'form'),
  });
  await fc.assert(
    fc.asyncProperty(all, async ({ secret, write, place }) => {
      const text = write(secret);
      secrets.push(secret, btoa(`cid_sbx_1:${secret}`).slice(12, -4));
      const json = JSON.stringify({
        reference: text,
        nested: [{ access_token: secret }],
        more: JSON.stringify({ text }),
      });
      const form = new URLSearchParams({ client_secret: secret, scope: text }).toString();
      const path = place === 'path' ? `/applications/${encodeURIComponent(text)}` : '/applications';
      const query = place === 'query' ? `?x=${encodeURIComponent(text)}&client_secret=${secret}&token=${secret}` : '';
      const names = [
        'authorization',
        'cookie',
        'x-api-key',
        'idempotency-key',
        'user-agent',
        'x-other',
        'credicorp-signature',
      ];
      const headers = place === 'header' ? Object.fromEntries(names.map((name) => [name, text])) : {};
      const body = place === 'json' ? json : place === 'form' ? form : undefined;
      const type = place === 'form' ? 'application/x-www-form-urlencoded' : 'application/json';
      const method = body === undefined ? 'GET' : 'POST';
      await one.bare(method, `/partner/v1${path}${query}`, body, {
        authorization: 'Bearer sk_test_local',
        'content-type': type,
        ...headers,
      });
    }),
    { numRuns: 150 },
  );
  const lines = (await one.bare('GET', LOG, undefined, { accept: 'application/x-ndjson' })).text;
  const stream = await listen(one, '?since=0', {}, (text) => text.split('event: request').length > 150);
  assert.ok(lines.split('\n').length > 150);
  for (const secret of secrets)
    for (const text of [lines, stream])
      assert.ok(
        !text.includes(secret),
        `${secret} in ${text.slice(text.indexOf(secret) - 300, text.indexOf(secret) + 60)}`,
      );
});
