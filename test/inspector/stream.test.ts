/** The event stream from the listener to the page: complete, in few messages, bounded, and resumed after a broken connection. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer as createHttpServer, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer, connect, type Socket } from 'node:net';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { DeliveryList } from '../../src/lib/inspector/delivery-list.ts';
import { SseClients } from '../../src/lib/inspector/sse-clients.ts';
import {
  ask,
  attempted,
  bearer,
  closed,
  kept,
  openPage,
  pageModule,
  ready,
  received,
  rejected,
  startInspector,
} from './support.ts';

test('the page begins with the deliveries in the inbox, and gets every change', async () => {
  const inbox = {
    recent: (limit: number) => Array.from({ length: 600 }, (_, n) => kept(600 - n)).slice(0, limit),
    find: () => null,
  };
  const inspector = await startInspector({ inbox });
  const page = await openPage(inspector.origin);
  await page.until(() => page.rows.size === 500);
  assert.equal(page.rows.has('100'), false, 'the newest 500');
  assert.deepEqual(page.rows.get('600')?.targets[0], {
    ...{ target: 'http://127.0.0.1:3000/hook', state: 'failed', attempts: 3, status: 500, error: null, latency_ms: 5 },
  });
  inspector.onEvent(ready());
  inspector.onEvent(received(601));
  inspector.onEvent(attempted(601, { type: 'retrying', status: 503 }));
  inspector.onEvent(attempted(601, { attempt: 2 }));
  inspector.onEvent(rejected());
  await page.until(() => page.rows.get('601')?.targets[0]?.state === 'delivered' && page.rows.has('r1'));
  assert.equal(page.rows.get('601')?.targets[0]?.attempts, 2);
  assert.deepEqual([page.rows.get('r1')?.verdict, page.rows.get('r1')?.cause], ['rejected', 'wrong_secret']);
  const facts = page.events.findLast(([event]) => event === 'facts')?.[1] as { ready: { endpoint_id: string } };
  assert.equal(facts.ready.endpoint_id, 'whend_1');
});

test('a connection that breaks repeatedly loses nothing, and no change is sent twice', async () => {
  const inspector = await startInspector();
  const relay = await startRelay(Number(new URL(inspector.origin).port));
  const page = await openPage(relay.origin);
  await page.until(() => page.states.length > 0);
  for (let round = 0; round < 5; round += 1) {
    const before = page.states.length;
    for (let n = 0; n < 40; n += 1) {
      const id = round * 40 + n + 1;
      inspector.onEvent(received(id));
      if (n === 20) relay.cut();
      inspector.onEvent(attempted(id));
    }
    await page.until(() => page.states.slice(before).includes('lost') && page.states.at(-1) === 'live');
  }
  await page.until(
    () => page.rows.size === 200 && [...page.rows.values()].every((row) => row.targets[0]?.state === 'delivered'),
  );
  const greetings = page.events
    .filter(([event]) => event === 'hello')
    .map(([, data]) => (data as { fresh: boolean }).fresh);
  assert.equal(greetings[0], true);
  assert.equal(greetings.slice(1).some(Boolean), false, 'resumed, not started again');
  const sent = page.events.filter(([event]) => event === 'rows').flatMap(([, data]) => data as { key: string }[]);
  assert.ok(sent.length <= 400, `each change at most once: ${sent.length}`);
});

test('change numbers of another listener at the same address start the list again', async () => {
  const inspector = await startInspector();
  inspector.onEvent(received(1));
  for (const id of ['zzz.5', '5', 'x', `${'9'.repeat(400)}`]) {
    const { origin } = inspector;
    const response = await fetch(`${origin}/stream`, { headers: { ...bearer, 'last-event-id': id } });
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    while (!text.includes('evt_1')) text += (await reader?.read())?.value ?? '';
    assert.match(text, /event: hello\ndata: \{"fresh":true\}/);
    await reader?.cancel();
  }
});

test('a burst is sent in few messages, and a delivery with its latest state only', async () => {
  const inspector = await startInspector({ pauseMs: 20 });
  const page = await openPage(inspector.origin);
  await page.until(() => page.states.length > 0);
  for (let attempt = 1; attempt <= 1000; attempt += 1) {
    if (attempt === 1) inspector.onEvent(received(1));
    inspector.onEvent(attempted(1, { type: 'retrying', attempt, status: 500 }));
  }
  await page.until(() => page.rows.get('1')?.targets[0]?.attempts === 1000);
  assert.ok(page.events.length < 10, `${page.events.length} messages`);
});

test('at most one message is queued for a page that does not read; it catches up when it reads', async () => {
  const list = new DeliveryList({ recent: () => [], find: () => null }, () => clients.changed());
  const clients = new SseClients({
    list,
    boot: 'b',
    facts: () => ({}),
    clean: (row) => row,
    maxPages: 4,
    pauseMs: 1,
    beatMs: 60_000,
  });
  const { promise: opened, resolve } = Promise.withResolvers<ServerResponse>();
  const server = createHttpServer((_request, response) => {
    clients.add(response, null);
    resolve(response);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const lazy = connect((server.address() as AddressInfo).port, '127.0.0.1');
  after(() => {
    lazy.destroy();
    server.close();
  });
  lazy.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  const response = await opened;
  const long = 'x'.repeat(250);
  const fill = (round: number): void => {
    for (let id = 1; id <= 500; id += 1)
      list.onEvent(received(id, { event_type: `t${round}`, resource_id: long, delivery_id: long }));
  };
  let round = 0;
  // Until the socket buffers are full.
  while (!response.writableNeedDrain) {
    fill((round += 1));
    await new Promise((later) => setTimeout(later, 2));
  }
  const owed = response.writableLength;
  for (let n = 0; n < 20; n += 1) {
    fill((round += 1));
    await new Promise((later) => setImmediate(later));
  }
  assert.equal(response.writableLength, owed, 'nothing is queued up for it');
  assert.ok(owed < 256 * 1024, `${owed} bytes`);
  let text = '';
  lazy.setEncoding('utf8').on('data', (chunk: string) => (text = (text + chunk).slice(-100_000)));
  while (!text.includes(`"key":"500"`) || !text.includes(`"t${round}"`)) await once(lazy, 'data');
  clients.end();
});

test('a page that does not read for long is disconnected', async () => {
  const list = new DeliveryList({ recent: () => [], find: () => null }, () => clients.changed());
  const clients = new SseClients({
    list,
    boot: 'b',
    facts: () => ({}),
    clean: (row) => row,
    maxPages: 1,
    pauseMs: 1,
    beatMs: 2,
  });
  const server = createHttpServer((_request, response) => clients.add(response, null)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  after(() => server.close());
  const lazy = connect((server.address() as AddressInfo).port, '127.0.0.1');
  after(() => lazy.destroy());
  lazy.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  lazy.pause();
  const long = 'x'.repeat(250);
  let seen = false;
  for (let round = 0; !seen || clients.isFull; round += 1) {
    seen ||= clients.isFull;
    for (let id = 1; id <= 500; id += 1)
      list.onEvent(received(id, { resource_id: long, delivery_id: `${long}${round}` }));
    await new Promise((later) => setTimeout(later, 2));
  }
  clients.end();
});

test('one page too many is refused, and connects when another is closed', async () => {
  const inspector = await startInspector({ maxPages: 2 });
  const first = await openPage(inspector.origin);
  const second = await openPage(inspector.origin);
  await Promise.all([first, second].map((page) => page.until(() => page.states.at(-1) === 'live')));
  const third = await openPage(inspector.origin);
  await third.until(() => third.states.includes('crowded'));
  first.leave();
  await third.until(() => third.states.at(-1) === 'live');
});

test('a wrong token locks the page; the page shows when the listener ends', async () => {
  const inspector = await startInspector();
  const locked = await openPage(inspector.origin, { token: 'wrong' });
  await locked.over;
  assert.deepEqual(locked.states, ['locked']);
  const page = await openPage(inspector.origin);
  await page.until(() => page.states.at(-1) === 'live');
  inspector.onEvent(received(1));
  inspector.onEvent(closed());
  await inspector.close();
  await page.over;
  assert.deepEqual(page.states, ['live', 'ended']);
  assert.ok(page.rows.has('1'), 'with the remaining changes');
  await assert.rejects(ask(inspector.origin, '/'), /ECONNREFUSED/);
});

test('rejected deliveries have their own limit: a flood does not displace genuine ones', async () => {
  const inspector = await startInspector();
  inspector.onEvent(received(1));
  for (let n = 0; n < 1000; n += 1) inspector.onEvent(rejected({ delivery_id: `whd_${n}` }));
  const page = await openPage(inspector.origin);
  await page.until(() => page.rows.has('r1000'));
  assert.deepEqual([page.rows.size, page.rows.has('1'), page.rows.has('r900')], [101, true, false]);
});

interface Parsed {
  event: string;
  data: unknown;
  id: string | null;
}

test('the page parses an event stream split anywhere', async () => {
  const { createParser } = await pageModule<{
    createParser: (take: (event: Parsed) => void) => (piece: string) => void;
  }>('stream.js');
  const event = fc.record({
    event: fc.constantFrom('rows', 'facts'),
    data: fc.jsonValue(),
    id: fc.option(fc.stringMatching(/^[a-z0-9.]+$/)),
  });
  fc.assert(
    fc.property(fc.array(event), fc.infiniteStream(fc.nat({ max: 9 })), (events, sizes) => {
      const text = events
        .map(
          ({ event: name, data, id }) =>
            `${id === null ? '' : `id: ${id}\n`}event: ${name}\ndata: ${JSON.stringify(data)}\n\n: beat\n\n`,
        )
        .join('');
      const taken: Parsed[] = [];
      const parse = createParser((one) => taken.push(one));
      for (let at = 0; at < text.length;) {
        const size = 1 + Number(sizes.next().value);
        parse(text.slice(at, at + size));
        at += size;
      }
      assert.equal(JSON.stringify(taken.map(({ data }) => data)), JSON.stringify(events.map(({ data }) => data)));
      assert.deepEqual(
        taken.map(({ event: name, id }) => [name, id]),
        events.map(({ event: name, id }) => [name, id]),
      );
    }),
  );
});

/** A proxy whose connections can be cut. It rewrites Host, because the inspector accepts only its own port. */
async function startRelay(port: number): Promise<{ origin: string; cut(): void }> {
  const open = new Set<Socket>();
  const relay = createServer((near) => {
    const far = connect(port, '127.0.0.1');
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      open.add(from);
      from.on('error', () => {});
      from.on('close', () => to.destroy());
    }
    near.on('data', (chunk) =>
      far.write(chunk.toString('latin1').replace(/host: [^\r]+/i, `Host: 127.0.0.1:${port}`), 'latin1'),
    );
    far.pipe(near);
  });
  relay.listen(0, '127.0.0.1');
  await once(relay, 'listening');
  const cut = (): void => {
    for (const socket of open) socket.destroy();
    open.clear();
  };
  after(() => {
    relay.close();
    cut();
  });
  const address = relay.address();
  return { origin: `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`, cut };
}
