/** What the app gets is signed by the listener at each attempt: an app that keeps to 300 s can accept it however long it was away. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { verify } from '../../../src/lib/contract/signature.ts';
import { findEntry } from '../../../src/lib/webhooks/inbox/inbox-read.ts';
import type { AppRefusal } from '../../../src/lib/webhooks/forward/forwarder.ts';
import {
  APP_SECRET,
  eventBody,
  openApp,
  openInbox,
  openSender,
  type Seen,
  SECRET,
  startListening,
} from '../support/stage.ts';

/** An app that follows webhooks.md#verification, by a clock of its own. */
async function strictApp(now: () => number, secret = APP_SECRET) {
  const taken: string[] = [];
  const app = await openApp((seen, response) => {
    const verdict = judged(seen, now(), [secret]);
    if (verdict.valid) taken.push(String(JSON.parse(seen.body.toString()).id));
    response.writeHead(verdict.valid ? 200 : 400).end(verdict.valid ? '' : verdict.cause);
  });
  return { app, taken };
}

function judged(seen: Seen, now: number, secrets: string[]) {
  const header = String(seen.headers['credicorp-signature']);
  return verify({ header, body: seen.body, secrets, now: Math.floor(now / 1000) });
}

const MINUTE = 60_000;
for (const [away, ms] of [
  ['ten minutes', 10 * MINUTE],
  ['an hour', 60 * MINUTE],
  ['a day', 24 * 60 * MINUTE],
] as const) {
  describe(`an app that keeps to 300 s and was away for ${away}`, () => {
    test('takes every delivery of the outage', async () => {
      let clock = Date.now();
      const { app, taken } = await strictApp(() => clock);
      await app.stop();
      const listening = await startListening({ forward: app.url, now: () => clock });
      const sender = openSender(listening.url);
      for (const id of ['evt_1', 'evt_2']) assert.equal(await sender.send({ id }), 200);
      await listening.until('retrying');
      clock += ms;
      await app.start();
      await listening.times('forwarded', 2);
      assert.deepEqual(taken.sort(), ['evt_1', 'evt_2']);
    });

    test('takes them from the next listener, whose endpoint has another secret', async () => {
      let clock = Date.now();
      const store = openInbox();
      const { app, taken } = await strictApp(() => clock);
      await app.stop();
      const first = await startListening({ store, forward: app.url, now: () => clock });
      await openSender(first.url).send({ id: 'evt_1' });
      await first.until('retrying');
      await first.close();
      clock += ms;
      await app.start();
      const endpoints = {
        register: async () => ({ id: 'whend_2', secret: 'whsec_of_another_endpoint' }),
        unregister: async () => undefined,
      };
      const second = await startListening({ store, forward: app.url, now: () => clock, endpoints });
      await second.until('forwarded');
      assert.deepEqual(taken, ['evt_1']);
    });
  });
}

test('after a refused attempt the next one has a new signature, with its own time', async () => {
  let clock = Date.now();
  const app = await openApp((_seen, response, { seen }) => {
    clock += 400_000;
    response.writeHead(seen.length < 3 ? 500 : 200).end();
  });
  const listening = await startListening({ forward: app.url, now: () => clock });
  const body = eventBody({ id: 'evt_1' });
  const t = Math.floor(clock / 1000);
  await openSender(listening.url).send(body, { t });
  await listening.until('forwarded');
  assert.equal(app.seen.length, 3);
  for (const [place, seen] of app.seen.entries()) {
    assert.deepEqual(seen.body, body);
    const verdict = judged(seen, (t + place * 400) * 1000, [APP_SECRET]);
    assert.equal(verdict.valid && verdict.timestamp, t + place * 400);
    assert.equal(judged(seen, clock, [SECRET]).valid, false, "the endpoint's secret does not reach the app");
  }
});

test('while the secret is rotated both sign, and after that only the new one', async () => {
  let clock = Date.now();
  const app = await openApp();
  const signing = { current: 'whsec_new', previous: { secret: 'whsec_old', until: clock + 1000 } };
  const listening = await startListening({ forward: app.url, now: () => clock, signing });
  const sender = openSender(listening.url);
  await sender.send({ id: 'evt_1' });
  await listening.times('forwarded', 1);
  clock += 1000;
  await sender.send({ id: 'evt_2' });
  await listening.times('forwarded', 2);
  const valid = app.seen.map((seen) => ['whsec_new', 'whsec_old'].map((secret) => judged(seen, clock, [secret]).valid));
  assert.deepEqual(valid, [
    [true, true],
    [true, false],
  ]);
});

test("on request the sender's own signature is passed on", async () => {
  const app = await openApp();
  const listening = await startListening({ forward: app.url, signing: null });
  assert.equal(listening.of('ready')[0]?.signed_by, 'sender');
  await openSender(listening.url).send({ id: 'evt_1' });
  await listening.until('forwarded');
  assert.equal(app.seen[0] && judged(app.seen[0], Date.now(), [SECRET]).valid, true);
});

test('an unchecked delivery is not signed, by this listener or the next', async () => {
  const store = openInbox();
  const app = await openApp();
  const send = async (): Promise<void> => {
    const listening = await startListening({ store, forward: app.url, skipVerify: true });
    await openSender(listening.url).send({ id: `evt_${app.port}` }, { secret: 'whsec_forged' });
    await listening.until(app.seen.length === 0 ? 'retrying' : 'forwarded');
    await listening.close();
  };
  await app.stop();
  await send();
  await app.start();
  const next = await startListening({ store, forward: app.url });
  await next.until('forwarded');
  assert.equal(app.seen[0] && judged(app.seen[0], Date.now(), ['whsec_forged']).valid, true);
});

test('the header that was sent is kept beside the one that came in', async () => {
  const store = openInbox();
  const app = await openApp();
  const listening = await startListening({ store, forward: app.url });
  await openSender(listening.url).send({ id: 'evt_1' });
  await listening.until('forwarded');
  await listening.close();
  const found = findEntry(store, 'local', 'evt_1');
  assert.equal(found?.entry.forwards[0]?.signature, app.seen[0]?.headers['credicorp-signature']);
  assert.ok(!found?.headers.includes(found.entry.forwards[0]?.signature ?? ''));
});

describe('an app that refuses', () => {
  test('with 401 gets a hint with what the listener knows of the signature', async () => {
    const asked: AppRefusal[] = [];
    const app = await openApp((_seen, response) => void response.writeHead(401).end());
    const explainRefusal = (refusal: AppRefusal): string => {
      asked.push(refusal);
      return 'what is known';
    };
    const listening = await startListening({ forward: app.url, explainRefusal });
    await openSender(listening.url).send({ id: 'evt_1' });
    assert.equal((await listening.until('retrying')).hint, 'what is known');
    assert.deepEqual(
      { ...asked[0], ageSeconds: (asked[0]?.ageSeconds ?? 9) < 2 },
      { status: 401, target: app.url.href, ownSignature: true, ageSeconds: true },
    );
  });

  test('ten times with the same 4xx is left alone: parked, with its reason', async () => {
    const store = openInbox();
    const app = await openApp((_seen, response) => void response.writeHead(422).end('no such thing'));
    const retry = { firstMs: 1, longestMs: 1 };
    const listening = await startListening({ store, forward: app.url, retry });
    await openSender(listening.url).send({ id: 'evt_1' });
    const parked = await listening.until('parked');
    assert.deepEqual([parked.attempt, parked.status, app.seen.length], [10, 422, 10]);
    const closed = await listening.close();
    assert.deepEqual([closed.parked, closed.waiting, closed.failed], [1, 0, 0]);
    const [forward] = findEntry(store, 'local', 'evt_1')?.entry.forwards ?? [];
    assert.equal(forward?.state, 'parked');
    assert.match(forward.reason ?? '', /422.*no such thing/);
    const next = await startListening({ store, forward: app.url, retry });
    assert.equal(next.of('ready')[0]?.leftover, 0, 'nor does the next listener send it');
  });

  test('in different ways, or for now, is asked on', async () => {
    const statuses = [...Array.from({ length: 9 }, () => 400), 500, ...Array.from({ length: 9 }, () => 400), 429];
    const app = await openApp((_seen, response, { seen }) => {
      response.writeHead(statuses[seen.length - 1] ?? 200).end();
    });
    const listening = await startListening({ forward: app.url, retry: { firstMs: 1, longestMs: 1 } });
    await openSender(listening.url).send({ id: 'evt_1' });
    assert.equal((await listening.until('forwarded')).attempt, statuses.length + 1);
  });
});
