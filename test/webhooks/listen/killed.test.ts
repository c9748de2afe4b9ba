/** What a killed listener has acknowledged is stored, and what is stored is delivered by the next one. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { openDesk, openProgram, type ListenerLine } from '../support/listener-processes.ts';
import { newStorePath, openApp, openInbox, openSender } from '../support/stage.ts';

const DELIVERIES = 500;

test(`killed twice while the app is down: ${DELIVERIES} of ${DELIVERIES} arrive, each once`, async () => {
  const app = await openApp();
  await app.stop();
  const desk = await openDesk();
  const path = newStorePath();
  const listener = openProgram([path, app.url.href, desk.url]);
  const url = await listener.start();
  const sender = openSender(url);

  let acknowledged = 0;
  let restarted: Promise<string> = Promise.resolve(url);
  const restart = async (): Promise<string> => {
    await listener.end('SIGKILL');
    return listener.start();
  };
  const deliver = async (n: number): Promise<void> => {
    // Like the real sender: retries on anything but 2xx.
    for (let tries = 1; (await sender.send({ id: `evt_${n}` }).catch(() => 0)) !== 200; tries += 1) {
      assert.ok(tries < 500, 'the listener came back at its address');
      await restarted;
    }
    acknowledged += 1;
    if (acknowledged === 150 || acknowledged === 330) restarted = restart();
  };
  const queue = Array.from({ length: DELIVERIES }, (_, n) => n);
  const worker = async (): Promise<void> => {
    for (let n = queue.shift(); n !== undefined; n = queue.shift()) await deliver(n);
  };
  await Promise.all(Array.from({ length: 10 }, worker));
  assert.equal(await restarted, url, 'the endpoint of the killed listener was taken over, with its address');
  assert.equal(app.seen.length, 0);

  await app.start();
  const of = (type: string): ListenerLine[] => listener.events.filter((event) => event.type === type);
  while (of('forwarded').length < DELIVERIES) await once(listener.emitter, 'event');
  const ids = app.seen.map((seen) => String(JSON.parse(seen.body.toString()).id));
  assert.equal(ids.length, DELIVERIES);
  assert.equal(new Set(ids).size, DELIVERIES);
  assert.deepEqual(
    of('ready').map((event) => event.adopted),
    [false, true, true],
  );
  assert.ok((of('ready')[1]?.leftover ?? 0) >= 150 && (of('ready')[2]?.leftover ?? 0) >= 330);

  await listener.end('SIGTERM');
  assert.equal(desk.endpoints.size, 0, 'no endpoint is left behind');
  const rows = openInbox(path).db.prepare('SELECT state, count(*) AS n FROM inbox_forwards GROUP BY state').all();
  const states = new Map(rows.map((row) => [row['state'], row['n']]));
  assert.equal(states.get('delivered'), DELIVERIES);
  assert.equal(states.get('waiting'), undefined);
});
