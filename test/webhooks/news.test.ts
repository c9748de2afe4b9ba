import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EnrolOptions } from '../../src/lib/webhooks/listeners.ts';
import { pauseUntilNews } from '../../src/lib/webhooks/news.ts';
import { openApp, openInbox, openSender, startListening } from './support/stage.ts';

/** Longer than this test may take: a pause that ends was ended. */
const LONG_MS = 600_000;

test('a delivery about the object, or about what belongs to it, ends the pause; others and old ones do not', async () => {
  const app = await openApp();
  const store = openInbox();
  const listening = await startListening({ store, forward: app.url });
  const sender = openSender(listening.url, 1);
  const options: EnrolOptions = { store, scope: 'local', pid: process.pid, isAlive: () => true, now: Date.now };
  const decided = (id: string, application: string): Promise<unknown> =>
    sender.send(
      Buffer.from(
        `{"id":"evt_${id}","type":"decision.completed","data":{"decision_id":"dec_${id}","application_id":"${application}"}}`,
      ),
    );
  await decided('old', 'app_1');
  const [application, decision] = [pauseUntilNews(options, 'app_1'), pauseUntilNews(options, 'dec_new')];
  await decided('other', 'app_other');
  await timed(async (tookMs) => {
    await application(150);
    assert.ok(tookMs() > 100, 'what was there before, or is about another, is no news');
  });
  const pauses = Promise.all([application(LONG_MS), decision(LONG_MS)]);
  await decided('new', 'app_1');
  await pauses;
  await timed(async (tookMs) => {
    await application(150);
    assert.ok(tookMs() > 100, 'the same news does not count twice');
  });
  await listening.close();
  store.close();
  await application(1);
});

async function timed(act: (tookMs: () => number) => Promise<void>): Promise<void> {
  const began = performance.now();
  await act(() => performance.now() - began);
}

test('without a listener it is a pause, and a signal ends it', async () => {
  const store = openInbox();
  const options: EnrolOptions = { store, scope: 'local', pid: process.pid, isAlive: () => true, now: Date.now };
  const pause = pauseUntilNews(options, 'app_1');
  await pause(5);
  const stop = new AbortController();
  const paused = pause(LONG_MS, stop.signal);
  stop.abort();
  await paused;
});
