/** `onEvent` is called immediately for each listener event, however slowly the events are read. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { listen } from '../../../src/lib/webhooks/listen/listen.ts';
import type { ListenerEvent } from '../../../src/lib/contract/listener-events.ts';
import { fakeEndpoints, openApp, openInbox, openSender, quick } from '../support/stage.ts';

test('onEvent gets every event when it happens, although nothing is read after the first', async () => {
  const app = await openApp();
  const events: ListenerEvent[] = [];
  const { promise: forwarded, resolve } = Promise.withResolvers<void>();
  const stream = listen({
    ...{ store: openInbox(), scope: 'local', environment: 'local', endpoints: fakeEndpoints(), forward: app.url },
    ...{ signal: new AbortController().signal, now: Date.now, random: Math.random, token: () => 'a'.repeat(24) },
    ...{ pid: process.pid, processStart: () => 'now', record: () => {}, signing: null, retry: quick },
    onEvent(event) {
      events.push(event);
      if (event.type === 'forwarded') resolve();
    },
  });
  const first = await stream.next();
  assert.ok(!first.done && first.value.type === 'ready');
  assert.equal(await openSender(first.value.url).send({ id: 'evt_1' }), 200);
  await forwarded;
  await stream.return();
  assert.deepEqual(
    events.map(({ type }) => type),
    ['ready', 'received', 'forwarded', 'closed'],
  );
});
