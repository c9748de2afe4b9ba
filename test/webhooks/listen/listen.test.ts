import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ExchangeRecord } from '../../../src/lib/contract/exchange.ts';
import { verify } from '../../../src/lib/contract/signature.ts';
import { Failure } from '../../../src/lib/failure.ts';
import {
  APP_SECRET,
  eventBody,
  fakeEndpoints,
  freePort,
  openApp,
  openInbox,
  openSender,
  SECRET,
  startListening,
} from '../support/stage.ts';

test('a delivery is verified, stored, acknowledged and forwarded byte for byte with its own headers', async () => {
  const app = await openApp((_seen, response) => void response.writeHead(201).end('thanks'));
  const records: ExchangeRecord[] = [];
  const endpoints = fakeEndpoints();
  const listening = await startListening({ forward: app.url, endpoints, record: (record) => records.push(record) });
  const body = Buffer.from(
    '{"id":"evt_1","type":"payment.settled","data":{"payment_id":"pay_1","note":"£ \\/ é"}}\r\n',
  );
  const headers = { 'X-Trace': 'a', 'User-Agent': 'Credicorp-Sandbox-Webhooks/1', Connection: 'keep-alive' };
  assert.equal(await openSender(listening.url).send(body, { headers }), 200);

  const forwarded = await listening.until('forwarded');
  const [seen] = app.seen;
  assert.ok(seen);
  assert.deepEqual(seen.body, body);
  assert.equal(seen.method, 'POST');
  assert.equal(seen.url, '/hook');
  assert.equal(seen.headers['host'], app.url.host);
  assert.equal(seen.headers['x-trace'], 'a');
  assert.ok(seen.rawHeaders.includes('X-Trace'), 'spelling of names is kept');
  assert.equal(seen.headers['user-agent'], 'Credicorp-Sandbox-Webhooks/1');
  assert.equal(seen.headers['credicorp-delivery'], 'whd_1');
  const now = Math.floor(Date.now() / 1000);
  const header = String(seen.headers['credicorp-signature']);
  assert.equal(verify({ header, body: seen.body, secrets: [APP_SECRET], now }).valid, true, 'signed by the listener');

  const { type, event_id, event_type, delivery_id, resource_id, status, attempt, answer, target } = forwarded;
  assert.deepEqual(
    { type, event_id, event_type, delivery_id, resource_id, status, attempt, answer, target },
    {
      type: 'forwarded',
      event_id: 'evt_1',
      event_type: 'payment.settled',
      delivery_id: 'whd_1',
      resource_id: 'pay_1',
      status: 201,
      attempt: 1,
      answer: 'thanks',
      target: app.url.href,
    },
  );
  const closed = await listening.close();
  assert.deepEqual([closed.received, closed.forwarded, closed.waiting, closed.endpoint_removed], [1, 1, 0, true]);
  assert.deepEqual(endpoints.log, ['register *', 'unregister whend_1']);
  assert.deepEqual(
    listening.events.map((event) => event.type),
    ['ready', 'received', 'forwarded', 'closed'],
  );
  assert.deepEqual(
    records.map((record) => [record.origin, record.status, record.eventId, record.requestBody, record.responseBody]),
    [
      [null, 200, 'evt_1', body.toString(), null],
      [app.url.origin, 201, 'evt_1', body.toString(), 'thanks'],
    ],
  );
  assert.ok(!JSON.stringify([listening.events, records]).includes(SECRET));
  assert.ok(!JSON.stringify([listening.events, records]).includes(APP_SECRET));
  assert.ok(!JSON.stringify(records).includes(new URL(listening.url).pathname), 'the path is a capability');
});

test('an event without an id is identified by its delivery id: the same one is forwarded once', async () => {
  const app = await openApp();
  const listening = await startListening({ forward: app.url });
  const sender = openSender(listening.url);
  const body = Buffer.from('{"type":"payment.settled","data":{"payment_id":"pay_1"}}');
  for (const id of ['whd_a', 'whd_a', 'whd_b']) {
    assert.equal(await sender.send(body, { headers: { 'credicorp-delivery': id } }), 200);
  }
  await listening.times('duplicate', 1);
  await listening.times('forwarded', 2);
  const closed = await listening.close();
  assert.deepEqual([closed.received, closed.forwarded, closed.duplicates], [3, 2, 1]);
  assert.deepEqual(
    app.seen.map(({ headers }) => headers['credicorp-delivery']),
    ['whd_a', 'whd_b'],
  );
});

test('a refused delivery reaches neither inbox nor app', async () => {
  const app = await openApp();
  const store = openInbox();
  const records: ExchangeRecord[] = [];
  const listening = await startListening({ store, forward: app.url, record: (record) => records.push(record) });
  const sender = openSender(listening.url);
  assert.equal(await sender.send({ id: 'evt_1' }, { secret: 'whsec_other' }), 400);
  assert.equal(await sender.send({ id: 'evt_2' }, { t: 1 }), 400);
  assert.equal((await listening.until('rejected', (event) => event.cause === 'stale_timestamp')).status, 400);
  assert.equal(store.db.prepare('SELECT count(*) AS n FROM inbox_deliveries').get()?.['n'], 0);
  assert.deepEqual(
    records.map((record) => [record.status, record.note]),
    [
      [400, 'bad signature: wrong_secret'],
      [400, 'bad signature: stale_timestamp'],
    ],
  );
  const closed = await listening.close();
  assert.deepEqual([closed.rejected, app.seen.length], [2, 0]);
});

describe('an app that is down', () => {
  test('gets everything as soon as its port opens, each event once, without attempts in between', async () => {
    const app = await openApp();
    await app.stop();
    const listening = await startListening({ forward: app.url });
    const sender = openSender(listening.url);
    const ids = Array.from({ length: 60 }, (_, n) => `evt_${n}`);
    assert.deepEqual(new Set(await Promise.all(ids.map((id) => sender.send({ id })))), new Set([200]));
    const waiting = await listening.until('retrying');
    assert.deepEqual([waiting.error, waiting.retry_in_ms, waiting.status], ['connection_refused', null, null]);
    const began = performance.now();
    await app.start();
    await listening.times('forwarded', ids.length);
    assert.ok(performance.now() - began < 1500);
    assert.ok(listening.of('retrying').length <= 8, 'only what was under way noticed');
    assert.deepEqual(app.seen.map((seen) => String(JSON.parse(seen.body.toString()).id)).toSorted(), ids.toSorted());
  });

  test('gets failed deliveries again as soon as its port reopens', async () => {
    let well = false;
    const app = await openApp((_seen, response) => void response.writeHead(well ? 200 : 500).end());
    const listening = await startListening({
      forward: app.url,
      random: () => 0.999,
      retry: { firstMs: 60_000, longestMs: 60_000 },
    });
    const sender = openSender(listening.url);
    await sender.send({ id: 'evt_failed' });
    assert.ok(((await listening.until('retrying')).retry_in_ms ?? 0) > 50_000);
    await app.stop();
    await sender.send({ id: 'evt_refused' });
    await listening.until('retrying', (event) => event.event_id === 'evt_refused');
    well = true;
    await app.start();
    await listening.times('forwarded', 2);
  });

  test('its undelivered events wait for the next listener to it; a listener to another app leaves them and says so', async () => {
    const store = openInbox();
    const port = await freePort();
    const first = await startListening({ store, forward: new URL(`http://127.0.0.1:${port}/hook`) });
    const sender = openSender(first.url);
    for (const id of ['evt_a', 'evt_b', 'evt_c']) await sender.send({ id });
    const closed = await first.close();
    assert.deepEqual([closed.received, closed.forwarded, closed.waiting], [3, 0, 3]);

    const elsewhere = await openApp();
    const moved = await startListening({ store, forward: elsewhere.url });
    const ready = await moved.until('ready');
    assert.deepEqual([ready.leftover, ready.unrouted], [0, [{ target: `http://127.0.0.1:${port}/hook`, waiting: 3 }]]);

    const app = await openApp();
    await app.stop();
    app.port = port;
    await app.start();
    // The same app under its other name.
    const second = await startListening({ store, forward: new URL(`http://localhost:${port}/hook`) });
    assert.equal((await second.until('ready')).leftover, 3);
    await second.times('forwarded', 3);
    assert.deepEqual(
      app.seen.map((seen) => seen.body.toString()),
      ['evt_a', 'evt_b', 'evt_c'].map((id) => eventBody({ id }).toString()),
    );
    assert.equal(app.seen[0]?.headers['credicorp-delivery'], 'whd_1');
    await second.close();
    assert.deepEqual([elsewhere.seen.length, moved.of('forwarded').length], [0, 0]);
    const third = await startListening({ store, forward: app.url });
    const { leftover, unrouted } = await third.until('ready');
    assert.deepEqual([leftover, unrouted], [0, []]);
  });

  test('of another scope is left alone', async () => {
    const store = openInbox();
    const first = await startListening({ store, forward: new URL(`http://127.0.0.1:${await freePort()}/`) });
    await openSender(first.url).send({ id: 'evt_a' });
    await first.close();
    const other = await startListening({ store, scope: 'live', forward: new URL('http://127.0.0.1:9/') });
    assert.equal((await other.until('ready')).leftover, 0);
  });

  test('is given up after the configured time, with an event', async () => {
    const store = openInbox();
    const forward = new URL(`http://127.0.0.1:${await freePort()}/`);
    const listening = await startListening({ store, forward, retry: { giveUpAfterMs: 60 } });
    await openSender(listening.url).send({ id: 'evt_a' });
    assert.equal((await listening.until('failed')).error, 'connection_refused');
    const closed = await listening.close();
    assert.deepEqual([closed.failed, closed.waiting], [1, 0]);
    assert.equal(store.db.prepare('SELECT state FROM inbox_forwards').get()?.['state'], 'failed');
  });
});

describe('an app that fails', () => {
  test('gets the delivery again until it answers 2xx', async () => {
    const app = await openApp((_seen, response, { seen }) => {
      const status = [500, 302, 404][seen.length - 1] ?? 204;
      response.writeHead(status, { location: '/elsewhere' }).end(`no ${status}`);
    });
    const listening = await startListening({ forward: app.url });
    await openSender(listening.url).send({ id: 'evt_1' });
    const forwarded = await listening.until('forwarded');
    assert.deepEqual([forwarded.status, forwarded.attempt], [204, 4]);
    const retries = listening.of('retrying');
    assert.deepEqual(
      retries.map((event) => [event.status, event.attempt, event.answer]),
      [
        [500, 1, 'no 500'],
        [302, 2, 'no 302'],
        [404, 3, 'no 404'],
      ],
    );
    assert.ok(retries.every((event) => event.retry_in_ms !== null && event.retry_in_ms <= 100));
    assert.match(retries[1]?.hint ?? '', /redirect/);
  });

  test('by not answering is aborted at the time limit', async () => {
    const app = await openApp((_seen, response, { seen }) => {
      if (seen.length > 1) response.end();
    });
    const listening = await startListening({ forward: app.url, timeoutMs: 80 });
    await openSender(listening.url).send({ id: 'evt_1' });
    const retrying = await listening.until('retrying');
    assert.equal(retrying.error, 'timeout');
    assert.ok(retrying.latency_ms >= 75 && retrying.latency_ms < 1000, String(retrying.latency_ms));
    await listening.until('forwarded');
  });

  test('by closing the connection is retried', async () => {
    const app = await openApp((_seen, response, { seen }) => {
      if (seen.length === 1) response.destroy();
      else response.end();
    });
    const listening = await startListening({ forward: app.url });
    await openSender(listening.url).send({ id: 'evt_1' });
    assert.equal((await listening.until('retrying')).error, 'socket');
    await listening.until('forwarded');
  });

  test('with an endless answer costs a bounded excerpt', async () => {
    const app = await openApp((_seen, response) => {
      const more = (): void => {
        if (!response.destroyed && response.write('x'.repeat(16_384))) setImmediate(more);
        else response.once('drain', more);
      };
      more();
    });
    const listening = await startListening({ forward: app.url });
    await openSender(listening.url).send({ id: 'evt_1' });
    assert.equal((await listening.until('forwarded')).answer, 'x'.repeat(1024));
  });

  test('on a delivery whose matching v1 is not the last gets a hint', async () => {
    const app = await openApp((_seen, response) => void response.writeHead(400).end());
    const listening = await startListening({ forward: app.url, signing: null });
    const body = eventBody({ id: 'evt_1' });
    const t = Math.floor(Date.now() / 1000);
    const { signatureHeader } = await import('../../../src/lib/contract/signature.ts');
    const header = signatureHeader({ secrets: [SECRET, 'whsec_old'], t, body });
    await openSender(listening.url).send(body, { headers: { 'credicorp-signature': header } });
    assert.deepEqual((await listening.until('received')).warnings, ['last_v1_only']);
    assert.match((await listening.until('retrying')).hint ?? '', /only the last/);
  });
});

test('the other address family is named when only it listens', async (t) => {
  let app;
  try {
    app = await openApp(undefined, '::1');
  } catch {
    return t.skip('no IPv6 loopback on this machine');
  }
  const listening = await startListening({ forward: new URL(`http://127.0.0.1:${app.port}/hook`) });
  await openSender(listening.url).send({ id: 'evt_1' });
  const { hint } = await listening.until('retrying');
  assert.match(
    hint ?? '',
    new RegExp(`nothing listens on 127\\.0\\.0\\.1:${app.port}, but \\[::1\\]:${app.port} does`),
  );
  const both = await startListening({ forward: new URL(`http://localhost:${app.port}/hook`) });
  await openSender(both.url).send({ id: 'evt_2' });
  await both.until('forwarded');
});

test('stopping waits for running deliveries, and keeps those that take too long for the next listener', async () => {
  let release: (() => void) | undefined;
  const app = await openApp((seen, response) => {
    if (seen.body.includes('evt_slow')) return;
    release = () => void response.end();
  });
  const store = openInbox();
  const listening = await startListening({ store, forward: app.url, graceMs: 150 });
  const sender = openSender(listening.url);
  await sender.send({ id: 'evt_quick' });
  await sender.send({ id: 'evt_slow' });
  while (app.seen.length < 2) await new Promise((resolve) => setImmediate(resolve));
  setTimeout(() => release?.(), 30);
  const closed = await listening.close();
  assert.deepEqual([closed.forwarded, closed.waiting], [1, 1]);
  const states = store.db.prepare('SELECT event_id, state FROM inbox_forwards ORDER BY id').all();
  assert.deepEqual(
    states.map((row) => [row['event_id'], row['state']]),
    [
      ['evt_quick', 'delivered'],
      ['evt_slow', 'waiting'],
    ],
  );
});

test('a reader that stops reading ends the listener as cleanly as a signal', async () => {
  const endpoints = fakeEndpoints();
  const { listen } = await import('../../../src/lib/webhooks/listen/listen.ts');
  const store = openInbox();
  const stream = listen({
    store,
    scope: 'local',
    environment: null,
    endpoints,
    signal: new AbortController().signal,
    now: Date.now,
    ticks: () => performance.now(),
    random: Math.random,
    token: () => 'a-token-nobody-can-guess',
    pid: process.pid,
    processStart: () => 'now',
    record: () => {},
    signing: null,
    forward: null,
  });
  for await (const event of stream) {
    assert.equal(event.type, 'ready');
    break;
  }
  assert.deepEqual(endpoints.log, ['register *', 'unregister whend_1']);
});

describe('a listener that cannot start', () => {
  test('names the port in use, and registers nothing', async () => {
    const app = await openApp();
    const endpoints = fakeEndpoints();
    await assert.rejects(
      startListening({ port: app.port, endpoints }),
      (error) => error instanceof Failure && error.kind === 'usage' && error.message.includes(String(app.port)),
    );
    assert.deepEqual(endpoints.log, []);
  });

  test('throws when the registration is refused', async () => {
    const refused = new Failure('refused', 'endpoint limit reached', { status: 409 });
    const endpoints = { register: () => Promise.reject(refused), unregister: () => Promise.resolve() };
    await assert.rejects(startListening({ endpoints }), (error) => error === refused);
  });

  test('removes its endpoint again when the self-test fails', async () => {
    const endpoints = fakeEndpoints();
    const wrong = { ...endpoints, register: async () => ({ id: 'whend_9', secret: '' }) };
    await assert.rejects(
      startListening({ endpoints: wrong, readyMs: 150 }),
      (error) => error instanceof Failure && error.facts.code === 'self_test_failed',
    );
    assert.deepEqual(endpoints.log, ['unregister whend_9']);
  });
});

test('an endpoint that cannot be removed is reported', async () => {
  const endpoints = { ...fakeEndpoints(), unregister: () => Promise.reject(new Failure('unavailable', 'no network')) };
  const listening = await startListening({ endpoints });
  const closed = await listening.close();
  assert.deepEqual([closed.endpoint_removed, closed.detail], [false, 'no network']);
});

test('a delivery that arrives before the secret is known waits for it', async () => {
  const endpoints = fakeEndpoints();
  const statuses: Promise<number>[] = [];
  const listening = await startListening({
    endpoints: {
      ...endpoints,
      async register(input) {
        statuses.push(openSender(input.url).send({ id: 'evt_early' }));
        await new Promise((resolve) => setTimeout(resolve, 30));
        return endpoints.register(input);
      },
    },
  });
  assert.deepEqual(await Promise.all(statuses), [200]);
  await listening.until('received', (event) => event.event_id === 'evt_early');
});

describe('without verification', () => {
  test('deliveries are accepted unchecked and marked as unverified', async () => {
    const store = openInbox();
    const listening = await startListening({ store, skipVerify: true });
    assert.equal(listening.of('ready')[0]?.unverified, true);
    assert.equal(await openSender(listening.url).send({ id: 'evt_1' }, { secret: 'whsec_other' }), 200);
    await listening.until('received');
    assert.equal(store.db.prepare('SELECT verdict FROM inbox_deliveries').get()?.['verdict'], 'unverified');
  });

  test('listening on live is refused', async () => {
    await assert.rejects(
      startListening({ skipVerify: true, environment: 'live' }),
      (error) => error instanceof Failure && error.kind === 'usage',
    );
  });
});

test('a secret that was rotated on another machine is read again when the first delivery needs it', async () => {
  const endpoints = fakeEndpoints();
  let kept = SECRET;
  let asked = 0;
  const recall = async (): Promise<string> => {
    asked += 1;
    return kept;
  };
  const listening = await startListening({ endpoints: { ...endpoints, recall } });
  const sender = openSender(listening.url);
  kept = 'whsec_rotated';
  assert.equal(await sender.send({ id: 'evt_1' }, { secret: kept }), 200);
  // Forgeries do not make it ask again and again.
  for (let n = 0; n < 5; n += 1) assert.equal(await sender.send({ id: 'evt_2' }, { secret: 'whsec_forged' }), 400);
  assert.equal(asked, 1);
});
