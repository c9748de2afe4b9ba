import assert from 'node:assert/strict';
import { once } from 'node:events';
import {
  createServer,
  type IncomingMessage,
  request as httpRequest,
  type RequestListener,
  type Server,
} from 'node:http';
import { Agent } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { after, before, beforeEach, describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import type { ExchangeRecord } from '../../src/lib/contract/exchange.ts';
import { newRunToken, openProxy, type Proxy, type ProxyOptions } from '../../src/lib/proxy/proxy.ts';
import { type RudeServer, startRudeServer } from '../support/rude-server.ts';

interface Host {
  url: string;
  server: Server;
  seen: { method: string; url: string; raw: string[]; body: string; socket: unknown }[];
}

/** A host that keeps what it saw; `/echo` sends the body back, other paths are answered by `answer`. */
async function startHost(answer: RequestListener): Promise<Host> {
  const seen: Host['seen'] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { method = '', url = '', rawHeaders: raw, socket } = request;
      const body = Buffer.concat(chunks);
      seen.push({ method, url, raw, body: body.toString(), socket });
      if (url.startsWith('/echo')) response.end(body);
      else answer(request, response);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  assert.ok(address !== null && typeof address !== 'string');
  return { url: `http://127.0.0.1:${address.port}`, server, seen };
}

interface Got {
  status: number;
  message: string;
  raw: string[];
  body: Buffer;
}

interface Ask {
  method?: string;
  headers?: Record<string, string> | string[];
  body?: string | Buffer | Buffer[];
  agent?: Agent;
}

async function ask(url: string, { method = 'GET', headers = {}, body, agent }: Ask = {}): Promise<Got> {
  const { hostname, port, pathname, search } = new URL(url);
  const sending = httpRequest({ hostname, port, path: pathname + search, method, headers, agent: agent ?? false });
  for (const piece of Array.isArray(body) ? body : []) sending.write(piece);
  sending.end(Array.isArray(body) ? undefined : body);
  const [answer] = (await once(sending, 'response')) as [IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of answer) chunks.push(chunk as Buffer);
  const { statusCode: status = 0, statusMessage: message = '', rawHeaders: raw } = answer;
  return { status, message, raw, body: Buffer.concat(chunks) };
}

const pairs = (raw: string[]): string[] => raw.flatMap((name, at) => (at % 2 === 0 ? [`${name}: ${raw[at + 1]}`] : []));
const REFUSED = JSON.stringify({
  error: {
    type: 'invalid_request_error',
    code: 'term_out_of_range',
    message: 'm',
    param: 'term_months',
    request_id: 'req_1',
  },
});

let host: Host;
let rude: RudeServer;
const records: ExchangeRecord[] = [];
const open: Proxy[] = [];
const answers: Record<string, RequestListener> = {
  '/refused': (_, response) =>
    response
      .writeHead(422, 'Not At All', [
        'X-Credicorp-Request-Id',
        'req_1',
        'Set-Cookie',
        'a=1',
        'Set-Cookie',
        'b=2',
        'Content-Type',
        'application/json',
      ])
      .end(REFUSED),
  '/gzip': (_, response) =>
    response
      .writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip' })
      .end(gzipSync('{"id":"app_1"}')),
  '/unauthorized': (_, response) => response.writeHead(401).end(),
  '/drip': async (_, response) => {
    response.writeHead(200, { 'content-type': 'text/plain' });
    response.flushHeaders();
    await dripped;
    response.write('first;');
    await dripped2;
    response.end('last');
  },
};
let drip = (): void => undefined;
let drip2 = (): void => undefined;
let dripped = Promise.resolve();
let dripped2 = Promise.resolve();

async function proxyTo(target: string, more: Partial<ProxyOptions> = {}): Promise<Proxy> {
  const proxy = await openProxy({
    ...{ port: 0, target, environment: 'local', auth: null, timeoutMs: 2000 },
    record: (record) => records.push(record),
    now: Date.now,
    ticks: () => performance.now(),
    ...more,
  });
  open.push(proxy);
  return proxy;
}

before(async () => {
  host = await startHost((request, response) => (answers[request.url ?? ''] ?? answers['/gzip'])?.(request, response));
  rude = await startRudeServer();
});
beforeEach(() => {
  records.length = 0;
  host.seen.length = 0;
});
after(async () => {
  await Promise.all(open.map((proxy) => proxy.close(0)));
  host.server.close();
  host.server.closeAllConnections();
  await rude.close();
});

/** The record comes with the end of the exchange, which the caller may see a moment earlier. */
async function recorded(count = 1): Promise<ExchangeRecord[]> {
  for (let turn = 0; records.length < count && turn < 1000; turn += 1)
    await new Promise((resolve) => setTimeout(resolve, 2));
  return records;
}

describe('passes on', () => {
  it('headers in their spelling and order, without adding one; only the host is another', async () => {
    const proxy = await proxyTo(host.url);
    const own = new URL(proxy.url).host;
    const headers = [
      'Host',
      own,
      'X-Odd-Case',
      '1',
      'accept',
      'a',
      'x-twice',
      'one',
      'X-Twice',
      'two',
      'Content-Length',
      '7',
      'Connection',
      'close, x-hop, credicorp-signature, Authorization',
      'X-Hop',
      'y',
      'Credicorp-Signature',
      't=1,v1=ab',
      'Authorization',
      'Bearer a1',
    ];
    const got = await ask(`${proxy.url}/echo?a=%20b&a=2`, { method: 'POST', headers, body: '{"a":1}' });
    assert.equal(got.body.toString(), '{"a":1}');
    const [seen] = host.seen;
    assert.deepEqual([seen?.method, seen?.url, seen?.body], ['POST', '/echo?a=%20b&a=2', '{"a":1}']);
    assert.deepEqual(pairs(seen?.raw ?? []), [
      `Host: ${new URL(host.url).host}`,
      'X-Odd-Case: 1',
      'accept: a',
      'x-twice: one',
      'X-Twice: two',
      'Content-Length: 7',
      'Credicorp-Signature: t=1,v1=ab',
      'Authorization: Bearer a1',
      'Connection: keep-alive',
    ]);
  });

  it('errors as they are: status, words, headers that come twice, bytes', async () => {
    const proxy = await proxyTo(host.url);
    const straight = await ask(`${host.url}/refused`);
    const through = await ask(`${proxy.url}/refused`);
    const own = (raw: string[]): string[] =>
      pairs(raw).filter((pair) => !/^(date|connection|keep-alive|transfer-encoding)/i.test(pair));
    assert.deepEqual([through.status, through.message, through.body.toString()], [422, 'Not At All', REFUSED]);
    assert.deepEqual(own(through.raw), own(straight.raw));
    assert.ok(own(through.raw).includes('Set-Cookie: b=2'));
  });

  it('bytes that are no text, in both directions', async () => {
    const proxy = await proxyTo(host.url);
    const bytes = Buffer.from(Array.from({ length: 3_000_000 }, (_, n) => (n * 31) % 256));
    const cut = [bytes.subarray(0, 1_000_001), bytes.subarray(1_000_001)];
    const got = await ask(`${proxy.url}/echo`, {
      method: 'POST',
      headers: { 'content-type': 'application/octet-stream' },
      body: cut,
    });
    assert.ok(got.body.equals(bytes));
    const [entry] = await recorded();
    assert.equal(entry?.requestBody, '(3000000 bytes of application/octet-stream)');
  });

  it('compressed bytes stay compressed, and are read for the record', async () => {
    const proxy = await proxyTo(host.url);
    const got = await ask(`${proxy.url}/gzip`);
    assert.ok(got.body.equals(gzipSync('{"id":"app_1"}')));
    assert.equal((await recorded())[0]?.responseBody, '{"id":"app_1"}');
  });

  it('an answer while it comes, not when it is complete', async () => {
    dripped = new Promise((resolve) => (drip = resolve));
    dripped2 = new Promise((resolve) => (drip2 = resolve));
    const proxy = await proxyTo(host.url);
    const sending = httpRequest(`${proxy.url}/drip`).end();
    const [answer] = (await once(sending, 'response')) as [IncomingMessage];
    assert.equal(answer.statusCode, 200, 'the head came before any of the body');
    drip();
    assert.equal(String((await once(answer, 'data'))[0]), 'first;');
    assert.equal(records.length, 0);
    drip2();
    assert.equal(String((await once(answer, 'data'))[0]), 'last');
  });

  it('connections are kept alive on both sides', async () => {
    const proxy = await proxyTo(host.url);
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    for (let n = 0; n < 5; n += 1) await ask(`${proxy.url}/echo`, { method: 'POST', body: String(n), agent });
    assert.equal(new Set(host.seen.map(({ socket }) => socket)).size, 1);
    agent.destroy();
  });

  it('a read on a connection that was closed meanwhile goes out once more; nothing else is repeated', async () => {
    const proxy = await proxyTo(rude.origin);
    for (let n = 0; n < 4; n += 1) assert.equal((await ask(`${proxy.url}/reuse`)).status, 200);
    assert.equal((await ask(`${proxy.url}/reset-at-once`, { method: 'POST', body: '1' })).status, 502);
    assert.equal(rude.requests.filter(({ path }) => path === '/reset-at-once').length, 1);
  });

  it('a POST without a body stays one, HEAD has none, 100-continue is answered', async () => {
    const proxy = await proxyTo(host.url);
    const own = new URL(proxy.url).host;
    await ask(`${proxy.url}/echo`, { method: 'POST', headers: ['Host', own, 'Content-Length', '0'] });
    assert.deepEqual(host.seen[0]?.raw.includes('Transfer-Encoding'), false);
    assert.equal((await ask(`${proxy.url}/gzip`, { method: 'HEAD' })).body.length, 0);
    const got = await ask(`${proxy.url}/echo`, { method: 'PUT', headers: { expect: '100-continue' }, body: 'x' });
    assert.equal(got.body.toString(), 'x');
  });
});

describe('records', () => {
  it('each call with what support asks for', async () => {
    const proxy = await proxyTo(host.url);
    await ask(`${proxy.url}/refused`, {
      method: 'POST',
      headers: { 'idempotency-key': 'k1', authorization: 'Bearer own', 'content-type': 'application/json' },
      body: '{"term_months":61}',
    });
    const [entry] = await recorded();
    assert.ok(entry);
    const { source, method, path, origin, status, requestId, idempotencyKey, errorType, errorCode, errorParam } = entry;
    assert.deepEqual(
      [source, method, path, origin, status, requestId, idempotencyKey, errorType, errorCode, errorParam],
      [
        'proxy',
        'POST',
        '/refused',
        host.url,
        422,
        'req_1',
        'k1',
        'invalid_request_error',
        'term_out_of_range',
        'term_months',
      ],
    );
    assert.deepEqual(
      [entry.requestBody, entry.responseBody, entry.environment],
      ['{"term_months":61}', REFUSED, 'local'],
    );
    assert.ok(entry.latencyMs > 0 && entry.at > 1e12);
  });

  it('what went wrong on the way, told to the app as a gateway tells it', async () => {
    const rows: [path: string, status: number, note: string][] = [
      ['/reset-at-once', 502, 'reset'],
      ['/not-http', 502, 'not http'],
      ['/silent', 504, 'timeout'],
    ];
    const proxy = await proxyTo(rude.origin, { timeoutMs: 150 });
    for (const [path, status, note] of rows) {
      records.length = 0;
      const got = await ask(proxy.url + path);
      assert.equal(got.status, status, path);
      assert.match(got.body.toString(), /^credicorp proxy: no answer from 127\.0\.0\.1/);
      const [entry] = await recorded();
      assert.deepEqual([entry?.status, entry?.note], [null, note], path);
    }
    const nobody = await proxyTo('http://127.0.0.1:1');
    assert.match((await ask(`${nobody.url}/x`)).body.toString(), /refused/);
  });

  it('an answer that breaks off breaks off for the app too', async () => {
    const proxy = await proxyTo(rude.origin);
    await assert.rejects(ask(`${proxy.url}/reset`));
    const [entry] = await recorded();
    assert.deepEqual([entry?.status, entry?.note], [200, 'reset']);
  });

  it('whatever the host does, the app gets an end and the log an entry', async () => {
    const rows: [path: string, want: RegExp][] = [
      ['/ok', /^200/],
      ['/continue', /^200/],
      ['/hints', /^200/],
      ['/upgrade', /^502/],
      ['/hang-up', /^502/],
      ['/half', /^broken/],
      ['/too-long', /^200|^502|^broken/],
      ['/two-lengths', /^502/],
      ['/slow-headers', /^504|^502/],
      ['/endless-headers', /^502/],
      ['/no-length', /^200/],
      ['/early', /^413/],
      ['/redirect', /^302/],
      ['/bad-gzip', /^200/],
      ['/odd-encoding', /^200/],
      ['/bomb', /^200/],
      ['/keep-alive-lie', /^200/],
    ];
    for (const [path, want] of rows) {
      const proxy = await proxyTo(rude.origin, { timeoutMs: path === '/slow-headers' ? 300 : 5000 });
      records.length = 0;
      const body = path === '/early' ? 'x'.repeat(100_000) : undefined;
      const got = await ask(proxy.url + path, body === undefined ? {} : { method: 'POST', body }).then(
        ({ status }) => String(status),
        () => 'broken',
      );
      assert.match(got, want, `${path}: ${got}`);
      assert.equal((await recorded()).length, 1, `${path}: one entry`);
      // A bomb goes off in nobody's memory.
      assert.ok((records[0]?.responseBody?.length ?? 0) <= 256 * 1024, path);
    }
  });

  it('an app that hangs up ends the call', async () => {
    const proxy = await proxyTo(rude.origin);
    const sending = httpRequest(`${proxy.url}/slow-body`)
      .on('error', () => undefined)
      .end();
    await once(sending, 'response');
    sending.destroy();
    assert.equal((await recorded())[0]?.note, 'hung up');
  });
});

describe('lets in', () => {
  it('programs of this machine, and no web page', async () => {
    const proxy = await proxyTo(host.url);
    const { port, host: own } = new URL(proxy.url);
    const rows: [headers: Record<string, string>, status: number][] = [
      [{}, 200],
      [{ host: `localhost:${port}` }, 200],
      [{ host: `[::1]:${port}` }, 200],
      [{ host: 'evil.example' }, 403],
      [{ host: `127.0.0.1.evil.example:${port}` }, 403],
      [{ host: `evil.example@127.0.0.1:${port}` }, 403],
      [{ origin: `http://${own}` }, 200],
      [{ origin: 'https://evil.example' }, 403],
      [{ origin: 'null' }, 403],
      [{ origin: `http://${own}.evil.example` }, 403],
      [{ 'sec-fetch-site': 'cross-site' }, 403],
      [{ 'sec-fetch-site': 'same-site' }, 403],
      [{ 'sec-fetch-site': 'none' }, 200],
    ];
    for (const [headers, status] of rows) {
      assert.equal((await ask(`${proxy.url}/gzip`, { headers })).status, status, JSON.stringify(headers));
    }
    assert.equal(
      host.seen.length,
      rows.filter(([, status]) => status === 200).length,
      'what is refused never gets to the host',
    );
  });

  it('only paths: it is no proxy to anywhere else', async () => {
    const proxy = await proxyTo(host.url);
    const { port, host: own } = new URL(proxy.url);
    for (const line of [
      'GET http://evil.example/ HTTP/1.1',
      'GET //evil.example/ HTTP/1.1',
      'CONNECT evil.example:443 HTTP/1.1',
      'OPTIONS * HTTP/1.1',
    ]) {
      const socket = connect(Number(port), '127.0.0.1');
      socket.write(`${line}\r\nHost: ${own}\r\nConnection: close\r\n\r\n`);
      let said = '';
      for await (const chunk of socket) said += String(chunk);
      assert.match(said, /^$|^HTTP\/1\.1 400/, line);
    }
    assert.equal(host.seen.length, 0);
  });

  it('loopback only', async () => {
    const proxy = await proxyTo(host.url);
    assert.match(proxy.url, /^http:\/\/127\.0\.0\.1:\d+$/);
  });

  it('says which port is taken', async () => {
    const proxy = await proxyTo(host.url);
    await assert.rejects(proxyTo(host.url, { port: Number(new URL(proxy.url).port) }), {
      kind: 'usage',
      message: /^port \d+ is in use$/,
    });
  });
});

describe('gives its token', () => {
  const runToken = newRunToken(Buffer.alloc(24, 7));
  const headers = { authorization: `Bearer ${runToken}` };

  it('only when told to, only for the token of this run, and not one that was turned down', async () => {
    const asked: (string | null)[] = [];
    let tokens = 0;
    const token = async ({ refused }: { refused: string | null }): Promise<string> => {
      asked.push(refused);
      return `token${(tokens += refused === null ? 0 : 1)}`;
    };
    const auth = (at: number): string | undefined =>
      pairs(host.seen[at]?.raw ?? []).find((pair) => /^authorization/i.test(pair));
    const without = await proxyTo(host.url);
    await ask(`${without.url}/echo`);
    assert.equal(auth(0), undefined);
    const proxy = await proxyTo(host.url, { auth: { runToken, token } });
    await ask(`${proxy.url}/echo`, { headers });
    await ask(`${proxy.url}/echo`, { headers: { authorization: 'Basic own' } });
    assert.deepEqual([auth(1), auth(2)], ['Authorization: Bearer token0', 'authorization: Basic own']);
    await ask(`${proxy.url}/unauthorized`, { headers });
    await ask(`${proxy.url}/echo`, { headers });
    assert.deepEqual([asked, auth(4)], [[null, null, 'token0'], 'Authorization: Bearer token1']);
  });

  it('to nobody who does not send the token of this run: those calls do not leave the machine', async () => {
    let asked = 0;
    const token = async (): Promise<string> => `token${(asked += 1)}`;
    const proxy = await proxyTo(host.url, { auth: { runToken, token } });
    for (const authorization of [
      undefined,
      '',
      'Bearer',
      'Bearer ccproxy_guessed',
      `bearer ${runToken}x`,
      `Basic ${runToken}`,
    ]) {
      const got = await ask(`${proxy.url}/echo`, authorization === undefined ? {} : { headers: { authorization } });
      const passed = authorization === '' || authorization === 'Bearer' || authorization?.startsWith('Basic');
      assert.equal(got.status, passed ? 200 : 401, authorization);
      if (!passed) assert.match(got.body.toString(), /send the token that this proxy printed/);
    }
    assert.deepEqual([asked, host.seen.length], [0, 3], 'what came with a credential of its own went on with it');
    assert.ok(!JSON.stringify([host.seen.map(({ raw }) => raw), records]).includes('token1'));
  });

  it('says so when there is none to be had', async () => {
    const token = async (): Promise<string> => Promise.reject(new Error('sk_live_secret'));
    const proxy = await proxyTo(host.url, { auth: { runToken, token } });
    const got = await ask(`${proxy.url}/echo`, { headers });
    assert.deepEqual([got.status, got.body.toString()], [502, 'credicorp proxy: no token could be obtained\n']);
    assert.equal(host.seen.length, 0);
  });
});

describe('close', () => {
  it('lets a running call finish, and cuts it when its time is over', async () => {
    dripped = new Promise((resolve) => (drip = resolve));
    dripped2 = Promise.resolve();
    const proxy = await proxyTo(host.url);
    const arrived = once(host.server, 'request');
    const running = ask(`${proxy.url}/drip`);
    await arrived;
    const closing = proxy.close(5000);
    drip();
    assert.equal((await running).body.toString(), 'first;last');
    await closing;
    const silent = createServer().listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const stuck = await proxyTo(`http://127.0.0.1:${(silent.address() as AddressInfo).port}`, { timeoutMs: 60_000 });
    const waiting = once(silent, 'request');
    const cut = assert.rejects(ask(`${stuck.url}/silent`));
    await waiting;
    await stuck.close(20);
    await cut;
    silent.close();
  });
});
