import assert from 'node:assert/strict';
import { test } from 'node:test';
import { verify } from '../../../src/lib/contract/signature.ts';
import { Failure } from '../../../src/lib/failure.ts';
import { findEntry, listEntries } from '../../../src/lib/webhooks/inbox/inbox-read.ts';
import { expectEntries } from '../../../src/lib/webhooks/inbox/inbox-watcher.ts';
import { resignedMessage, signedMessage } from '../../../src/lib/webhooks/forward/signed-delivery.ts';
import { sendOnce } from '../../../src/lib/webhooks/forward/target-client.ts';
import { eventBody, openApp, openInbox, openSender, SECRET, startListening } from '../support/stage.ts';

const ticks = (): number => performance.now();

test('entries are listed newest first, by page, type, state and time, with what became of them', async () => {
  const app = await openApp(
    (seen, response) => void response.writeHead(seen.body.includes('bad') ? 500 : 200).end('hm'),
  );
  const store = openInbox();
  const began = Date.now();
  const listening = await startListening({ store, forward: app.url, retry: { giveUpAfterMs: 0 } });
  const sender = openSender(listening.url, 1);
  await sender.send({ id: 'evt_1', type: 'payment.settled' });
  await sender.send({ id: 'evt_bad', type: 'payment.failed' });
  await sender.send({ id: 'evt_3', type: 'account.updated' });
  await sender.send({ id: 'evt_3', type: 'account.updated' });
  await listening.times('forwarded', 2);
  await listening.until('failed');
  await listening.close();

  const ids = (query: object): (string | null)[] =>
    listEntries(store, { scope: 'local', ...query }).map((entry) => entry.event_id);
  assert.deepEqual(ids({}), ['evt_3', 'evt_3', 'evt_bad', 'evt_1']);
  assert.deepEqual(ids({ limit: 2, before: 4 }), ['evt_3', 'evt_bad']);
  assert.deepEqual(ids({ type: 'payment.*' }), ['evt_bad', 'evt_1']);
  assert.deepEqual(ids({ type: 'payment.failed' }), ['evt_bad']);
  assert.deepEqual(ids({ type: '*' }).length, 4);
  assert.deepEqual(ids({ state: 'failed' }), ['evt_bad']);
  assert.deepEqual(ids({ state: 'duplicate' }), ['evt_3']);
  assert.deepEqual(ids({ since: began }).length, 4);
  assert.deepEqual(ids({ since: Date.now() + 1000 }), []);
  assert.deepEqual(ids({ scope: 'live' }), []);

  const found = findEntry(store, 'local', 'evt_bad');
  assert.deepEqual(Buffer.from(found?.body ?? []), eventBody({ id: 'evt_bad', type: 'payment.failed' }));
  assert.ok(found?.headers.includes('credicorp-signature'));
  const { state, attempts, status, answer } = found?.entry.forwards[0] ?? {};
  assert.deepEqual([state, attempts, status, answer], ['failed', 1, 500, 'hm']);
  assert.equal(findEntry(store, 'local', '1')?.entry.event_id, 'evt_1');
  assert.equal(findEntry(store, 'local', 'whd_2')?.entry.event_id, 'evt_bad');
  assert.equal(findEntry(store, 'local', 'evt_3')?.entry.inbox_id, 4);
  assert.equal(findEntry(store, 'local', 'evt_none'), null);
  assert.equal(findEntry(store, 'other', 'evt_1'), null);
});

test('a stored delivery is replayed with a new signature, a new delivery id and its own other headers', async () => {
  const app = await openApp();
  const store = openInbox();
  const listening = await startListening({ store });
  const old = Math.floor(Date.now() / 1000) - 250;
  await openSender(listening.url).send({ id: 'evt_1' }, { headers: { 'X-Trace': 'a' }, t: old });
  await listening.until('received');
  const stored = findEntry(store, 'local', 'evt_1');
  assert.ok(stored);
  const t = Math.floor(Date.now() / 1000);
  const message = resignedMessage(stored, { body: stored.body, secrets: ['whsec_new'], t, deliveryId: 'whd_again' });
  const outcome = await sendOnce({
    target: app.url,
    message,
    timeoutMs: 1000,
    ticks,
    signal: new AbortController().signal,
  });
  assert.equal(outcome.kind === 'answered' && outcome.status, 200);
  const [seen] = app.seen;
  assert.ok(seen);
  assert.deepEqual(seen.body, eventBody({ id: 'evt_1' }));
  assert.deepEqual([seen.headers['x-trace'], seen.headers['credicorp-delivery']], ['a', 'whd_again']);
  const header = String(seen.headers['credicorp-signature']);
  const verdict = verify({ header, body: seen.body, secrets: ['whsec_new'], now: t });
  assert.deepEqual([verdict.valid, verdict.valid && verdict.timestamp], [true, t]);
  assert.equal(signedMessage({ body: seen.body, secrets: [SECRET], t, deliveryId: 'x' }).headers.length, 6);
});

test('expected events are seen as they come in, and a miss is pending', async () => {
  const store = openInbox();
  const listening = await startListening({ store });
  const sender = openSender(listening.url);
  const signal = new AbortController().signal;
  await sender.send({ id: 'evt_before' });
  const since = Date.now() + 1;
  while (Date.now() <= since) await new Promise((resolve) => setImmediate(resolve));
  const expecting = Array.fromAsync(
    expectEntries({
      store,
      scope: 'local',
      fits: (body) => body.toString() !== '' && Buffer.from(body).includes('payment'),
      count: 2,
      since,
      timeoutMs: 5000,
      ticks,
      signal,
    }),
  );
  for (const [id, type] of [
    ['evt_1', 'payment.settled'],
    ['evt_2', 'account.updated'],
    ['evt_3', 'payment.failed'],
  ] as const) {
    await sender.send({ id, type });
  }
  assert.deepEqual(
    (await expecting).map((entry) => entry.event_id),
    ['evt_1', 'evt_3'],
  );
  const missed = expectEntries({
    store,
    scope: 'local',
    fits: () => false,
    count: 1,
    since,
    timeoutMs: 30,
    ticks,
    signal,
  });
  await assert.rejects(
    Array.fromAsync(missed),
    (error) => error instanceof Failure && error.kind === 'pending' && error.message.startsWith('0 of 1'),
  );
});
