import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test, type TestContext } from 'node:test';
import fc from 'fast-check';
import { serveSandbox, type Served } from '../../src/lib/sandbox/sandbox-server.ts';

async function open(t: TestContext): Promise<Served> {
  const served = await serveSandbox({
    host: '127.0.0.1',
    port: 0,
    version: '0',
    seed: 'ci',
    now: Date.now,
    rateLimit: false,
  });
  t.after(() => served.close());
  return served;
}

async function raw(url: string, bytes: string | Uint8Array): Promise<string> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  socket.on('error', () => {});
  socket.end(bytes);
  let text = '';
  socket.on('data', (chunk) => (text += chunk));
  await once(socket, 'close');
  return text;
}

test('bytes that are anything at all end with an answer or a closed connection, and the sandbox lives on', async (t) => {
  const { url } = await open(t);
  const start = fc.constantFrom(
    '',
    'GET / HTTP/1.1\r\n',
    'POST /partner/v1/applications HTTP/1.1\r\nHost: x\r\n',
    'GET http://x/ HTTP/1.1\r\n\r\n',
  );
  await fc.assert(
    fc.asyncProperty(start, fc.uint8Array({ maxLength: 300 }), async (head, tail) => {
      const text = await raw(url, Buffer.concat([Buffer.from(head), tail]));
      assert.ok(text === '' || /^HTTP\/1\.1 [2-4]\d\d /.test(text), text.slice(0, 200));
    }),
    { numRuns: 200 },
  );
  assert.equal((await fetch(`${url}/public/v1/healthz`)).status, 200);
});

test('tricks with the path open nothing', async (t) => {
  const { url } = await open(t);
  const get = (path: string): Promise<string> =>
    raw(url, `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n`);
  for (const path of [
    '/partner/v1/../../_sandbox/health',
    '//_sandbox/health',
    '/_sandbox//health',
    '/_sandbox/health/',
    '/%5fsandbox/health',
    '/_SANDBOX/health',
    '/partner/v1/applications/../applications',
    '/partner/v1/applications%00',
    '/partner/v1/applications;x=1',
    '\\partner',
  ]) {
    assert.match(await get(path), /^HTTP\/1\.1 4\d\d /, path);
  }
  assert.match(await get('http://127.0.0.1/_sandbox/health'), /^HTTP\/1\.1 200 /);
});

test('a client that sends its headers drop by drop is sent away', async (t) => {
  const served = await serveSandbox({
    host: '127.0.0.1',
    port: 0,
    version: '0',
    seed: 'ci',
    now: Date.now,
    patienceMs: 300,
  });
  t.after(() => served.close());
  const socket = connect(Number(new URL(served.url).port), '127.0.0.1');
  socket.on('error', () => {});
  socket.write('GET / HTTP/1.1\r\nHost: x\r\n');
  const drip = setInterval(() => socket.write('X: y\r\n'), 50);
  let text = '';
  socket.on('data', (chunk) => (text += chunk));
  await once(socket, 'close');
  clearInterval(drip);
  assert.match(text, /^HTTP\/1\.1 408 /);
  assert.match(text, /"request_id":"req_/);
});

test('a thousand connections at once are all answered', async (t) => {
  const { url } = await open(t);
  const port = Number(new URL(url).port);
  const ask =
    'GET /partner/v1/applications HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer sk_test_local\r\nConnection: close\r\n\r\n';
  const sockets = Array.from({ length: 1000 }, () => connect(port, '127.0.0.1'));
  await Promise.all(sockets.map((socket) => once(socket, 'connect')));
  const answers = await Promise.all(
    sockets.map(async (socket) => {
      let text = '';
      socket.on('data', (chunk) => (text += chunk));
      socket.write(ask);
      await once(socket, 'close');
      return text;
    }),
  );
  assert.ok(answers.every((text) => text.startsWith('HTTP/1.1 200 ')));
});
