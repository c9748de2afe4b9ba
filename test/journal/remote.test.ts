import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import * as fc from 'fast-check';
import { sleep } from '../../src/lib/api/retry.ts';
import { createTransport, type Transport } from '../../src/lib/api/transport.ts';
import { Failure } from '../../src/lib/failure.ts';
import type { JournalItem } from '../../src/lib/journal/follow.ts';
import { followRemote, readRemote, type RemoteOptions } from '../../src/lib/journal/remote.ts';
import { readServerEvents, type ServerEvent } from '../../src/lib/journal/server-events.ts';
import { serveSandbox, type Served } from '../../src/lib/sandbox/sandbox-server.ts';
import { type RudeServer, startRudeServer } from '../support/rude-server.ts';

async function* piecesOf(bytes: Uint8Array, cuts: readonly number[]): AsyncGenerator<Uint8Array> {
  let from = 0;
  for (const cut of [...cuts].sort((a, b) => a - b)) {
    yield bytes.subarray(from, Math.max(from, cut));
    from = Math.max(from, cut);
  }
  yield bytes.subarray(from);
}

async function eventsOf(text: string, cuts: readonly number[] = []): Promise<ServerEvent[]> {
  const events: ServerEvent[] = [];
  for await (const event of readServerEvents(piecesOf(Buffer.from(text), cuts))) events.push(event);
  return events;
}

async function* endless(): AsyncGenerator<Uint8Array> {
  yield Buffer.from('data: ');
  for (;;) yield Buffer.alloc(1024 * 1024, 'x');
}

const codeOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(String, (error: unknown) => (error instanceof Failure ? (error.facts.code ?? error.kind) : error));
const kindOf = (items: AsyncGenerator<JournalItem>): Promise<string> =>
  items.next().then(
    () => 'none',
    (error: unknown) => (error instanceof Failure ? error.kind : String(error)),
  );
const answering =
  (status: number): RemoteOptions['stream'] =>
  async () => ({ status, headers: {}, body: piecesOf(Buffer.alloc(0), []) });
const sandbox = (seed: string, port = 0): Promise<Served> =>
  serveSandbox({ host: '127.0.0.1', port, version: '0.0.0', seed, now: Date.now });

/** One request on a new connection. */
async function visit(url: string): Promise<void> {
  const lone = createTransport({ timeoutMs: 5000 });
  await lone.send({ method: 'GET', url, headers: { authorization: 'Bearer sk_test_local' } });
  await lone.close();
}

async function take(items: AsyncGenerator<JournalItem>, count: number): Promise<string[]> {
  const taken: string[] = [];
  while (taken.length < count) {
    const next = await items.next();
    if (next.done) break;
    taken.push(next.value.type === 'gap' ? `gap ${next.value.why}` : next.value.entry.path);
  }
  return taken;
}

describe('server-sent events', () => {
  const rows: [what: string, text: string, events: ServerEvent[]][] = [
    ['one', 'id: 1\nevent: a\ndata: {"x":1}\n\n', [{ id: '1', event: 'a', data: '{"x":1}' }]],
    [
      'without names',
      'data\n\ndata:x\n\n',
      [
        { id: '', event: 'message', data: '' },
        { id: '', event: 'message', data: 'x' },
      ],
    ],
    ['several lines', 'data: a\ndata:  b\n\n', [{ id: '', event: 'message', data: 'a\n b' }]],
    [
      'the id stays',
      'id: 7\n\ndata: a\n\ndata: b\n\n',
      [
        { id: '7', event: 'message', data: 'a' },
        { id: '7', event: 'message', data: 'b' },
      ],
    ],
    [
      'comments and unknown fields',
      ': hello\nretry: 5\nfoo: bar\n\ndata: a\n\n',
      [{ id: '', event: 'message', data: 'a' }],
    ],
    [
      'CR and CR LF',
      'data: a\r\rdata: b\r\n\r\ndata: £\n\n',
      ['a', 'b', '£'].map((data) => ({ id: '', event: 'message', data })),
    ],
    ['cut off at the end', 'data: a\n\ndata: b\n', [{ id: '', event: 'message', data: 'a' }]],
  ];
  for (const [what, text, events] of rows) {
    it(what, async () => {
      assert.deepEqual(await eventsOf(text), events);
      const size = Buffer.byteLength(text);
      await fc.assert(
        fc.asyncProperty(fc.array(fc.nat(size), { maxLength: 8 }), async (cuts) =>
          assert.deepEqual(await eventsOf(text, cuts), events),
        ),
      );
    });
  }

  it('a message that never ends is an error', async () => {
    await assert.rejects(readServerEvents(endless()).next(), { kind: 'unavailable' });
  });
});

describe('stream', () => {
  let rude: RudeServer;
  let transport: Transport;
  before(async () => {
    rude = await startRudeServer();
    transport = createTransport({ timeoutMs: 200 });
  });
  after(async () => {
    await transport.close();
    await rude.close();
  });
  const open = (path: string, more: object = {}, idleMs = 200) =>
    transport.stream({ method: 'GET', url: rude.origin + path, headers: {}, ...more }, idleMs);
  const read = async (path: string, idleMs?: number): Promise<number> => {
    let size = 0;
    for await (const piece of (await open(path, {}, idleMs)).body) size += piece.length;
    return size;
  };
  it('yields the chunks as they arrive, and a distinct code for each way to end', async () => {
    assert.equal(await read('/ok'), 11);
    assert.equal(await codeOf(read('/silent')), 'timeout');
    assert.equal(await codeOf(read('/half')), 'reset');
    assert.equal(await codeOf(read('/reset')), 'reset');
    assert.equal(await codeOf(read('/not-http')), 'not_http');
    rude.on('/pause', (socket) => void socket.write('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc'));
    assert.equal(await codeOf(read('/pause', 50)), 'timeout');
  });

  it('makes a fast sender wait for a slow reader', async () => {
    const { body } = await open('/endless', {}, 5000);
    let pieces = 0;
    for await (const piece of body) {
      assert.ok(piece.length > 0);
      pieces += 1;
      if (pieces === 50) await wait(50);
      if (pieces > 200) break;
    }
    assert.ok(pieces > 200);
  });

  it('is stopped by the signal, and by a reader that stops', async () => {
    const controller = new AbortController();
    const { body } = await open('/slow-body', { signal: controller.signal }, 5000);
    const reading = codeOf(
      (async () => {
        for await (const piece of body) if (piece.length > 0) controller.abort();
      })(),
    );
    assert.equal(await reading, 'interrupted');
    assert.equal(await codeOf(open('/silent', { signal: AbortSignal.timeout(20) })), 'interrupted');
  });
});

/** A TCP proxy that can cut every connection. */
async function fragileRoad(to: number): Promise<{ port: number; cut(): void; server: Server }> {
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(to, '127.0.0.1');
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
    }
    near.pipe(far).pipe(near);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  assert.ok(address !== null && typeof address !== 'string');
  return { port: address.port, server, cut: () => sockets.forEach((socket) => socket.destroy()) };
}

describe('a sandbox on another host', () => {
  let served: Served;
  let transport: Transport;
  before(async () => {
    served = await sandbox('remote');
    transport = createTransport({ timeoutMs: 5000 });
  });
  after(async () => {
    await transport.close();
    await served.close();
  });

  const get = (path: string) =>
    transport.send({ method: 'GET', url: served.url + path, headers: { authorization: 'Bearer sk_test_local' } });
  const from = (base: string, more: Partial<RemoteOptions> = {}) =>
    followRemote({ base, stream: transport.stream, sleep: (_, signal) => sleep(5, signal), since: 0, ...more });

  it('is read once, oldest first, filtered, without following', async () => {
    const own = await sandbox('read once');
    await visit(`${own.url}/partner/v1/applications`);
    await visit(`${own.url}/partner/v1/applications/app_none`);
    const read = (more: Partial<RemoteOptions>) =>
      take(readRemote({ base: own.url, stream: transport.stream, sleep, ...more }), 100);
    const all = await read({});
    const [first, second] = [all.indexOf('/partner/v1/applications'), all.indexOf('/partner/v1/applications/app_none')];
    assert.ok(first !== -1 && first < second, all.join(' '));
    assert.deepEqual(
      new Set(await read({ filter: { status: '404' } })),
      new Set(['/partner/v1/applications/app_none']),
    );
    await own.close();
    const refused = readRemote({ base: served.url, sleep, stream: answering(403) });
    assert.equal(await kindOf(refused), 'auth');
  });
  it('yields old entries, then new ones, and loses nothing over broken connections', async (t) => {
    const road = await fragileRoad(Number(new URL(served.url).port));
    t.after(() => {
      road.cut();
      road.server.close();
    });
    const breaks: string[] = [];
    const items = from(`http://127.0.0.1:${road.port}`, { onBreak: (why) => breaks.push(why) });
    await get('/partner/v1/applications?n=0');
    assert.deepEqual(await take(items, 1), ['/partner/v1/applications?n=0']);
    for (let n = 1; n <= 5; n += 1) {
      road.cut();
      await get(`/partner/v1/applications?n=${n}`);
      assert.deepEqual(await take(items, 1), [`/partner/v1/applications?n=${n}`]);
    }
    assert.ok(breaks.length >= 5);
    await items.return();
  });

  it('yields complete entries, filtered', async () => {
    await get('/partner/v1/nothing/here?x=1');
    const items = from(served.url, { filter: { status: '404', path: '/nothing/*' } });
    const next = await items.next();
    assert.ok(!next.done && next.value.type === 'entry');
    const { entry } = next.value;
    assert.equal(entry.source, 'sandbox');
    assert.equal(entry.path, '/partner/v1/nothing/here?x=1');
    assert.equal(entry.status, 404);
    assert.match(entry.requestId ?? '', /^req_/);
    assert.equal(entry.errorCode, 'invalid_request');
    assert.match(entry.responseBody ?? '', /invalid_request/);
    assert.ok(Math.abs(entry.at - Date.now()) < 60_000);
    await items.return();
  });

  it('reports a restarted sandbox as a gap, and yields all its entries', async (t) => {
    const first = await sandbox('a');
    const port = Number(new URL(first.url).port);
    for (let n = 1; n <= 3; n += 1) await visit(`${first.url}/partner/v1/accounts?n=${n}`);
    const items = from(first.url);
    assert.equal((await take(items, 3)).length, 3);
    await first.close();
    const second = await sandbox('b', port);
    t.after(() => second.close());
    const taking = take(items, 2);
    const state = { over: false };
    void taking.then(() => (state.over = true));
    for (let n = 11; !state.over && n < 1000; n += 1) {
      await visit(`${second.url}/partner/v1/accounts?n=${n}`);
      await wait(2);
    }
    assert.deepEqual(await taking, ['gap replaced', '/partner/v1/accounts?n=11']);
    await items.return();
  });

  it('without --since loses nothing either when the connection breaks before the first message', async (t) => {
    const own = await sandbox('nothing yet');
    const road = await fragileRoad(Number(new URL(own.url).port));
    t.after(async () => {
      road.cut();
      road.server.close();
      await own.close();
    });
    await visit(`${own.url}/partner/v1/accounts?n=before`);
    const { since: _, ...now } = { base: `http://127.0.0.1:${road.port}`, stream: transport.stream, sleep, since: 0 };
    const connected = Promise.withResolvers<void>();
    const stream: RemoteOptions['stream'] = async (...asked) => {
      const answer = await transport.stream(...asked);
      connected.resolve();
      return answer;
    };
    const items = followRemote({ ...now, stream });
    const taking = take(items, 1);
    await connected.promise;
    road.cut();
    await visit(`${own.url}/partner/v1/accounts?n=meanwhile`);
    assert.deepEqual(await taking, ['/partner/v1/accounts?n=meanwhile']);
    await items.return();
  });

  it('recognises a different sandbox although its numbers are higher', async (t) => {
    const first = await sandbox('short');
    const port = Number(new URL(first.url).port);
    await visit(`${first.url}/partner/v1/accounts?n=1`);
    const items = from(first.url);
    assert.equal((await take(items, 1)).length, 1);
    await first.close();
    const second = await sandbox('long', port);
    t.after(() => second.close());
    for (let n = 11; n <= 14; n += 1) await visit(`${second.url}/partner/v1/accounts?n=${n}`);
    assert.deepEqual(await take(items, 5), [
      'gap replaced',
      ...[11, 12, 13, 14].map((n) => `/partner/v1/accounts?n=${n}`),
    ]);
    await items.return();
  });

  it('a gap is reported only where requested entries may be missing', async () => {
    const row = (id: number, at: string) =>
      `id: ${id}\nevent: request\ndata: ${JSON.stringify({ seq: id, at, method: 'GET', path: `/${id}`, status: 200 })}\n\n`;
    const text = `event: gap\ndata: {"from":1,"to":9}\n\n${row(10, '2026-07-04T10:00:00Z')}${row(11, '2026-07-04T11:00:00Z')}`;
    const headers = { 'credicorp-log-instance': 'one', 'credicorp-log-last': '11' };
    const stream: RemoteOptions['stream'] = async () => ({
      status: 200,
      headers,
      body: piecesOf(Buffer.from(text), []),
    });
    const read = (since: string) => take(readRemote({ base: served.url, sleep, stream, since: Date.parse(since) }), 9);
    assert.deepEqual(await read('2026-07-04T09:00:00Z'), ['gap pruned', '/10', '/11']);
    assert.deepEqual(await read('2026-07-04T10:30:00Z'), ['/11']);
  });

  it('yields each attempt of a delivery', async (t) => {
    const hook = createServer((socket) => void socket.end('HTTP/1.1 500 no\r\ncontent-length: 0\r\n\r\n'));
    hook.listen(0, '127.0.0.1');
    await once(hook, 'listening');
    t.after(() => hook.close());
    const address = hook.address();
    const url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}/hook?x=1`;
    const post = (path: string, body: object) =>
      transport.send({
        method: 'POST',
        url: served.url + path,
        headers: { authorization: 'Bearer sk_test_local', 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
    await post('/partner/v1/webhook_endpoints', { url, enabled_events: ['loan.*'] });
    const items = from(served.url, { filter: { path: '/hook' } });
    await post('/_sandbox/events', { type: 'loan.closed' });
    const next = await items.next();
    assert.ok(!next.done && next.value.type === 'entry');
    const { entry } = next.value;
    assert.deepEqual(
      [entry.method, entry.origin + entry.path, entry.status, entry.attempt, entry.eventType],
      ['POST', url, 500, 1, 'loan.closed'],
    );
    assert.match(`${entry.deliveryId} ${entry.eventId}`, /^whd_\w+ evt_\w+$/);
    await items.return();
  });

  it('gives up when access is refused, when it is not a sandbox, when it stays unreachable', async () => {
    assert.equal(await kindOf(from(served.url, { stream: answering(403) })), 'auth');
    assert.equal(await kindOf(from(served.url, { stream: answering(404) })), 'not_found');
    let tries = 0;
    const away: RemoteOptions['stream'] = async () => {
      tries += 1;
      throw new Failure('unavailable', 'no answer');
    };
    assert.equal(await kindOf(from(served.url, { stream: away })), 'unavailable');
    assert.equal(tries, 20);
  });

  it('ends without an error on the signal, and sends the log token', async () => {
    const controller = new AbortController();
    const seen: (string | undefined)[] = [];
    const stream: RemoteOptions['stream'] = (request, idleMs) => {
      seen.push(request.headers['authorization']);
      setImmediate(() => controller.abort());
      return transport.stream(request, idleMs);
    };
    const { since: _, ...rest } = {
      since: 0,
      base: served.url,
      stream,
      sleep,
      signal: controller.signal,
      token: 'log-token',
    };
    for await (const item of followRemote(rest)) assert.fail(item.type);
    assert.deepEqual(seen, ['Bearer log-token']);
  });
});
