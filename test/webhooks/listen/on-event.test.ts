/** Whoever hears a listener is told at once, while whoever reads it takes its time. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { listen } from '../../../src/lib/webhooks/listen/listen.ts';
import type { ListenerEvent } from '../../../src/lib/contract/listener-events.ts';
import { fakeEndpoints, openApp, openInbox, openSender, quick } from '../support/stage.ts';

test('every moment is heard when it happens, although nobody reads on after the first', async () => {
  const app = await openApp();
  const heard: ListenerEvent[] = [];
  const { promise: forwarded, resolve } = Promise.withResolvers<void>();
  const moments = listen({
    ...{ store: openInbox(), scope: 'local', environment: 'local', endpoints: fakeEndpoints(), forward: app.url },
    ...{ signal: new AbortController().signal, now: Date.now, random: Math.random, token: () => 'a'.repeat(24) },
    ...{ pid: process.pid, processStart: () => 'now', record: () => {}, signing: null, retry: quick },
    onEvent(moment) {
      heard.push(moment);
      if (moment.type === 'forwarded') resolve();
    },
  });
  const first = await moments.next();
  assert.ok(!first.done && first.value.type === 'ready');
  assert.equal(await openSender(first.value.url).send({ id: 'evt_1' }), 200);
  await forwarded;
  await moments.return();
  assert.deepEqual(
    heard.map(({ type }) => type),
    ['ready', 'received', 'forwarded', 'closed'],
  );
});
