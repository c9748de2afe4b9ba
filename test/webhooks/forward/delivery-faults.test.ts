import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Failure } from '../../../src/lib/failure.ts';
import {
  describeDeliveryFaults,
  drawDeliveryFaults,
  parseDeliveryFaults,
  seededRandom,
} from '../../../src/lib/webhooks/forward/delivery-faults.ts';
import { openApp, openInbox, openSender, type Seen, startListening } from '../support/stage.ts';

const idOf = (seen: Seen): string => String(JSON.parse(seen.body.toString()).id);

test('the typed faults are parsed and described', () => {
  const settings = parseDeliveryFaults('duplicate=5%, reorder=10%,delay=2s,drop=0.5%');
  assert.deepEqual(settings, { duplicate: 0.05, reorder: 0.1, drop: 0.005, delayMs: 2000 });
  assert.equal(describeDeliveryFaults(settings), 'duplicate 5%, reorder 10%, drop 0.5%, delay up to 2000 ms');
  for (const text of ['', 'duplicate', 'duplicate=5', 'drop=101%', 'drop=-1%', 'delay=2', 'delay=2h', 'explode=5%']) {
    assert.throws(
      () => parseDeliveryFaults(text),
      (error) => error instanceof Failure && error.kind === 'usage',
      text,
    );
  }
});

test('the same seed gives the same faults, and their shares are about right', () => {
  const settings = parseDeliveryFaults('duplicate=50%,drop=10%,delay=100ms');
  const story = (seed: number): (string | null)[] => {
    const random = seededRandom(String(seed));
    return Array.from({ length: 1000 }, () => drawDeliveryFaults(settings, random).label);
  };
  assert.deepEqual(story(1), story(1));
  assert.notDeepEqual(story(1), story(2));
  const dropped = story(3).filter((label) => label?.includes('dropped')).length;
  assert.ok(dropped > 60 && dropped < 140, String(dropped));
});

test('duplicates, drops, delays and wrong order reach the app, nothing is lost, and each is marked', async () => {
  const app = await openApp();
  const store = openInbox();
  const settings = parseDeliveryFaults('duplicate=30%,reorder=30%,drop=20%,delay=10ms');
  const listening = await startListening({ store, forward: app.url, faults: { settings, random: seededRandom('7') } });
  assert.match(listening.of('ready')[0]?.chaos ?? '', /duplicate 30%/);
  const sender = openSender(listening.url, 1);
  const ids = Array.from({ length: 100 }, (_, n) => `evt_${n}`);
  for (const id of ids) await sender.send({ id });
  const done = new Set<string | null>();
  while (done.size < 100) {
    for (const event of listening.of('forwarded')) done.add(event.event_id);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const closed = await listening.close();
  assert.deepEqual([closed.forwarded, closed.waiting, closed.failed], [100, 0, 0]);
  const seen = app.seen.map(idOf);
  assert.deepEqual([...new Set(seen)].sort(), ids.toSorted());
  assert.ok(seen.length > 110, 'some came twice');
  assert.notDeepEqual([...new Set(seen)], ids, 'some came out of order');
  assert.ok(
    listening.of('retrying').some((event) => event.error === 'dropped'),
    'some came with the retry',
  );
  assert.ok(listening.of('forwarded').some((event) => event.chaos === 'duplicate'));
  assert.ok(listening.of('forwarded').some((event) => event.chaos === null || event.chaos.startsWith('delayed')));
  const rows = store.db.prepare('SELECT state, count(*) AS n FROM inbox_forwards GROUP BY state').all();
  assert.deepEqual(
    rows.map((row) => [row['state'], row['n']]),
    [['delivered', 100]],
  );
});

test('deliveries held when the listener stops are delivered by the next', async () => {
  const app = await openApp();
  const store = openInbox();
  const first = await startListening({
    store,
    forward: app.url,
    faults: { settings: parseDeliveryFaults('delay=60s'), random: () => 0.9 },
  });
  await openSender(first.url).send({ id: 'evt_1' });
  assert.equal((await first.close()).waiting, 1);
  const second = await startListening({ store, forward: app.url });
  await second.until('forwarded');
});
