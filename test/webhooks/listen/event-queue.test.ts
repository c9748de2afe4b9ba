/** A reader that stalls costs neither memory nor time: beyond a bound events are counted, and the gap tells how many are missing. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ListenerEventQueue } from '../../../src/lib/webhooks/listen/listen.ts';
import type { ListenerEvent } from '../../../src/lib/contract/listener-events.ts';

const at = (n: number): string => new Date(Date.UTC(2026, 6, 4) + n).toISOString();
const subject = { inbox_id: 1, event_id: null, event_type: null, delivery_id: null, resource_id: null };
const duplicate = (n: number): ListenerEvent => ({ type: 'duplicate', at: at(n), ...subject, target: String(n) });
const received = (n: number): ListenerEvent => ({
  ...{ type: 'received', at: at(n), ...subject, bytes: n, warnings: [], targets: [] },
});
const counts = { received: 0, forwarded: 0, rejected: 0, duplicates: 0, failed: 0, parked: 0, waiting: 0 };
const closed: ListenerEvent = { type: 'closed', at: at(99), ...counts, endpoint_removed: true, detail: null };

test('events beyond the limit become one gap, in order; the last event is always delivered', async () => {
  const queue = new ListenerEventQueue(3);
  queue.push(duplicate(0));
  assert.deepEqual(await queue.next(), duplicate(0));
  for (let n = 1; n <= 5; n += 1) queue.push(duplicate(n));
  for (let n = 6; n <= 100_000; n += 1) queue.push(received(n));
  assert.deepEqual(await queue.next(), duplicate(1), 'the reader comes back');
  queue.push(duplicate(100_001));
  queue.push(closed);
  queue.end();
  queue.push(duplicate(100_002));
  const rest: (ListenerEvent | null)[] = [];
  for (let event = await queue.next(); event !== null; event = await queue.next()) rest.push(event);
  const of = { duplicate: 2, received: 99_995 };
  assert.deepEqual(rest, [
    duplicate(2),
    duplicate(3),
    { type: 'skipped', at: at(4), until: at(100_000), count: 99_997, of },
    duplicate(100_001),
    closed,
  ]);
});

test('a reader that keeps up gets every event', async () => {
  const queue = new ListenerEventQueue(1);
  for (let n = 0; n < 1000; n += 1) {
    queue.push(duplicate(n));
    assert.deepEqual(await queue.next(), duplicate(n));
  }
});
