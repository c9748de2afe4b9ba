import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import * as fc from 'fast-check';
import { type Client, type ClientOptions, createClient } from '../../src/lib/api/client.ts';
import { createRateLimiter } from '../../src/lib/api/rate-limit.ts';
import { createTransport, type Transport } from '../../src/lib/api/transport.ts';
import type { ExchangeRecord } from '../../src/lib/contract/exchange.ts';
import { Failure } from '../../src/lib/failure.ts';
import { answer, type RudeRequest, type RudeServer, startRudeServer } from '../support/rude-server.ts';

const UUID_V4 = /^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/;
let rude: RudeServer;
let transport: Transport;

before(async () => {
  rude = await startRudeServer();
  transport = createTransport({ timeoutMs: 150, maxBytes: 1024 * 1024 });
});
after(async () => {
  await transport.close();
  await rude.close();
});

/** A client whose waits take no time, and everything it reported. */
function setUp(more: Partial<ClientOptions> = {}) {
  const waits: { reason: string; ms: number; attempt: number }[] = [];
  const records: ExchangeRecord[] = [];
  let skipped = 0;
  const waiting = { now: () => Date.now() + skipped, sleep: async (ms: number) => void (skipped += ms) };
  const client: Client = createClient({
    base: rude.origin,
    userAgent: 'credicorp-cli/0.0.0',
    token: async () => 'token-1',
    send: transport.send,
    newKey: randomUUID,
    timeoutMs: 150,
    maxRetries: 3,
    random: () => 0.5,
    ...waiting,
    environment: 'local',
    rateLimiter: createRateLimiter(waiting),
    record: (record) => records.push(record),
    onWait: (wait) => waits.push(wait),
    ...more,
  });
  return { client, waits, records };
}

/** Answers the requests to a path one after another; the last answer again and again. */
function script(path: string, ...answers: (Buffer | string)[]): RudeRequest[] {
  const seen: RudeRequest[] = [];
  rude.on(path, (socket, request) => {
    seen.push(request);
    const next = answers[Math.min(seen.length, answers.length) - 1];
    if (next === 'reset') socket.resetAndDestroy();
    else socket.write(next ?? '');
  });
  return seen;
}

const failed = (promise: Promise<unknown>): Promise<Failure> =>
  promise.then(
    () => assert.fail('no failure'),
    (error: unknown) => (error instanceof Failure ? error : assert.fail(String(error))),
  );
const error = (status: number, code: string, headers: Record<string, string> = {}) =>
  answer(
    status,
    JSON.stringify({ error: { type: 'x', code, message: 'm', param: 'p', request_id: 'req_Body1' } }),
    headers,
  );
const ok = answer(200, '{"id":"app_1"}', { 'credicorp-request-id': 'req_Head1' });

describe('client, what goes out', () => {
  it('a read: accept, name and bearer, no key, no body', async () => {
    const seen = script('/r1', ok);
    await setUp().client.request({ method: 'get', path: '/r1', query: { a: 'x y&z', b: 2, c: null, d: undefined } });
    const [request] = seen;
    assert.equal(request?.path, '/r1?a=x+y%26z&b=2');
    assert.equal(request?.headers['accept'], 'application/json');
    assert.equal(request?.headers['user-agent'], 'credicorp-cli/0.0.0');
    assert.equal(request?.headers['authorization'], 'Bearer token-1');
    assert.equal(request?.headers['idempotency-key'], undefined);
    assert.equal(request?.headers['content-type'], undefined);
  });

  it('a write: JSON and a fresh UUID v4 for each call', async () => {
    const seen = script('/w1', ok);
    const { client } = setUp();
    for (const method of ['POST', 'PATCH', 'DELETE', 'POST'])
      await client.request({ method, path: '/w1', body: { a: 1 } });
    assert.deepEqual(
      seen.map((request) => request.body),
      Array(4).fill('{"a":1}'),
    );
    assert.equal(seen[0]?.headers['content-type'], 'application/json');
    const keys = seen.map((request) => request.headers['idempotency-key'] ?? '');
    assert.ok(keys.every((key) => UUID_V4.test(key)));
    assert.equal(new Set(keys).size, 4);
  });

  it('a key, body and content type of the user’s own', async () => {
    const seen = script('/w2', ok);
    const { client } = setUp();
    const headers = { 'Content-Type': 'text/csv' };
    await client.request({ method: 'POST', path: '/w2', rawBody: 'a,b', headers, idempotencyKey: 'pay-2026-06-29' });
    assert.equal(seen[0]?.body, 'a,b');
    assert.equal(seen[0]?.headers['content-type'], 'text/csv');
    assert.equal(seen[0]?.headers['idempotency-key'], 'pay-2026-06-29');
  });

  it('nothing at all with a key that cannot be one, or a path that leads away', async () => {
    const { client, records } = setUp();
    for (const idempotencyKey of ['', 'a b', 'é', 'x'.repeat(256), 'a\r\nb: c']) {
      assert.equal((await failed(client.request({ method: 'POST', path: '/w3', idempotencyKey }))).kind, 'usage');
    }
    for (const path of [
      '//evil.example/x',
      '/\\evil.example',
      'http://evil.example/',
      '@evil.example/',
      '',
      '/a b',
      '/\t/x',
      ':80/',
    ]) {
      assert.equal((await failed(client.request({ method: 'GET', path }))).kind, 'usage', path);
    }
    assert.equal(records.length, 0);
  });

  it('below the path of its base, and not beside it', async () => {
    const seen = script('/gateway/v1/thing', ok);
    const { client } = setUp({ base: `${rude.origin}/gateway` });
    await client.request({ method: 'GET', path: '/v1/thing' });
    assert.equal(seen.length, 1);
    for (const path of ['/../admin', '/%2e%2e/admin', '/v1/../../admin'])
      assert.equal((await failed(client.request({ method: 'GET', path }))).kind, 'usage', path);
  });

  it('credentials as headers of their own, and no bearer', async () => {
    const seen = script('/headers', ok);
    const credentials = async () => ({ 'x-partner-client-id': 'p', 'x-partner-client-secret': 'q' });
    await setUp({ token: null, credentials }).client.request({ method: 'GET', path: '/headers' });
    assert.equal(seen[0]?.headers['x-partner-client-secret'], 'q');
    assert.equal(seen[0]?.headers['authorization'], undefined);
  });

  it('a success that is not JSON, where it is asked for', async () => {
    script('/page', answer(200, '<p>hello</p>'));
    const { client } = setUp();
    assert.equal((await client.request({ method: 'GET', path: '/page', anyBody: true })).json, '<p>hello</p>');
    assert.equal((await failed(client.request({ method: 'GET', path: '/page' }))).kind, 'unavailable');
  });

  it('a write once, where the API knows no keys', async () => {
    for (const [path, first] of [
      ['/unkeyed-1', answer(503)],
      ['/unkeyed-2', answer(429)],
      ['/unkeyed-3', 'reset'],
    ] as const) {
      const seen = script(path, first, ok);
      await failed(setUp({ keys: false }).client.request({ method: 'POST', path, body: {} }));
      assert.equal(seen.length, 1, path);
      assert.equal(seen[0]?.headers['idempotency-key'], undefined);
    }
  });

  it('no credential where there is none', async () => {
    const seen = script('/public', ok);
    await setUp({ token: null }).client.request({ method: 'GET', path: '/public' });
    assert.equal(seen[0]?.headers['authorization'], undefined);
  });
});

describe('client, stale tokens', () => {
  const rows: [what: string, first: Buffer, tokens: string[], sent: string[]][] = [
    ['token_expired', error(401, 'token_expired'), ['a', 'b'], ['a', 'b']],
    ['unauthorized', error(401, 'unauthorized'), ['a', 'b'], ['a', 'b']],
    ['invalid_token as text', answer(401, '{"error":"invalid_token"}'), ['a', 'b'], ['a', 'b']],
    ['no newer token', error(401, 'token_expired'), ['a', 'a'], ['a']],
    ['token_revoked', error(401, 'token_revoked'), ['a', 'b'], ['a']],
    ['audience_mismatch', error(401, 'audience_mismatch'), ['a', 'b'], ['a']],
    ['insufficient_scope', error(403, 'insufficient_scope'), ['a', 'b'], ['a']],
    ['403 token_expired', error(403, 'token_expired'), ['a', 'b'], ['a']],
  ];
  for (const [what, first, tokens, sent] of rows) {
    it(what, async () => {
      const path = `/stale-${what.replaceAll(' ', '-')}`;
      const seen = script(path, first, ok);
      const asks: (string | null)[] = [];
      const token: ClientOptions['token'] = async ({ refused }) => {
        asks.push(refused);
        return tokens[asks.length - 1] ?? 'too many';
      };
      await setUp({ token })
        .client.request({ method: 'POST', path })
        .catch(() => undefined);
      assert.deepEqual(
        seen.map((request) => request.headers['authorization']),
        sent.map((value) => `Bearer ${value}`),
      );
      assert.equal(new Set(seen.map((request) => request.headers['idempotency-key'])).size, 1, 'one key');
      assert.deepEqual(asks.slice(0, 2), sent.length === 1 && tokens[0] !== tokens[1] ? [null] : [null, 'a']);
    });
  }

  it('does not ask a third time', async () => {
    const seen = script('/stale-for-ever', error(401, 'token_expired'));
    let count = 0;
    const { client } = setUp({ token: async () => `t${(count += 1)}` });
    assert.equal((await failed(client.request({ method: 'GET', path: '/stale-for-ever' }))).kind, 'auth');
    assert.equal(seen.length, 2);
    assert.equal(count, 2);
  });
});

describe('client, retries', () => {
  it('repeats a keyed write with the same key and body until it is answered', async () => {
    const seen = script(
      '/flaky',
      'reset',
      error(503, 'service_unavailable'),
      error(429, 'rate_limited', { 'retry-after': '2' }),
      ok,
    );
    const { client, waits, records } = setUp();
    const result = await client.request({ method: 'POST', path: '/flaky', body: { n: 1 } });
    assert.equal(result.status, 200);
    assert.equal(seen.length, 4);
    assert.equal(new Set(seen.map((request) => request.headers['idempotency-key'])).size, 1);
    assert.equal(new Set(seen.map((request) => request.body)).size, 1);
    assert.deepEqual(
      waits.map((wait) => [wait.reason, wait.ms, wait.attempt]),
      [
        ['reset', 500, 1],
        ['503', 1000, 2],
        ['429', 2125, 3],
      ],
    );
    assert.deepEqual(
      records.map((record) => [record.attempt, record.status, record.note]),
      [
        [1, null, 'reset'],
        [2, 503, null],
        [3, 429, null],
        [4, 200, null],
      ],
    );
  });

  it('gives up after the last attempt with the last answer', async () => {
    const seen = script('/down', error(503, 'service_unavailable'));
    const failure = await failed(setUp().client.request({ method: 'GET', path: '/down' }));
    assert.equal(failure.kind, 'unavailable');
    assert.equal(failure.facts.code, 'service_unavailable');
    assert.equal(seen.length, 4);
  });

  it('reports the wait when it is too long', async () => {
    const seen = script('/later', error(429, 'rate_limit_exceeded', { 'retry-after': '3600' }));
    const failure = await failed(setUp().client.request({ method: 'GET', path: '/later' }));
    assert.equal(failure.kind, 'rate_limited');
    assert.equal(failure.facts.retryAfter, 3600);
    assert.equal(seen.length, 1);
  });

  it('waits for a write that is still running under its key', async () => {
    const seen = script('/running', error(409, 'idempotency_key_in_progress', { 'retry-after': '1' }), ok);
    await setUp().client.request({ method: 'POST', path: '/running' });
    assert.equal(seen.length, 2);
  });

  it('stops when the signal says so, in a wait or on the wire', async () => {
    script('/always', error(503, 'service_unavailable'));
    const controller = new AbortController();
    const { client } = setUp({
      sleep: async () => {
        controller.abort();
        throw new Failure('interrupted', 'stopped while waiting');
      },
      signal: controller.signal,
    });
    assert.equal((await failed(client.request({ method: 'GET', path: '/always' }))).kind, 'interrupted');
    assert.equal((await failed(client.request({ method: 'GET', path: '/always' }))).kind, 'interrupted');
  });
});

describe('client, rude answers', () => {
  const rows: [path: string, tries: number, kind: string][] = [
    ['/silent', 4, 'unavailable'],
    ['/slow-headers', 4, 'unavailable'],
    ['/slow-body', 4, 'unavailable'],
    ['/half', 4, 'unavailable'],
    ['/half-error', 1, 'refused'],
    ['/reset', 4, 'unavailable'],
    ['/reset-at-once', 4, 'unavailable'],
    ['/hang-up', 4, 'unavailable'],
    ['/endless', 1, 'unavailable'],
    ['/endless-headers', 1, 'unavailable'],
    ['/bomb', 1, 'unavailable'],
    ['/bad-gzip', 1, 'unavailable'],
    ['/latin1', 1, 'unavailable'],
    ['/redirect', 1, 'unavailable'],
    ['/redirect-away', 1, 'unavailable'],
    ['/not-http', 1, 'unavailable'],
    ['/early', 1, 'refused'],
  ];
  for (const [path, tries, kind] of rows) {
    it(`${path}: ${kind} after ${tries}`, { timeout: 5000 }, async () => {
      const before = rude.requests.length;
      // Only silence is ended by the short time limit; what is refused for its content may take its time on a busy machine.
      const { client } = setUp(tries === 1 ? { timeoutMs: 4000 } : {});
      const failure = await failed(client.request({ method: 'POST', path, body: { path } }));
      assert.equal(failure.kind, kind, failure.message);
      const sent = rude.requests.slice(before).filter((request) => request.path === path);
      assert.equal(sent.length, tries);
      assert.equal(new Set(sent.map((request) => request.headers['idempotency-key'])).size, 1);
      assert.ok(sent.every((request) => UUID_V4.test(request.headers['idempotency-key'] ?? '')));
      if (path === '/half-error') assert.equal(failure.facts.requestId, 'req_Half1234');
    });
  }
});

describe('client, connections used again', () => {
  it('a write on a connection that closes under it comes through under its one key', async () => {
    const before = rude.requests.length;
    const { client } = setUp();
    for (let n = 0; n < 10; n += 1) {
      const result = await client.request({ method: 'POST', path: '/reuse', body: { n } });
      assert.equal(result.status, 200);
    }
    const sent = rude.requests.slice(before).filter((request) => request.path === '/reuse');
    const keys = Map.groupBy(sent, (request) => request.body);
    assert.equal(keys.size, 10);
    for (const tries of keys.values())
      assert.equal(new Set(tries.map((request) => request.headers['idempotency-key'])).size, 1);
  });

  it('an error document of 30 MB is that error', async () => {
    script(
      '/huge',
      answer(422, `{"error":{"code":"validation_error","pad":"${'x'.repeat(30e6)}"}}`, {
        'credicorp-request-id': 'req_Huge1',
      }),
    );
    const roomy = createTransport({ timeoutMs: 10_000 });
    const failure = await failed(
      setUp({ send: roomy.send, timeoutMs: 10_000 }).client.request({ method: 'GET', path: '/huge' }),
    );
    await roomy.close();
    assert.equal(failure.kind, 'refused');
    assert.equal(failure.facts.requestId, 'req_Huge1');
  });
});

describe('client, recording', () => {
  it('each try with all that is known of it', async () => {
    script(
      '/partner/v1/applications/app_9/submit',
      error(409, 'state_conflict', { 'x-credicorp-request-id': 'req_Head2' }),
    );
    const { client, records } = setUp();
    await failed(
      client.request({
        method: 'POST',
        path: '/partner/v1/applications/app_9/submit',
        query: { key: 'abc' },
        body: { note: 'known-value', secret: 'x' },
        idempotencyKey: 'key-1',
      }),
    );
    const [record] = records;
    assert.ok(record);
    const { at, latencyMs, responseHeaders, ...rest } = record;
    assert.ok(Math.abs(Date.now() - at) < 5000 && latencyMs >= 0 && responseHeaders['content-type']);
    assert.deepEqual(rest, {
      attempt: 1,
      environment: 'local',
      source: 'cli',
      method: 'POST',
      path: '/partner/v1/applications/app_9/submit?key=abc',
      origin: rude.origin,
      status: 409,
      requestId: 'req_Head2',
      idempotencyKey: 'key-1',
      eventId: null,
      eventType: null,
      deliveryId: null,
      resourceId: 'app_9',
      errorType: 'x',
      errorCode: 'state_conflict',
      errorParam: 'p',
      note: null,
      requestHeaders: {
        accept: 'application/json',
        'user-agent': 'credicorp-cli/0.0.0',
        'idempotency-key': 'key-1',
        'content-type': 'application/json',
        authorization: 'Bearer token-1',
      },
      requestBody: '{"note":"known-value","secret":"x"}',
      responseBody: record.responseBody,
    });
  });

  it('no secret in a failure, wherever it was planted and whatever the server repeats', async () => {
    const value = fc.string({ unit: fc.constantFrom(...'ABCDEFGHabcdefgh0123456789-_'), minLength: 16, maxLength: 40 });
    const shape = fc.constantFrom<(value: string) => string>(
      (secret) => secret,
      (secret) => `sk_live_${secret}`,
      (secret) => JSON.stringify({ client_secret: secret }),
      (secret) => Buffer.from(`cid_sbx_1:${secret}`).toString('base64'),
      (secret) => encodeURIComponent(`"${secret}"`),
    );
    await fc.assert(
      fc.asyncProperty(value, shape, async (secret, write) => {
        const text = write(secret);
        const problem = {
          type: text,
          code: text,
          message: text,
          param: text,
          details: [{ param: text, message: text }],
          doc_url: `https://x/${text}`,
        };
        script(
          '/echo',
          answer(422, JSON.stringify({ error: problem }), { 'x-echo': text, 'credicorp-request-id': 'req_Echo1' }),
        );
        const { client } = setUp({ token: async () => secret, secrets: () => [secret] });
        const headers = { 'x-own': text };
        const failure = await failed(
          client.request({ method: 'POST', path: '/echo', query: { q: text }, headers, body: { text } }),
        );
        const said = JSON.stringify([failure.message, failure.facts, failure.stack]);
        assert.ok(!said.includes(secret), said);
        assert.ok(!said.includes(Buffer.from(secret).toString('base64').slice(4, -6)), said);
        assert.ok(said.includes('req_Echo1'));
      }),
      { numRuns: 100 },
    );
  });

  it('the id a new object came back with', async () => {
    script('/partner/v1/applications', answer(201, '{"id":"app_new1","status":"created"}'));
    const { client, records } = setUp();
    await client.request({ method: 'POST', path: '/partner/v1/applications', body: {} });
    assert.equal(records[0]?.resourceId, 'app_new1');
  });
});
