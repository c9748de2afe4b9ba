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

test('what dead listeners left is found, what live and tidy ones have is not', async () => {
  const store = openInbox();
  const alive = new Set([1000]);
  const options: RegistryOptions = {
    store,
    scope: 'local',
    pid: process.pid,
    isAlive: (pid) => alive.has(pid),
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

  // A pid that was given to somebody else does not keep a dead listener alive for ever.
  alive.add(999).add(1000);
  assert.deepEqual(ids(), []);
  const later = { ...options, now: () => Date.now() + 60_000 };
  assert.deepEqual(abandonedEndpoints(later).length, 2);
});

test('a listener without the old secret removes what a dead one left, and registers its own', async () => {
  const store = openInbox();
  dead({ store, scope: 'local', pid: process.pid, isAlive: () => false, now: Date.now }, 'whend_dead');
  const endpoints = fakeEndpoints();
  const listening = await startListening({ store, endpoints, isAlive: () => false });
  assert.deepEqual(endpoints.log, ['register *', 'unregister whend_dead']);
  assert.equal((await listening.until('ready')).adopted, false);
  await listening.close();
  const again = await startListening({ store, endpoints, isAlive: () => false });
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

test('an inbox that turns out damaged refuses, says so, and is set aside by the next', async () => {
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

test('an inbox that another process set aside takes no delivery any more', async () => {
  const path = newStorePath();
  const store = openInbox(path);
  const listening = await startListening({ store });
  openInbox(path).condemn();
  assert.equal(await openSender(listening.url).send({ id: 'evt_1' }), 503);
  assert.equal((await listening.until('rejected')).cause, 'inbox_unwritable');
  store.close();
});
