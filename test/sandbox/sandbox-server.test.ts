import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, request } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { test, type TestContext } from 'node:test';
import { verify } from '../../src/lib/contract/signature.ts';
import { Failure } from '../../src/lib/failure.ts';
import { serveSandbox, type Served } from '../../src/lib/sandbox/sandbox-server.ts';
import { APPLICATION, type Body } from './support.ts';

async function open(t: TestContext, options: Partial<Parameters<typeof serveSandbox>[0]> = {}): Promise<Served> {
  const served = await serveSandbox({
    host: '127.0.0.1',
    port: 0,
    version: '0.0.0',
    seed: 'ci',
    now: Date.now,
    ...options,
  });
  t.after(() => served.close());
  return served;
}

const KEY = { authorization: 'Bearer sk_test_local' };

/** Sends bytes as they are and returns everything that came back until the other side closed. */
async function raw(url: string, bytes: string): Promise<string> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  socket.write(bytes);
  let text = '';
  socket.on('data', (chunk) => (text += chunk));
  await once(socket, 'close');
  return text;
}

test('signed deliveries of a real application arrive, the first event first', async (t) => {
  const served = await open(t);
  const got: { type: string; valid: boolean }[] = [];
  let secret = '';
  const hook = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks);
      const header = String(request.headers['credicorp-signature']);
      const { valid } = verify({ header, body, secrets: [secret], now: Math.floor(Date.now() / 1000) });
      got.push({ type: JSON.parse(body.toString()).type, valid });
      response.end();
      if (got.length === 5) hook.emit('all');
    });
  });
  hook.listen(0, '127.0.0.1');
  await once(hook, 'listening');
  t.after(() => hook.close());
  const endpoint = await fetch(`${served.url}/partner/v1/webhook_endpoints`, {
    method: 'POST',
    headers: KEY,
    body: JSON.stringify({
      url: `http://localhost:${(hook.address() as AddressInfo).port}/hook`,
      enabled_events: ['*'],
    }),
  });
  ({ secret } = (await endpoint.json()) as { secret: string });
  const all = once(hook, 'all');
  await fetch(`${served.url}/partner/v1/applications`, {
    method: 'POST',
    headers: KEY,
    body: JSON.stringify(APPLICATION),
  });
  await all;
  assert.ok(got.every(({ valid }) => valid));
  assert.deepEqual(got.map(({ type }) => type).sort(), [
    'application.submitted',
    'application.updated',
    'application.updated',
    'application.updated',
    'decision.completed',
  ]);
});

test('a port in use is an error that names it', async (t) => {
  const served = await open(t);
  const port = Number(new URL(served.url).port);
  await assert.rejects(open(t, { port }), (error) => {
    assert.ok(error instanceof Failure);
    assert.equal(error.kind, 'usage');
    assert.equal(error.facts.param, '--port');
    assert.match(error.message, new RegExp(String(port)));
    return true;
  });
});

test('HEAD answers as GET without a body, other methods are refused with what is allowed', async (t) => {
  const { url } = await open(t);
  const head = await fetch(`${url}/partner/v1/applications`, { method: 'HEAD', headers: KEY });
  assert.equal(head.status, 200);
  assert.equal(head.headers.get('content-length'), '47');
  for (const method of ['OPTIONS', 'PUT', 'TRACE']) {
    const text = await raw(url, `${method} /partner/v1/applications HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
    assert.match(text, /^HTTP\/1\.1 405 /, method);
    assert.match(text, /\r\nAllow: POST, GET, HEAD\r\n/);
    assert.match(text, /"code":"invalid_request"/);
    assert.doesNotMatch(text, /access-control/i);
  }
});

test('a request that is not HTTP gets an error document with a request id', async (t) => {
  const { url } = await open(t);
  const cases: [string, RegExp][] = [
    ['nonsense\r\n\r\n', /^HTTP\/1\.1 400 /],
    [`GET / HTTP/1.1\r\nHost: x\r\nX: ${'a'.repeat(20_000)}\r\n\r\n`, /^HTTP\/1\.1 431 /],
    ['CONNECT example.com:443 HTTP/1.1\r\nHost: x\r\n\r\n', /^HTTP\/1\.1 405 /],
    ['GET /partner/v1/applications HTTP/1.1\r\nConnection: close\r\n\r\n', /^HTTP\/1\.1 401 /],
  ];
  for (const [bytes, status] of cases) {
    const text = await raw(url, bytes);
    assert.match(text, status);
    assert.match(text, /\r\nCredicorp-Request-Id: req_[0-9A-Za-z]{12}\r\n/);
    assert.match(text, /"request_id":"req_/);
    assert.match(text, /\r\nRateLimit-Limit: 50\r\n/);
    if (/ 405 /.test(text)) assert.match(text, /\r\nAllow: GET/);
  }
});

test('a body of 20 MB is refused with 413 and its sender sees the answer', async (t) => {
  const { url } = await open(t);
  const big = await fetch(`${url}/partner/v1/applications`, {
    method: 'POST',
    headers: KEY,
    body: 'x'.repeat(20_000_000),
  });
  assert.equal(big.status, 413);
  assert.equal(((await big.json()) as Body).error.code, 'payload_too_large');
  const chunked = request(`${url}/partner/v1/applications`, { method: 'POST', headers: KEY });
  const answered = once(chunked, 'response');
  for (let i = 0; i < 20; i++) chunked.write('x'.repeat(10_000));
  chunked.end();
  const [response] = await answered;
  assert.equal(response.statusCode, 413);
  response.resume();
});

test('close waits for a running request', async (t) => {
  const served = await open(t);
  const running = request(`${served.url}/partner/v1/applications`, {
    method: 'POST',
    headers: { ...KEY, expect: '100-continue' },
  });
  running.flushHeaders();
  // The server has taken the request and waits for its body.
  await once(running, 'continue');
  const closed = served.close();
  const answered = once(running, 'response');
  running.end(JSON.stringify(APPLICATION));
  const [response] = await answered;
  assert.equal(response.statusCode, 201);
  response.resume();
  await closed;
});

async function order(url: string, fault: object): Promise<void> {
  const { status } = await fetch(`${url}/_sandbox/faults`, { method: 'POST', body: JSON.stringify(fault) });
  assert.equal(status, 201);
}

test('connection faults have their described effect', async (t) => {
  const { url } = await open(t);
  const ask =
    'GET /partner/v1/applications HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer sk_test_local\r\nConnection: close\r\n\r\n';
  for (const kind of ['drop_before', 'drop_after']) {
    await order(url, { kind });
    assert.equal(await raw(url, ask), '');
  }
  await order(url, { kind: 'bad_json' });
  const cut = await raw(url, ask);
  assert.match(cut, /\r\nContent-Length: 23\r\n/);
  assert.ok(cut.endsWith('{"data":[],"has_more":f'));
  await order(url, { kind: 'html', status: 504 });
  assert.match(await raw(url, ask), /^HTTP\/1\.1 504 [\s\S]*<html>/);
});

test('the stream of the log flows over the port, and ends with the sandbox', async (t) => {
  const served = await open(t);
  const response = await fetch(`${served.url}/_sandbox/requests/stream`);
  const reader = response.body?.getReader();
  assert.ok(reader);
  let text = '';
  const until = async (word: string): Promise<void> => {
    while (!text.includes(word)) {
      const { value, done } = await reader.read();
      assert.ok(!done, `ended before ${word}`);
      text += Buffer.from(value).toString();
    }
  };
  await until('says what happens');
  await fetch(`${served.url}/partner/v1/applications`, { headers: KEY });
  await until('"path":"/partner/v1/applications"');
  await served.close();
  assert.equal((await reader.read()).done, true);
});
