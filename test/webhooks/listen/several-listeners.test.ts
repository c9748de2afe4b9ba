/** Several listeners on one machine, killed, stopped and started at once: none takes what is another's, and none is ready but deaf. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { processStart } from '../../../src/lib/files/process-start.ts';
import { freshFolder } from '../../support/folder.ts';
import { openDesk, openProgram } from '../support/listener-processes.ts';
import { type App, newStorePath, openApp, openInbox, openSender } from '../support/stage.ts';

const idsAt = (app: App): string[] => app.seen.map((seen) => String(JSON.parse(seen.body.toString()).id));

test('two listeners for two apps, 100 waiting each, both killed and started again: each gets its own, five of five', async () => {
  const [desk, path] = [await openDesk(), newStorePath()];
  const pairs = await Promise.all(
    ['a', 'b'].map(async (name) => {
      const app = await openApp();
      return { name, app, listener: openProgram([path, app.url.href, desk.url]) };
    }),
  );
  let urls = await Promise.all(pairs.map(({ listener }) => listener.start()));
  for (let round = 1; round <= 5; round += 1) {
    for (const [n, { name, app }] of pairs.entries()) {
      await app.stop();
      const sender = openSender(urls[n] ?? '');
      const ids = Array.from({ length: 100 }, (_, at) => `evt_${name}_${round}_${at}`);
      assert.deepEqual([...new Set(await Promise.all(ids.map((id) => sender.send({ id }))))], [200]);
    }
    await Promise.all(pairs.map(({ listener }) => listener.end('SIGKILL')));
    urls = await Promise.all(pairs.map(({ listener }) => listener.start()));
    const leftovers = pairs.map(({ listener }) => listener.events.findLast(({ type }) => type === 'ready')?.leftover);
    assert.deepEqual(leftovers, [100, 100], `round ${round}`);
    for (const { app, listener } of pairs) {
      await app.start();
      await listener.times('forwarded', 100 * round);
    }
  }
  await Promise.all(pairs.map(({ listener }) => listener.end('SIGTERM')));
  for (const { name, app } of pairs) {
    const ids = idsAt(app);
    assert.deepEqual([ids.length, new Set(ids).size], [500, 500]);
    assert.deepEqual(
      ids.filter((id) => !id.startsWith(`evt_${name}_`)),
      [],
    );
  }
  assert.equal(desk.endpoints.size, 0, 'each removed its own endpoint');
});

test('two listeners started at the same moment: one takes over the endpoint that was left, both receive, and each removes its own', async () => {
  const desk = await openDesk();
  for (let round = 1; round <= 2; round += 1) {
    const app = await openApp();
    const path = newStorePath();
    const args = [path, app.url.href, desk.url];
    const killed = openProgram(args);
    await killed.start();
    await killed.end('SIGKILL');
    const [left] = [...desk.endpoints.keys()];
    const both = [openProgram(args), openProgram(args)] as const;
    await Promise.all(both.map((listener) => listener.start()));
    const owned = both.map(({ events }) => events.find(({ type }) => type === 'ready')?.endpoint_id);
    assert.equal(new Set(owned).size, 2, `round ${round}: ${owned.join(' ')} are two endpoints`);
    assert.ok(owned.includes(left), 'one of them is the one that was left');
    assert.deepEqual([...desk.endpoints.keys()].toSorted(), owned.toSorted());
    for (const [n, id] of owned.entries()) {
      assert.equal(await openSender(desk.endpoints.get(String(id)) ?? '').send({ id: `evt_${round}_${n}` }), 200);
      await both[n]?.times('received', 1);
    }
    await both[0].end('SIGTERM');
    assert.deepEqual([...desk.endpoints.keys()], [owned[1]]);
    await both[1].end('SIGTERM');
    assert.equal(desk.endpoints.size, 0);
  }
});

test('a listener that was stopped for long and continued still has its endpoint and its deliveries', async () => {
  const [desk, app] = [await openDesk(), await openApp()];
  await app.stop();
  const path = newStorePath();
  const args = [path, app.url.href, desk.url];
  const [stopped, other] = [openProgram(args), openProgram(args)];
  const url = await stopped.start();
  assert.equal(await openSender(url).send({ id: 'evt_1' }), 200);
  stopped.signal('SIGSTOP');
  // As if it had been stopped for an hour: the heartbeat is old.
  openInbox(path).db.exec('UPDATE inbox_listeners SET seen_at = seen_at - 3600000');
  await other.start();
  assert.deepEqual(
    other.events.map(({ type, adopted, leftover }) => [type, adopted, leftover]),
    [['ready', false, 0]],
  );
  await other.end('SIGTERM');
  stopped.signal('SIGCONT');
  assert.equal([...desk.endpoints.values()].join(), url, 'the endpoint of the stopped one is still registered');
  await app.start();
  assert.equal(await openSender(url).send({ id: 'evt_2' }), 200);
  await stopped.times('forwarded', 2);
  assert.deepEqual(idsAt(app).toSorted(), ['evt_1', 'evt_2']);
  await stopped.end('SIGTERM');
  assert.equal(desk.endpoints.size, 0);
});

test('the tunnel that a killed listener left running is ended by the next one; a process that took its number is not', async () => {
  const [desk, app, path] = [await openDesk(), await openApp(), newStorePath()];
  const script = join(freshFolder(), 'tunnel.cjs');
  writeFileSync(
    script,
    "require('fs').appendFileSync(__filename + '.pids', process.pid + '\\n'); console.log('http://127.0.0.1:' + process.argv[2]); setInterval(() => {}, 1000);",
  );
  const tunnels = (): number[] => readFileSync(`${script}.pids`, 'utf8').trim().split('\n').map(Number);
  const start = (pid: number): string | null => processStart(pid, process.platform, exists);
  after(() =>
    tunnels()
      .filter(exists)
      .forEach((pid) => void process.kill(pid)),
  );
  const listener = openProgram([path, app.url.href, desk.url, script]);
  await listener.start();
  await listener.end('SIGKILL');
  const [left = 0] = tunnels();
  assert.notEqual(start(left), null, 'it outlives the listener');
  await listener.start();
  while (start(left) !== null) await new Promise((resolve) => setImmediate(resolve));

  await listener.end('SIGKILL');
  const [, second = 0] = tunnels();
  openInbox(path).db.exec(
    "UPDATE inbox_listeners SET tunnel_process = 'an earlier process' WHERE tunnel_pid IS NOT NULL",
  );
  await listener.start();
  assert.notEqual(start(second), null);
  await listener.end('SIGTERM');
  assert.equal(start(tunnels()[2] ?? 0), null, 'a listener that ends closes its own');
});

function exists(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
