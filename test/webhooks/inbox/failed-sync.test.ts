/** A disk that fails while a delivery is made safe: answered 503, and not kept as seen, so that the sender's repeat is stored and forwarded. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Store } from '../../../src/lib/store/store.ts';
import { openApp, openInbox, openSender, startListening } from '../support/stage.ts';

/** A store whose `sync` fails as long as `fails` says so; everything else is real. */
function failingStore(fails: () => boolean): Store {
  const store = openInbox();
  return {
    ...store,
    sync: async () => {
      await store.sync();
      if (fails()) throw Object.assign(new Error('EIO: i/o error, fdatasync'), { code: 'EIO' });
    },
  };
}

test('300 deliveries answered 503 for a failed sync are stored, forwarded and acknowledged when they come again', async () => {
  const app = await openApp();
  let broken = true;
  const store = failingStore(() => broken);
  const listening = await startListening({ store, forward: app.url });
  const sender = openSender(listening.url);
  const ids = Array.from({ length: 300 }, (_, n) => `evt_${n}`);
  const statuses = await Promise.all(ids.map((id) => sender.send({ id })));
  assert.deepEqual([...new Set(statuses)], [503]);
  broken = false;
  assert.deepEqual([...new Set(await Promise.all(ids.map((id) => sender.send({ id }))))], [200]);
  await listening.times('forwarded', 300);
  assert.deepEqual([listening.of('duplicate').length, app.seen.length], [0, 300]);
  const states = store.db.prepare('SELECT state, count(*) AS n FROM inbox_forwards GROUP BY state').all();
  await listening.close();
  assert.deepEqual(
    states.map((row) => [row['state'], row['n']]).filter(([state]) => state === 'duplicate'),
    [],
  );
});

test('a repeat that was committed while the sync of the first one failed is refused with it, not called a duplicate', async () => {
  const app = await openApp();
  const store = openInbox();
  const [begun, release] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  let syncs = 0;
  const slow: Store = {
    ...store,
    sync: async () => {
      syncs += 1;
      if (syncs > 1) return release.promise.catch(() => undefined);
      begun.resolve();
      await release.promise;
    },
  };
  const listening = await startListening({ store: slow, forward: app.url });
  const sender = openSender(listening.url);
  const first = sender.send({ id: 'evt_1' });
  await begun.promise;
  const repeat = sender.send({ id: 'evt_1' });
  const committed = store.db.prepare('SELECT count(*) AS n FROM inbox_deliveries');
  while (committed.get()?.['n'] !== 2) await new Promise((resolve) => setImmediate(resolve));
  release.reject(new Error('EIO'));
  assert.deepEqual(await Promise.all([first, repeat]), [503, 503]);
  assert.equal(await sender.send({ id: 'evt_1' }), 200);
  await listening.until('forwarded');
  assert.equal(app.seen.length, 1);
});
