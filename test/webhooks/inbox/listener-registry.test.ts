import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openSync, statSync, writeSync, closeSync } from 'node:fs';
import {
  abandonedEndpoints,
  registerListener,
  type RegistryOptions,
  latestEndpoint,
} from '../../../src/lib/webhooks/inbox/listener-registry.ts';
import { fakeEndpoints, newStorePath, openInbox, openSender, startListening } from '../support/stage.ts';

/** What a listener looks like that was killed: enrolled under another pid, never ended. */
function dead(options: RegistryOptions, endpointId: string): void {
  registerListener({ ...options, pid: 999 }).saveEndpoint({
    endpointId,
    url: 'http://127.0.0.1:1/old',
    port: 1,
    path: '/old',
    events: ['*'],
  });
}

test('endpoints of dead listeners are found, those of live ones and removed ones are not', async () => {
  const store = openInbox();
  const alive = new Map([[1000, 'boot-1 77']]);
  const options: RegistryOptions = {
    store,
    scope: 'local',
    pid: process.pid,
    processStart: (pid) => alive.get(pid) ?? null,
    now: Date.now,
  };
  assert.equal(latestEndpoint(options), null);
  dead(options, 'whend_dead');
  registerListener({ ...options, pid: 1000 }).saveEndpoint({
    endpointId: 'whend_alive',
    url: 'u',
    port: 2,
    path: '/',
    events: [],
  });
  dead({ ...options, scope: 'other' }, 'whend_other');
  const tidy = registerListener(options);
  tidy.saveEndpoint({ endpointId: 'whend_tidy', url: 'u', port: 3, path: '/', events: [] });
  tidy.markEndpointGone(tidy.id);
  tidy.end();
  const ids = (): string[] => abandonedEndpoints(options).map((left) => left.endpointId);
  assert.deepEqual(ids(), ['whend_dead']);
  assert.deepEqual(latestEndpoint(options), { endpointId: 'whend_alive', url: 'u', running: true });
  alive.clear();
  assert.deepEqual(ids(), ['whend_alive', 'whend_dead']);
  assert.equal(latestEndpoint(options)?.running, false);

  // Another process has the number now, or the same one that was only stopped for long: the heartbeat does not decide.
  alive.set(1000, 'boot-2 77');
  assert.deepEqual(ids(), ['whend_alive', 'whend_dead']);
  alive.set(1000, 'boot-1 77');
  store.db.exec('UPDATE inbox_listeners SET seen_at = 0');
  assert.deepEqual(ids(), ['whend_dead']);

  // Where the system tells no more than that a process exists, a listener without a heartbeat is gone.
  const silent = { ...options, processStart: () => '' };
  assert.deepEqual(abandonedEndpoints(silent).length, 2);
  assert.deepEqual(abandonedEndpoints({ ...silent, lapseMs: Infinity }).length, 0);
});

test('a leftover endpoint is claimed by one listener only, until that one ends', () => {
  const store = openInbox();
  const options: RegistryOptions = { store, scope: 'local', pid: process.pid, processStart: () => null, now: Date.now };
  const to = (target: string): string[] => [`http://127.0.0.1:${target}/`];
  const left = registerListener({ ...options, pid: 999 }, to('3000'));
  left.saveEndpoint({ endpointId: 'whend_1', url: 'u', port: 1, path: '/', events: ['*'] });
  const [first, second, other] = [to('3000'), to('3000'), to('4000')].map((targets) => ({
    ...registerListener(options, targets),
    claim: (one: ReturnType<typeof registerListener>) =>
      one.claimAbandoned(targets).map(({ endpointId }) => endpointId),
  }));
  assert.ok(first !== undefined && second !== undefined && other !== undefined);
  assert.deepEqual(other.claim(other), [], 'it belongs to another app');
  assert.deepEqual(first.claim(first), ['whend_1']);
  assert.deepEqual(second.claim(second), []);
  first.end();
  assert.deepEqual(second.claim(second), ['whend_1']);
  second.saveEndpoint({ endpointId: 'whend_1', url: 'u', port: 2, path: '/', events: ['*'] });
  assert.deepEqual([first.holdsEndpoint('whend_1'), second.holdsEndpoint('whend_1')], [false, true]);
  // After the three days in which the API retries, nothing comes for it any more, whoever it was.
  second.end();
  store.db.exec(`UPDATE inbox_listeners SET seen_at = seen_at - ${3 * 86_400_000 + 1}`);
  assert.deepEqual(other.claim(other), ['whend_1']);
});

test('a listener without the old secret removes what a dead one left, and registers its own', async () => {
  const store = openInbox();
  dead({ store, scope: 'local', pid: process.pid, processStart: () => null, now: Date.now }, 'whend_dead');
  const endpoints = fakeEndpoints();
  const listening = await startListening({ store, endpoints, processStart: () => null });
  assert.deepEqual(endpoints.log, ['register *', 'unregister whend_dead']);
  assert.equal((await listening.until('ready')).adopted, false);
  await listening.close();
  const again = await startListening({ store, endpoints, processStart: () => null });
  await again.close();
  assert.deepEqual(endpoints.log.filter((line) => line.includes('dead')).length, 1);
});

test('two listeners at once leave each other alone', async () => {
  const store = openInbox();
  const endpoints = fakeEndpoints();
  const forward = new URL('http://127.0.0.1:9/');
  const first = await startListening({ store, endpoints, forward });
  await openSender(first.url).send({ id: 'evt_1' });
  const second = await startListening({ store, endpoints, forward: new URL('http://127.0.0.1:9/other') });
  assert.equal((await second.until('ready')).leftover, 0);
  assert.deepEqual(endpoints.log, ['register *', 'register *']);
  await second.close();
  assert.equal((await first.close()).waiting, 1);
});

test('a damaged inbox refuses deliveries, reports it, and is renamed by the next listener', async () => {
  const path = newStorePath();
  const store = openInbox(path);
  for (let n = 0; n < 200; n += 1) {
    store.db
      .prepare('INSERT INTO inbox_listeners (scope, pid, started_at, seen_at, url) VALUES (?, 1, 1, 1, ?)')
      .run('x', 'u'.repeat(200));
  }
  const listening = await startListening({ store });
  store.db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  const file = openSync(path, 'r+');
  // Everything but the first page, which holds header and schema.
  for (let at = 4096; at < statSync(path).size; at += 4096) writeSync(file, Buffer.alloc(4096, 0xab), 0, 4096, at);
  closeSync(file);
  store.db.exec('PRAGMA cache_size=0; PRAGMA shrink_memory');
  assert.equal(await openSender(listening.url).send({ id: 'evt_1' }), 503);
  const told = await listening.until('rejected');
  assert.deepEqual([told.cause, told.status], ['inbox_unwritable', 503]);
  assert.match(told.meaning, /damaged.*renames the file/);
  store.close();
  const next = openInbox(path);
  assert.match(next.setAside ?? '', /\.corrupt-/);
  assert.equal(openInbox(path).setAside, null);
});

test('an inbox that another process renamed accepts no delivery', async () => {
  const path = newStorePath();
  const store = openInbox(path);
  const listening = await startListening({ store });
  openInbox(path).condemn();
  assert.equal(await openSender(listening.url).send({ id: 'evt_1' }), 503);
  assert.equal((await listening.until('rejected')).cause, 'inbox_unwritable');
  store.close();
});
