/** A paused listener: deliveries are stored and acknowledged, and reach the app when forwarding resumes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ListenerControls } from '../../../src/lib/webhooks/listen/listen.ts';
import { openApp, openInbox, openSender, startListening } from '../support/stage.ts';

/** A listener with its controls. */
async function pausable(options: Parameters<typeof startListening>[0]) {
  let controls: ListenerControls | null = null;
  const listening = await startListening({ ...options, onOpen: (given) => (controls = given) });
  assert.ok(controls !== null);
  return { listening, controls: controls as ListenerControls };
}

for (const ack of ['stored', 'forwarded'] as const) {
  test(`paused, with --ack ${ack}: acknowledged, stored, counted, not forwarded; the next listener delivers`, async () => {
    const app = await openApp();
    const store = openInbox();
    const { listening, controls } = await pausable({ forward: app.url, store, ack });
    const sender = openSender(listening.url);
    assert.equal(controls.waiting, 0);
    controls.pause();
    for (const id of ['evt_1', 'evt_2', 'evt_3']) assert.equal(await sender.send({ id }), 200);
    assert.deepEqual([controls.paused, controls.waiting], [true, 3]);
    // The end waits for attempts under way: had there been one, the app would have seen it.
    assert.equal((await listening.close()).waiting, 3);
    assert.equal(app.seen.length, 0);
    const next = await startListening({ forward: app.url, store });
    await next.times('forwarded', 3);
  });
}

test('resumed, everything that came meanwhile is forwarded, what waited for its retry included', async () => {
  let answer = 500;
  const app = await openApp((_seen, response) => void response.writeHead(answer).end());
  const { listening, controls } = await pausable({ forward: app.url });
  const sender = openSender(listening.url);
  await sender.send({ id: 'evt_1' });
  await listening.until('retrying');
  controls.pause();
  answer = 200;
  await sender.send({ id: 'evt_2' });
  assert.equal(controls.waiting, 2);
  controls.resume();
  await listening.times('forwarded', 2);
  assert.deepEqual([controls.paused, controls.waiting], [false, 0]);
});
