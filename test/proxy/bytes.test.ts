/** What passes through the proxy, seen on the sockets of both ends. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { after, before, beforeEach, it } from 'node:test';
import type { ExchangeRecord } from '../../src/lib/contract/exchange.ts';
import { Failure } from '../../src/lib/failure.ts';
import { openProxy, type Proxy, type ProxyOptions } from '../../src/lib/proxy/proxy.ts';
import { type RudeServer, startRudeServer } from '../support/rude-server.ts';

let rude: RudeServer;
let proxy: Proxy;
const open: Proxy[] = [];
const records: ExchangeRecord[] = [];
let told = (): void => undefined;

async function proxyTo(target: string, more: Partial<ProxyOptions> = {}): Promise<Proxy> {
  const opened = await openProxy({
    ...{ port: 0, target, environment: 'local', auth: null, timeoutMs: 5000 },
    record: (record) => {
      records.push(record);
      told();
    },
    now: Date.now,
    ticks: () => performance.now(),
    ...more,
  });
  open.push(opened);
  return opened;
}

async function recorded(): Promise<ExchangeRecord> {
  while (records.length === 0) await new Promise<void>((resolve) => (told = resolve));
  return records[0] ?? assert.fail();
}

before(async () => {
  rude = await startRudeServer();
  proxy = await proxyTo(rude.origin);
});
beforeEach(() => void (records.length = 0));
after(async () => {
  await Promise.all(open.map((one) => one.close(0)));
  await rude.close();
});

function socketTo(url: string): Socket {
  return connect(Number(new URL(url).port), '127.0.0.1').on('error', () => undefined);
}

/** Everything that comes back for these bytes, as they came. */
async function raw(head: string, body: string | Buffer = '', to = proxy): Promise<string> {
  const socket = socketTo(to.url);
  socket.write(head.replace('\r\n', `\r\nHost: ${new URL(to.url).host}\r\nConnection: close\r\n`));
  socket.write(body);
  return text(socket);
}

it('trailers, in both directions', async () => {
  const chunked = 'Trailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 42\r\n\r\n';
  rude.on('/trailers', (socket) => void socket.write(`HTTP/1.1 200 OK\r\n${chunked}`));
  const got = await raw('GET /trailers HTTP/1.1\r\n\r\n');
  assert.match(got, /\r\nTrailer: X-Sum\r\n[\s\S]*\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 42\r\n\r\n$/);
  const host = createServer((socket) => {
    let seen = '';
    socket.setEncoding('latin1').on('data', (piece: string) => {
      seen += piece;
      if (seen.endsWith('\r\n0\r\nX-Sum: 42\r\n\r\n')) socket.end('HTTP/1.1 204 all of it\r\n\r\n');
    });
  });
  host.listen(0, '127.0.0.1');
  await once(host, 'listening');
  const there = await proxyTo(`http://127.0.0.1:${(host.address() as AddressInfo).port}`);
  assert.match(await raw(`POST /x HTTP/1.1\r\n${chunked}`, '', there), /^HTTP\/1\.1 204 all of it\r\n/);
  host.close();
});

it('announced trailers that cannot come: the head all the same', async () => {
  const head = 'HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\n';
  rude.on('/no-chunks', (socket) => void socket.write(`${head}Content-Length: 2\r\n\r\nok`));
  rude.on('/head-only', (socket) => void socket.write(`${head}Transfer-Encoding: chunked\r\n\r\n`));
  assert.match(await raw('GET /no-chunks HTTP/1.1\r\n\r\n'), /^HTTP\/1\.1 200 OK\r\n[\s\S]*\r\n\r\nok$/);
  assert.match(await raw('HEAD /head-only HTTP/1.1\r\n\r\n'), /^HTTP\/1\.1 200 OK\r\n[\s\S]*\r\n\r\n$/);
});

it('interim answers before the answer', async () => {
  rude.on('/early-hints', (socket) => {
    socket.write('HTTP/1.1 102 Processing\r\n\r\n');
    socket.write('HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nX-A: b\r\n\r\n');
    socket.write('HTTP/1.1 103 Early Hints\r\nLink: what is this\r\n\r\n');
    socket.write('HTTP/1.1 204 Done\r\n\r\n');
  });
  const got = await raw('GET /early-hints HTTP/1.1\r\n\r\n');
  assert.match(got, /^HTTP\/1\.1 102 Processing\r\n\r\nHTTP\/1\.1 103 Early Hints\r\n/);
  assert.match(got, /Link: <\/a\.css>; rel=preload\r\nx-a: b\r\n\r\nHTTP\/1\.1 204 Done\r\n/);
  assert.equal((await recorded()).status, 204);
});

it('a head that cannot be written again is no end of the proxy', async () => {
  rude.on('/odd-words', (socket) => void socket.write('HTTP/1.1 200 O\u0001K\r\ncontent-length: 0\r\n\r\n'));
  rude.on('/odd-number', (socket) => void socket.write('HTTP/1.1 099 OK\r\ncontent-length: 0\r\n\r\n'));
  for (const path of ['/odd-words', '/odd-number']) {
    records.length = 0;
    assert.match(await raw(`GET ${path} HTTP/1.1\r\n\r\n`), /^HTTP\/1\.1 502 /, path);
    assert.equal((await recorded()).note, 'not http', path);
  }
  assert.match(await raw('GET /ok HTTP/1.1\r\n\r\n'), /^HTTP\/1\.1 200 /);
});

it('long heads, and a clear word where one is too long', async () => {
  const long = 'x'.repeat(40_000);
  rude.on('/long', (socket) => void socket.write(`HTTP/1.1 200 OK\r\nX-Long: ${long}\r\ncontent-length: 0\r\n\r\n`));
  assert.ok((await raw(`GET /long HTTP/1.1\r\nX-Long: ${long}\r\n\r\n`)).includes(long));
  assert.match(await raw(`GET /long HTTP/1.1\r\nX-Long: ${long}${long}\r\n\r\n`), /^HTTP\/1\.1 431 /);
  assert.match(await raw('what is this\r\n\r\n'), /^HTTP\/1\.1 400 /);
});

it('big bodies whole in both directions, and the beginning in the record', async () => {
  const body = Buffer.alloc(24 * 1024 * 1024, 'pay me; ');
  const sum = (bytes: Buffer | string): string => createHash('sha256').update(bytes).digest('hex');
  const host = createServer((socket) => {
    const there = createHash('sha256');
    let left = body.length;
    socket.on('data', (piece: Buffer) => {
      const head = left === body.length ? piece.indexOf('\r\n\r\n') + 4 : 0;
      there.update(piece.subarray(head));
      left -= piece.length - head;
      if (left > 0) return;
      socket.write(`HTTP/1.1 200 OK\r\nX-Sum: ${there.digest('hex')}\r\nContent-Length: ${body.length}\r\n\r\n`);
      socket.end(body);
    });
  });
  host.listen(0, '127.0.0.1');
  await once(host, 'listening');
  const there = await proxyTo(`http://127.0.0.1:${(host.address() as AddressInfo).port}`);
  const got = await raw(`POST /big HTTP/1.1\r\nContent-Length: ${body.length}\r\n\r\n`, body, there);
  assert.match(got, new RegExp(`\r\nX-Sum: ${sum(body)}\r\n`));
  assert.equal(sum(got.slice(got.indexOf('\r\n\r\n') + 4)), sum(body));
  const { requestBody, responseBody } = await recorded();
  for (const kept of [requestBody, responseBody]) assert.ok(kept?.startsWith('pay me; ') && kept.length <= 64 * 1024);
  host.close();
});

it('server-sent events as they are said', async () => {
  let say: (words: string) => void = assert.fail;
  rude.on('/events', (socket) => {
    socket.write('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n');
    say = (words) => void socket.write(words);
  });
  const socket = socketTo(proxy.url);
  let got = '';
  socket.setEncoding('utf8').on('data', (piece: string) => (got += piece));
  const until = async (words: string): Promise<void> => {
    while (!got.includes(words)) await once(socket, 'data');
  };
  socket.write(`GET /events HTTP/1.1\r\nHost: ${new URL(proxy.url).host}\r\n\r\n`);
  await until('text/event-stream');
  for (const words of ['data: one\n\n', 'data: two\n\n']) {
    say(words);
    await until(words);
  }
  socket.destroy();
  const { status, note, responseBody } = await recorded();
  assert.deepEqual([status, note, responseBody], [200, 'hung up', 'data: one\n\ndata: two\n\n']);
});

it('an app that hangs up in the middle of its own body hangs up on the host too', async () => {
  const gone = Promise.withResolvers<void>();
  const host = createServer(
    (socket) =>
      void socket
        .on('error', () => undefined)
        .once('close', () => gone.resolve())
        .resume(),
  );
  host.listen(0, '127.0.0.1');
  await once(host, 'listening');
  const there = await proxyTo(`http://127.0.0.1:${(host.address() as AddressInfo).port}`);
  const socket = socketTo(there.url);
  socket.write(`POST /x HTTP/1.1\r\nHost: ${new URL(there.url).host}\r\nContent-Length: 100\r\n\r\nhalf`);
  await once(host, 'connection');
  socket.destroy();
  await gone.promise;
  const { status, note } = await recorded();
  assert.deepEqual([status, note], [null, 'hung up']);
  host.close();
});

it('a connection to the host is not kept until the host closes it under a write', async () => {
  const closed = Promise.withResolvers<void>();
  const host = createServer((socket) => {
    socket.on('data', () => socket.write('HTTP/1.1 204 No Content\r\n\r\n')).once('close', () => closed.resolve());
  });
  host.listen(0, '127.0.0.1');
  await once(host, 'listening');
  const there = await proxyTo(`http://127.0.0.1:${(host.address() as AddressInfo).port}`, { idleMs: 20 });
  assert.match(await raw('GET /x HTTP/1.1\r\n\r\n', '', there), /^HTTP\/1\.1 204/);
  await closed.promise;
  host.close();
});

it('a WebSocket is refused in words and in the record; other offers of an upgrade are passed over', async () => {
  const upgrade = (to: string): string => `GET /ok HTTP/1.1\r\nUpgrade: ${to}\r\nConnection: Upgrade\r\n\r\n`;
  assert.match(await raw(upgrade('websocket')), /^HTTP\/1\.1 501 [\s\S]*does not forward WebSockets\n$/);
  const { status, note, method, path } = await recorded();
  assert.deepEqual([method, path, status, note], ['GET', '/ok', null, 'upgrade not passed on']);
  assert.match(await raw(upgrade('h2c')), /^HTTP\/1\.1 200 /);
});

it('a read that was sent once more is a second try in the record', async () => {
  const there = await proxyTo(rude.origin);
  for (let n = 0; n < 2; n += 1) assert.match(await raw('GET /reuse HTTP/1.1\r\n\r\n', '', there), /^HTTP\/1\.1 200 /);
  assert.deepEqual(
    records.map(({ attempt, note }) => [attempt, note]),
    [
      [1, null],
      [2, 'retried: the host had just closed the connection'],
    ],
  );
});

it('a call that no token was to be had for is a call, and in the record', async () => {
  const token = async () => Promise.reject(new Failure('auth', 'the keychain is locked', { code: 'keychain_locked' }));
  const lending = await proxyTo(rude.origin, { auth: { runToken: 'ccproxy_1', token } });
  const got = await raw(
    'POST /ok HTTP/1.1\r\nAuthorization: Bearer ccproxy_1\r\nIdempotency-Key: k1\r\nContent-Length: 2\r\n\r\n',
    '{}',
    lending,
  );
  assert.match(got, /^HTTP\/1\.1 502 [\s\S]*the keychain is locked\n$/);
  const { method, path, status, note, idempotencyKey } = await recorded();
  assert.deepEqual([method, path, status, note, idempotencyKey], ['POST', '/ok', null, 'keychain locked', 'k1']);
  assert.deepEqual(lending.counts, { calls: 1, failed: 1 });
});
