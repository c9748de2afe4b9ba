import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { createTransport, type Transport, type TransportOptions } from '../../src/lib/api/transport.ts';
import { Failure } from '../../src/lib/failure.ts';
import { answer, type RudeServer, startRudeServer } from '../support/rude-server.ts';

const LIMIT_MS = 400;
let rude: RudeServer;
let transport: Transport;

before(async () => {
  rude = await startRudeServer();
  transport = createTransport({ timeoutMs: LIMIT_MS, maxBytes: 1024 * 1024, userAgent: 'credicorp-cli/1.2.3' });
});
after(async () => {
  await transport.close();
  await rude.close();
});

const get = (path: string, more: object = {}) =>
  transport.send({ method: 'GET', url: `${rude.origin}${path}`, headers: {}, ...more });

describe('transport, each rudeness ends within its limit', () => {
  const rows: [path: string, expected: { failure: string } | { status: number; text?: string; broken?: string }][] = [
    ['/ok', { status: 200, text: '{"ok":true}' }],
    ['/silent', { failure: 'timeout' }],
    ['/slow-headers', { failure: 'timeout' }],
    ['/slow-body', { status: 200, broken: 'timeout' }],
    ['/half', { status: 200, text: '{"ok":true}', broken: 'reset' }],
    ['/half-error', { status: 422, broken: 'reset' }],
    ['/reset', { status: 200, text: '{"ok":tr', broken: 'reset' }],
    ['/reset-at-once', { failure: 'reset' }],
    ['/hang-up', { failure: 'reset' }],
    ['/too-long', { status: 200, text: '{"ok":true}' }],
    ['/two-lengths', { failure: 'truncated' }],
    ['/endless', { status: 200, broken: 'too_large' }],
    ['/endless-headers', { failure: 'not_http' }],
    ['/bomb', { status: 200, text: '', broken: 'too_large' }],
    ['/bad-gzip', { status: 200, text: '', broken: 'encoding' }],
    ['/odd-encoding', { status: 200, text: '', broken: 'encoding' }],
    ['/gzip', { status: 200, text: '{"ok":"£"}' }],
    ['/latin1', { status: 200, broken: 'not_utf8' }],
    ['/redirect', { status: 302 }],
    ['/redirect-away', { status: 307 }],
    ['/continue', { status: 200, text: '{"ok":true}' }],
    ['/hints', { status: 200, text: '{"ok":true}' }],
    ['/not-http', { failure: 'not_http' }],
    ['/no-length', { status: 200, text: '{"ok":true}' }],
    ['/keep-alive-lie', { status: 200, text: '{"ok":true}' }],
  ];
  for (const [path, expected] of rows) {
    it(path, async () => {
      const start = performance.now();
      if ('failure' in expected) {
        await assert.rejects(get(path), (error) => {
          assert.ok(error instanceof Failure);
          assert.equal(error.kind, 'unavailable');
          assert.equal(error.facts.code, expected.failure, error.message);
          assert.match(error.message, /^no answer from 127\.0\.0\.1:\d+: /);
          return true;
        });
      } else {
        const result = await get(path);
        assert.equal(result.status, expected.status);
        assert.equal(result.broken?.code, expected.broken, result.broken?.message);
        if (expected.text !== undefined) assert.equal(result.text, expected.text);
      }
      assert.ok(performance.now() - start < 4 * LIMIT_MS);
      assert.equal(rude.requests.filter((request) => request.path === path).length, 1, 'sent once');
    });
  }
});

const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'no failure',
    (error: unknown) => (error instanceof Failure ? `${error.kind} ${error.facts.code ?? ''}`.trim() : String(error)),
  );

describe('transport', () => {
  it('skips a 100 Continue that nobody asked for, whole or in pieces, and reads the answer after it', async () => {
    const bytes = Buffer.concat([
      Buffer.from('HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 100 Continue\r\nX-Y: z\r\n\r\n'),
      answer(201, 'HTTP/1.1 100 Continue\r\n\r\n'),
    ]);
    rude.on('/continues', async (socket, { headers }) => {
      const size = Number(headers['x-size']);
      for (let at = 0; at < bytes.length; at += size) {
        socket.write(bytes.subarray(at, at + size));
        await new Promise((resolve) => setImmediate(resolve));
      }
    });
    for (const size of [1, 7, 12, 1000]) {
      const url = `${rude.origin}/continues`;
      const body = '{"amount":1}';
      const seen = await transport.send({ method: 'POST', url, headers: { 'x-size': String(size) }, body });
      assert.deepEqual([seen.status, seen.text], [201, 'HTTP/1.1 100 Continue\r\n\r\n'], String(size));
    }
  });

  it('takes a 101 as a failure, not as an answer', async () => {
    assert.match(await codeOf(get('/upgrade')), /^unavailable /);
  });

  it('sends what it was given, and its own name', async () => {
    const body = '{"amount_pence":2500000}';
    await transport.send({ method: 'POST', url: `${rude.origin}/ok?x=1`, headers: { 'x-a': 'b' }, body });
    const seen = rude.requests.at(-1);
    assert.equal(seen?.method, 'POST');
    assert.equal(seen?.path, '/ok?x=1');
    assert.equal(seen?.body, body);
    assert.equal(seen?.headers['x-a'], 'b');
    assert.equal(seen?.headers['user-agent'], 'credicorp-cli/1.2.3');
    assert.equal(seen?.headers['authorization'], undefined);
  });

  it('is stopped by a signal before, during and after the headers', async () => {
    assert.equal(await codeOf(get('/ok', { signal: AbortSignal.abort() })), 'interrupted');
    for (const path of ['/silent', '/slow-body']) {
      const controller = new AbortController();
      const seen = rude.requests.length;
      const sending = codeOf(get(path, { signal: controller.signal, timeoutMs: 60_000 }));
      while (rude.requests.length === seen) await new Promise((resolve) => setImmediate(resolve));
      controller.abort();
      assert.equal(await sending, 'interrupted');
    }
  });

  it('names the causes apart', async () => {
    const closed = createServer();
    closed.listen(0, '127.0.0.1');
    await once(closed, 'listening');
    const port = portOf(closed);
    closed.close();
    const to = (url: string) => codeOf(transport.send({ method: 'GET', url, headers: {} }));
    assert.equal(await to(`http://127.0.0.1:${port}/`), 'unavailable nothing_listening');
    assert.equal(await to(`http://localhost:${port}/`), 'unavailable nothing_listening');
    assert.match(await to('https://name.invalid/'), /^unavailable (?:unknown_host|dns)$/);
    const plain = createServer(
      (socket) => void socket.on('error', () => undefined).end('HTTP/1.1 400 Bad Request\r\n\r\n'),
    );
    plain.listen(0, '127.0.0.1');
    await once(plain, 'listening');
    assert.equal(await to(`https://127.0.0.1:${portOf(plain)}/`), 'unavailable tls');
    plain.close();
    assert.equal(
      await codeOf(transport.send({ method: 'GET', url: rude.origin, headers: { 'x-bad': 'a\r\nb: c' } })),
      'usage bad_request',
    );
  });

  it('never sends a request twice by itself, whatever happens to the connection that is used again', async () => {
    const lone = createTransport({ timeoutMs: LIMIT_MS });
    try {
      for (const path of ['/reuse', '/keep-alive-lie']) {
        for (let round = 0; round < 20; round += 1) {
          const body = `${path} ${round}`;
          await lone.send({ method: 'POST', url: `${rude.origin}${path}`, headers: {}, body }).catch(() => undefined);
          assert.ok(rude.requests.filter((request) => request.body === body).length <= 1, body);
        }
      }
      assert.ok(
        rude.requests.some((request) => request.path === '/reuse' && request.turn === 2),
        'a connection was used again',
      );
    } finally {
      await lone.close();
    }
  });

  it('reads an answer that comes before the body was sent', async () => {
    const result = await transport.send({
      method: 'POST',
      url: `${rude.origin}/early`,
      headers: {},
      body: 'x'.repeat(1e6),
    });
    assert.equal(result.status, 413);
  });

  it('runs many requests side by side', async () => {
    const arrived: (() => void)[] = [];
    rude.on('/together', (socket) => {
      arrived.push(() => socket.write(answer(200, '{}')));
      if (arrived.length === 20) for (const reply of arrived) reply();
    });
    const results = await Promise.all(Array.from({ length: 20 }, () => get('/together')));
    assert.ok(results.every((result) => result.status === 200));
  });

  it('fails what is under way when it is closed', async () => {
    const lone = createTransport({ timeoutMs: 60_000 });
    const seen = rude.requests.length;
    const sending = codeOf(lone.send({ method: 'GET', url: `${rude.origin}/silent`, headers: {} }));
    while (rude.requests.length === seen) await new Promise((resolve) => setImmediate(resolve));
    await lone.close();
    assert.equal(await sending, 'unavailable closed');
  });

  it('lets the process end, closed or not', async () => {
    const file = new URL('../../src/lib/api/transport.ts', import.meta.url).href;
    const program = (end: string) =>
      `const { createTransport } = await import(${JSON.stringify(file)});
       const transport = createTransport({ timeoutMs: 60000 });
       const answer = await transport.send({ method: 'GET', url: ${JSON.stringify(`${rude.origin}/ok`)}, headers: {} });
       ${end}
       console.log(answer.status);`;
    for (const end of ['await transport.close();', '']) {
      const start = performance.now();
      const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program(end)]);
      assert.equal(stdout, '200\n');
      assert.ok(performance.now() - start < 3000);
    }
  });
});

describe('transport behind a proxy', () => {
  let proxy: Server;
  const asked: string[] = [];

  before(async () => {
    proxy = createServer((socket) => {
      socket
        .on('error', () => undefined)
        .once('data', (head) => {
          asked.push(String(head).split('\r\n')[0] ?? '');
          socket.end('HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n');
        });
    });
    proxy.listen(0, '127.0.0.1');
    await once(proxy, 'listening');
  });
  after(() => proxy.close());

  async function through(url: string, none: string | undefined, https?: string): Promise<string> {
    const options: TransportOptions = {
      timeoutMs: 5000,
      proxy: { https: https ?? `http://joe:pazzword@127.0.0.1:${portOf(proxy)}`, none },
    };
    const proxied = createTransport(options);
    try {
      const failed = await proxied.send({ method: 'GET', url, headers: {} }).catch((error: unknown) => error);
      assert.doesNotMatch(failed instanceof Error ? `${failed.stack} ${failed.message}` : '', /pazzword/);
      return await codeOf(failed instanceof Error ? Promise.reject(failed) : Promise.resolve());
    } finally {
      await proxied.close();
    }
  }

  it('asks it for https hosts, and says when it refuses', async () => {
    assert.equal(await through('https://api.example.com/x', undefined), 'unavailable proxy');
    assert.deepEqual(asked.splice(0), ['CONNECT api.example.com:443 HTTP/1.1']);
  });

  it('goes round it for hosts of NO_PROXY and for loopback', async () => {
    assert.match(await through('https://name.invalid/', 'example.com, .invalid'), /^unavailable (?:unknown_host|dns)$/);
    assert.equal(await through(`${rude.origin}/ok`, undefined), 'no failure');
    assert.deepEqual(asked, []);
  });

  it('says when its address is not one', async () => {
    assert.equal(await through('https://api.example.com/', undefined, 'not a url'), 'usage bad_proxy');
  });
});

function portOf(server: Server): number {
  const address = server.address();
  assert.ok(address !== null && typeof address !== 'string');
  return address.port;
}
