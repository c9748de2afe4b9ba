import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTcp, type AddressInfo, type Server as TcpServer } from 'node:net';
import { test, type TestContext } from 'node:test';
import { createSender, type WebhookRequest, type DeliveryResult } from '../../src/lib/sandbox/deliveries/sender.ts';

async function listening(t: TestContext, server: TcpServer | Server, host = '127.0.0.1'): Promise<number> {
  server.listen(0, host);
  await once(server, 'listening');
  t.after(() => {
    server.close();
    if ('closeAllConnections' in server) server.closeAllConnections();
  });
  return (server.address() as AddressInfo).port;
}

function sending(t: TestContext): (url: string, more?: Partial<WebhookRequest>) => Promise<DeliveryResult> {
  const sender = createSender();
  t.after(() => sender.close());
  return (url, more = {}) =>
    sender.post({ url, headers: { 'Content-Type': 'application/json' }, body: '{}', timeoutMs: 2000, ...more });
}

async function receiver(t: TestContext, answer: RequestListener, host?: string): Promise<string> {
  const port = await listening(t, createServer(answer), host);
  return `http://localhost:${port}/hook`;
}

test('a receiver on either family of localhost is reached, and its status is the receipt', async (t) => {
  const post = sending(t);
  for (const host of ['127.0.0.1', '::1']) {
    const url = await receiver(t, (_request, response) => void response.writeHead(204).end(), host);
    assert.deepEqual(await post(url), { status: 204, error: null });
  }
});

test('the body arrives byte for byte with its length', async (t) => {
  let got = '';
  const url = await receiver(t, (request, response) => {
    assert.equal(request.headers['content-length'], '13');
    request.on('data', (chunk) => (got += chunk));
    request.on('end', () => response.end());
  });
  await sending(t)(url, { body: '{"a":"ä€"}' });
  assert.equal(got, '{"a":"ä€"}');
});

test('a redirect is not followed', async (t) => {
  let visits = 0;
  const url = await receiver(t, (_request, response) => {
    visits += 1;
    response.writeHead(302, { Location: '/elsewhere' }).end();
  });
  assert.deepEqual(await sending(t)(url), { status: 302, error: 'redirect' });
  assert.equal(visits, 1);
});

test('each way of not answering has its name', async (t) => {
  const post = sending(t);
  const silent = await receiver(t, () => {});
  assert.deepEqual(await post(silent, { timeoutMs: 50 }), { status: null, error: 'timeout' });
  const rude = await listening(
    t,
    createTcp((socket) => socket.once('data', () => socket.resetAndDestroy())),
  );
  assert.deepEqual(await post(`http://127.0.0.1:${rude}/`), { status: null, error: 'socket' });
  const closed = createTcp();
  const port = await listening(t, closed);
  closed.close();
  await once(closed, 'close');
  assert.deepEqual(await post(`http://127.0.0.1:${port}/`), { status: null, error: 'connection_refused' });
  const plain = new URL(await receiver(t, (_request, response) => void response.end())).port;
  assert.deepEqual(await post(`https://127.0.0.1:${plain}/`), { status: null, error: 'tls' });
  assert.deepEqual(await post('http://does-not-exist.invalid/'), { status: null, error: 'dns' });
});

test('a body without end is not waited for', async (t) => {
  const url = await receiver(t, (_request, response) => {
    response.writeHead(200);
    const drip = setInterval(() => response.write('x'.repeat(10_000)), 1);
    response.on('close', () => clearInterval(drip));
  });
  assert.deepEqual(await sending(t)(url), { status: 200, error: null });
});

test('a kept connection that the receiver closed meanwhile costs no attempt', async (t) => {
  const server = createServer((_request, response) => void response.end());
  server.keepAliveTimeout = 1000;
  const port = await listening(t, server);
  const post = sending(t);
  const url = `http://127.0.0.1:${port}/`;
  assert.equal((await post(url)).status, 200);
  server.closeIdleConnections();
  assert.equal((await post(url)).status, 200);
});
