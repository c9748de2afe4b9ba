import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseRoute } from '../../../src/lib/webhooks/forward/targets.ts';
import {
  eventBody,
  freePort,
  openApp,
  openInbox,
  openSender,
  SECRET,
  type Seen,
  startListening,
} from '../support/stage.ts';

const idOf = (seen: Seen): string => String(JSON.parse(seen.body.toString()).id);

test('never more requests under way at one app than agreed', async () => {
  const app = await openApp((_seen, response) => void setTimeout(() => response.end(), 3));
  const listening = await startListening({
    forward: app.url,
    routes: [
      parseRoute(`payment.*=localhost:${app.port}/pay`),
      parseRoute(`account.*=app.localhost:${app.port}/account`),
    ],
    concurrency: 3,
  });
  const sender = openSender(listening.url, 30);
  // One app under three names is one app.
  const types = ['payment.settled', 'account.updated', 'decision.completed'];
  const sent = Array.from({ length: 120 }, (_, n) => sender.send({ id: `evt_${n}`, type: types[n % 3] ?? '' }));
  await Promise.all(sent);
  await listening.times('forwarded', 120);
  assert.equal(app.most, 3);
  assert.deepEqual(new Set(app.seen.map(({ url }) => url)), new Set(['/hook', '/pay', '/account']));
});

describe('order', () => {
  // That it holds for a thousand events though attempts fail is shown with the program: test/program/delivery.test.ts.
  test('among what waits, the older event leaves first', async () => {
    const app = await openApp();
    await app.stop();
    const listening = await startListening({ forward: app.url, order: 'resource' });
    const sender = openSender(listening.url, 1);
    for (const [id, second] of [
      ['evt_first', 10],
      ['evt_late', 30],
      ['evt_early', 20],
    ] as const) {
      await sender.send({ id, created: `2026-07-04T10:00:${second}Z` });
    }
    await app.start();
    await listening.times('forwarded', 3);
    assert.deepEqual(app.seen.map(idOf), ['evt_first', 'evt_early', 'evt_late']);
  });
});

describe('routes', () => {
  test('send families to different targets, and a slow or absent target holds up no other', async () => {
    const quickApp = await openApp();
    const slow = await openApp(() => {});
    const listening = await startListening({
      forward: quickApp.url,
      routes: [
        parseRoute(`payment.*=127.0.0.1:${slow.port}/pay`),
        parseRoute(`account.*=127.0.0.1:${await freePort()}/accounts`),
      ],
      order: 'all',
      graceMs: 10,
    });
    const sender = openSender(listening.url);
    await sender.send({ id: 'evt_p', type: 'payment.settled' });
    await sender.send({ id: 'evt_a', type: 'account.updated' });
    for (let n = 0; n < 20; n += 1) await sender.send({ id: `evt_${n}` });
    await listening.times('forwarded', 20);
    assert.deepEqual([quickApp.seen.length, slow.seen.length, slow.seen[0]?.url], [20, 1, '/pay']);
    assert.equal((await listening.close()).waiting, 2);
  });

  test('an event no route wants, or that the listener did not ask for, is kept and not forwarded', async () => {
    const app = await openApp();
    const store = openInbox();
    const listening = await startListening({
      store,
      routes: [parseRoute(`payment.*=127.0.0.1:${app.port}/`)],
      events: ['payment.settled', 'decision.*'],
    });
    const sender = openSender(listening.url);
    for (const type of ['decision.completed', 'payment.failed', 'payment.settled']) {
      assert.equal(await sender.send({ id: `evt_${type}`, type }), 200);
    }
    await listening.until('forwarded');
    assert.deepEqual(
      listening.of('received').map((event) => event.targets.length),
      [0, 0, 1],
    );
    assert.equal((await listening.close()).waiting, 0);
    assert.equal(store.db.prepare('SELECT count(*) AS n FROM inbox_deliveries').get()?.['n'], 3);
    assert.equal(app.seen.length, 1);
  });
});

describe('duplicates', () => {
  test('of one event id to one target are recorded, reported, and not forwarded', async () => {
    const app = await openApp();
    const store = openInbox();
    const listening = await startListening({ store, forward: app.url });
    const sender = openSender(listening.url);
    for (let n = 0; n < 3; n += 1) assert.equal(await sender.send({ id: 'evt_1' }), 200);
    await sender.send({ id: 'evt_2' });
    await listening.until('forwarded', (event) => event.event_id === 'evt_2');
    const closed = await listening.close();
    assert.deepEqual([closed.received, closed.duplicates, closed.forwarded], [4, 2, 2]);
    assert.deepEqual(app.seen.map(idOf), ['evt_1', 'evt_2']);
    assert.equal(store.db.prepare('SELECT count(*) AS n FROM inbox_deliveries').get()?.['n'], 4);
    const again = await startListening({ store, forward: app.url });
    await openSender(again.url).send({ id: 'evt_1' });
    await again.until('duplicate');
  });

  test('that come at the same moment are forwarded once', async () => {
    const app = await openApp();
    const listening = await startListening({ forward: app.url });
    const sender = openSender(listening.url, 20);
    await Promise.all(Array.from({ length: 20 }, () => sender.send({ id: 'evt_1' })));
    await listening.times('duplicate', 19);
    await listening.close();
    assert.equal(app.seen.length, 1);
  });

  test('go to another target all the same, and anywhere when asked for', async () => {
    const app = await openApp();
    const store = openInbox();
    const first = await startListening({ store, forward: app.url });
    await openSender(first.url).send({ id: 'evt_1' });
    await first.until('forwarded');
    await first.close();
    const other = await startListening({ store, forward: new URL(`${app.url.href}/other`) });
    await openSender(other.url).send({ id: 'evt_1' });
    await other.until('forwarded');
    await other.close();
    const careless = await startListening({ store, forward: app.url, dedupe: false });
    await openSender(careless.url).send({ id: 'evt_1' });
    await careless.until('forwarded');
    assert.deepEqual(
      app.seen.map((seen) => seen.url),
      ['/hook', '/hook/other', '/hook'],
    );
  });

  test('of an event the app failed for good are forwarded again', async () => {
    const app = await openApp(
      (_seen, response, { seen }) => void response.writeHead(seen.length === 1 ? 500 : 200).end(),
    );
    const listening = await startListening({ forward: app.url, retry: { giveUpAfterMs: 0 } });
    const sender = openSender(listening.url);
    await sender.send({ id: 'evt_1' });
    await listening.until('failed');
    await sender.send({ id: 'evt_1' });
    await listening.until('forwarded');
  });
});

describe('--ack forwarded', () => {
  test('answers the sender with the status of the app, and leaves the retry to the sender', async () => {
    const statuses = [422, 500, 204];
    const app = await openApp(
      (_seen, response, { seen }) => void response.writeHead(statuses[seen.length - 1] ?? 200).end(),
    );
    const listening = await startListening({ forward: app.url, ack: 'forwarded' });
    const sender = openSender(listening.url);
    const answers: number[] = [];
    for (let n = 0; n < 4; n += 1) answers.push(await sender.send({ id: 'evt_1' }));
    // The fourth is a duplicate of one the app took.
    assert.deepEqual(answers, [422, 500, 204, 200]);
    const closed = await listening.close();
    assert.deepEqual([closed.failed, closed.forwarded, closed.duplicates, closed.waiting], [2, 1, 1, 0]);
    assert.equal(listening.of('retrying').length, 0);
  });

  test('answers 502 when nobody listens, 504 when the app is late, 503 while the first is under way', async () => {
    const away = await startListening({ forward: new URL(`http://127.0.0.1:${await freePort()}/`), ack: 'forwarded' });
    const sender = openSender(away.url);
    assert.deepEqual([await sender.send({ id: 'evt_1' }), await sender.send({ id: 'evt_1' })], [502, 502]);
    const app = await openApp(() => {});
    const late = await startListening({ forward: app.url, ack: 'forwarded', timeoutMs: 150 });
    const patient = openSender(late.url);
    const first = patient.send({ id: 'evt_1' });
    while (app.seen.length === 0) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(await patient.send({ id: 'evt_1' }), 503);
    assert.equal(await first, 504);
  });

  test('takes the worst answer when an event goes to several targets', async () => {
    const good = await openApp();
    const bad = await openApp((_seen, response) => void response.writeHead(409).end());
    const listening = await startListening({
      routes: [parseRoute(`*=127.0.0.1:${good.port}/`), parseRoute(`*=127.0.0.1:${bad.port}/`)],
      ack: 'forwarded',
    });
    assert.equal(await openSender(listening.url).send({ id: 'evt_1' }), 409);
  });
});

test('hop-by-hop headers stay behind, all others travel, twice where they came twice', async () => {
  const app = await openApp();
  const listening = await startListening({ forward: app.url });
  const headers = { TE: 'trailers', 'X-Once-Only': 'b', Connection: 'x-once-only', 'X-Kept': 'é', Accept: '*/*' };
  const body = eventBody({ id: 'evt_1' });
  const { request } = await import('node:http');
  const { signatureHeader } = await import('../../../src/lib/contract/signature.ts');
  const signature = signatureHeader({ secrets: [SECRET], t: Math.floor(Date.now() / 1000), body });
  request(listening.url, {
    method: 'POST',
    headers: { ...headers, 'X-Twice': ['1', '2'], 'credicorp-signature': signature },
  }).end(body);
  await listening.until('forwarded');
  const [seen] = app.seen;
  assert.ok(seen);
  assert.equal(seen.headers['te'], undefined);
  assert.equal(seen.headers['x-once-only'], undefined);
  assert.equal(seen.headers['x-twice'], '1, 2');
  assert.equal(seen.rawHeaders.filter((name) => name === 'X-Twice').length, 2);
  assert.equal(seen.headers['x-kept'], 'é');
  assert.equal(seen.headers['content-length'], String(body.length));
  assert.equal(seen.headers['transfer-encoding'], undefined);
});

test('what the app answered is kept with the delivery', async () => {
  const app = await openApp((_seen, response) => void response.writeHead(202).end('got it'));
  const store = openInbox();
  const listening = await startListening({ store, forward: app.url });
  await openSender(listening.url).send({ id: 'evt_1' });
  await listening.until('forwarded');
  await listening.close();
  const row = store.db.prepare('SELECT state, status, attempts, answer, error FROM inbox_forwards').get();
  assert.deepEqual({ ...row }, { state: 'delivered', status: 202, attempts: 1, answer: 'got it', error: null });
});
