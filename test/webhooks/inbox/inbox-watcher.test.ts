import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RegistryOptions } from '../../../src/lib/webhooks/inbox/listener-registry.ts';
import { pauseUntilDelivery } from '../../../src/lib/webhooks/inbox/inbox-watcher.ts';
import { openApp, openInbox, openSender, startListening } from '../support/stage.ts';

/** Longer than this test may take: a pause that ends was ended. */
const LONG_MS = 600_000;

test('a delivery about the object, or about what belongs to it, ends the pause; others and old ones do not', async () => {
  const app = await openApp();
  const store = openInbox();
  const listening = await startListening({ store, forward: app.url });
  const sender = openSender(listening.url, 1);
  const options: RegistryOptions = {
    store,
    scope: 'local',
    pid: process.pid,
    processStart: () => 'now',
    now: Date.now,
  };
  const decided = (id: string, application: string): Promise<unknown> =>
    sender.send(
      Buffer.from(
        `{"id":"evt_${id}","type":"decision.completed","data":{"decision_id":"dec_${id}","application_id":"${application}"}}`,
      ),
    );
  await decided('old', 'app_1');
  const [application, decision] = [pauseUntilDelivery(options, 'app_1'), pauseUntilDelivery(options, 'dec_new')];
  await decided('other', 'app_other');
  await timed(async (tookMs) => {
    await application(150);
    assert.ok(tookMs() > 100, 'earlier deliveries, and those about other objects, do not end it');
  });
  let ended = 0;
  const pauses = [application(LONG_MS), decision(LONG_MS)].map((pause) => pause.then(() => (ended += 1)));
  // Answered by the listener, so the pauses were under way and saw deliveries before.
  await decided('another', 'app_another');
  assert.equal(ended, 0, 'a delivery about another object ends no pause');
  await decided('new', 'app_1');
  await Promise.all(pauses);
  await timed(async (tookMs) => {
    await application(150);
    assert.ok(tookMs() > 100, 'the same delivery does not count twice');
  });
  await listening.close();
  store.close();
  await application(1);
});

async function timed(act: (tookMs: () => number) => Promise<void>): Promise<void> {
  const began = performance.now();
  await act(() => performance.now() - began);
}

test('without a listener the pause lasts its time, and a signal ends it', async () => {
  const store = openInbox();
  const options: RegistryOptions = {
    store,
    scope: 'local',
    pid: process.pid,
    processStart: () => 'now',
    now: Date.now,
  };
  const pause = pauseUntilDelivery(options, 'app_1');
  const stop = new AbortController();
  let ended = false;
  const paused = pause(LONG_MS, stop.signal).then(() => (ended = true));
  await timed(async (tookMs) => {
    await pause(60);
    assert.ok(tookMs() > 50, 'a pause that is over at once is none');
  });
  assert.equal(ended, false, 'only the signal ends it');
  stop.abort();
  await paused;
  store.close();
});
