/** `--ordered` over restarts: what was left over goes before what comes in while the listener opens. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fakeEndpoints, openApp, openInbox, openSender, startListening } from '../support/stage.ts';

test('over 100 restarts no delivery overtakes one of the same application that was left over', async () => {
  const app = await openApp();
  const store = openInbox();
  let sent = 0;
  const send = async (url: string): Promise<void> => {
    sent += 1;
    const created = new Date(Date.UTC(2026, 6, 4) + sent * 1000).toISOString();
    assert.equal(await openSender(url).send({ id: `evt_${sent}`, created }), 200);
  };
  for (let restart = 0; restart < 100; restart += 1) {
    await app.stop();
    const before = await startListening({ store, order: 'resource', forward: app.url, graceMs: 1 });
    await send(before.url);
    assert.equal((await before.close()).waiting, 1);
    await app.start();
    const endpoints = fakeEndpoints();
    // It comes in as soon as the port is open, before the listener is ready.
    const early: Promise<void>[] = [];
    const after = await startListening({
      ...{ store, order: 'resource', forward: app.url },
      endpoints: {
        ...endpoints,
        register(input) {
          early.push(send(input.url));
          return endpoints.register(input);
        },
      },
    });
    await Promise.all(early);
    await after.times('forwarded', 2);
    await after.close();
  }
  const seen = app.seen.map(({ body }) => Number(/evt_(\d+)/.exec(body.toString())?.[1]));
  const overtakes = seen.filter((n, at) => at > 0 && n < (seen[at - 1] ?? 0));
  assert.deepEqual([seen.length, overtakes.length], [200, 0]);
});
