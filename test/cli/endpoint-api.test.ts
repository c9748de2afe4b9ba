/** Whether an endpoint is still there: what is asked of the embedded sandbox, what of a hosted API, and when nobody is asked any more. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, test } from 'node:test';
import { createClient } from '../../src/lib/api/client.ts';
import { createRateLimiter } from '../../src/lib/api/rate-limit.ts';
import { sleep } from '../../src/lib/api/retry.ts';
import { createTransport } from '../../src/lib/api/transport.ts';
import { createEndpointCheck, endpointCheckInterval } from '../../src/lib/cli/webhooks/endpoint-api.ts';
import { Failure } from '../../src/lib/failure.ts';

const FOUND: Answer = [200, { id: 'whend_1', url: 'https://a.example', enabled_events: ['*'], status: 'enabled' }];
const GONE: Answer = [404, { error: { type: 'invalid_request_error', code: 'resource_missing', message: 'no' } }];
const { signal } = new AbortController();

type Answer = [status: number, document: object];

/** An API that answers in turn, and what it was asked. */
async function openApi(environment: string, answers: Answer[]) {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(String(request.url));
    const [status, document] = answers.shift() ?? [500, {}];
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(document));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const transport = createTransport({ timeoutMs: 2000, maxBytes: 100_000 });
  after(async () => {
    await transport.close();
    server.close();
  });
  const client = createClient({
    ...{
      base,
      environment,
      userAgent: 'test',
      send: transport.send,
      newKey: randomUUID,
      timeoutMs: 2000,
      maxRetries: 0,
    },
    ...{
      token: async () => 'token',
      now: Date.now,
      random: () => 0,
      record: () => undefined,
      rateLimiter: createRateLimiter({ now: Date.now, sleep }),
    },
  });
  const asking = {
    identity: { environment: { value: environment }, base: { value: base } },
    client: async () => client,
    transport: async () => transport,
  };
  const warnings: string[] = [];
  return {
    asked,
    warnings,
    present: createEndpointCheck(asking, (line) => warnings.push(line)),
    everyMs: endpointCheckInterval(asking),
  };
}

const count = (webhook_endpoints: number): Answer => [200, { counts: { webhook_endpoints } }];

test('the embedded sandbox is asked for its number, and for the endpoint when the number has changed', async () => {
  const answers = [count(2), count(2), count(1), FOUND, count(1), count(2), GONE, count(0), [200, {}] satisfies Answer];
  const { asked, present, everyMs } = await openApi('local', answers);
  const seen: unknown[] = [];
  while (answers.length > 0) seen.push(await present('whend_1', signal));
  assert.deepEqual(seen, [true, true, true, true, false, false, true]);
  assert.deepEqual(
    asked.map((path) => path.split('/').at(-1)),
    ['health', 'health', 'health', 'whend_1', 'health', 'health', 'whend_1', 'health', 'health'],
  );
  assert.equal(everyMs, 2000);
});

test('a hosted API is asked for the endpoint itself, once a minute; a new endpoint is a new question', async () => {
  const { asked, present, everyMs } = await openApi('sandbox', [FOUND, GONE, FOUND]);
  assert.deepEqual([await present('whend_1', signal), await present('whend_1', signal)], [true, false]);
  assert.equal(await present('whend_2', signal), true);
  assert.deepEqual(
    asked,
    [1, 1, 2].map((n) => `/partner/v1/webhook_endpoints/whend_${n}`),
  );
  assert.equal(everyMs, 60_000);
});

test('an API without the route, or that lets nobody look, is not asked again; one in trouble is', async () => {
  for (const answer of [[404, {}], [405, {}], [403, {}], GONE] satisfies Answer[]) {
    const { present } = await openApi('sandbox', [answer]);
    assert.equal(await present('whend_1', signal), null, JSON.stringify(answer));
  }
  const { present } = await openApi('sandbox', [[503, {}], FOUND]);
  await assert.rejects(present('whend_1', signal), Failure);
  assert.equal(await present('whend_1', signal), true);
});

test('a disabled endpoint is reported once, with what enables it', async () => {
  const off: Answer = [200, { ...FOUND[1], status: 'disabled' }];
  const { warnings, present } = await openApi('sandbox', [FOUND, off, off, FOUND, off]);
  for (let n = 0; n < 5; n += 1) assert.equal(await present('whend_1', signal), true);
  assert.equal(warnings.length, 2);
  assert.match(warnings[0] ?? '', /whend_1 is disabled.*endpoints update whend_1 --status enabled$/);
});
