/** A store that is damaged while a program uses it: let go, set aside, and a new one begun. */
import assert from 'node:assert/strict';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Records } from '../../src/lib/cli/records.ts';
import type { ExchangeRecord } from '../../src/lib/contract/exchange.ts';
import { freshHome } from '../support/spawn.ts';
import { worldOf } from '../support/world.ts';

const record = (at: number): ExchangeRecord => ({
  ...{ at, source: 'cli', environment: 'local', method: 'GET', path: '/x', origin: null, status: 200, latencyMs: 1 },
  ...{ attempt: 1, requestId: null, idempotencyKey: null, eventId: null, eventType: null, deliveryId: null },
  ...{ resourceId: null, errorType: null, errorCode: null, errorParam: null, note: null, requestHeaders: {} },
  ...{ requestBody: null, responseHeaders: {}, responseBody: null },
});

test('the journal goes on in a new file, and the damaged one is kept under another name', () => {
  using home = freshHome();
  let now = Date.now();
  const { context, said } = worldOf({ home: home.path, now: () => now });
  const records = new Records(context, () => []);
  const write = records.writeDown();
  write(record(now));
  const { db } = records.store();
  db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  // What a failing disk does: rubbish where the pages were.
  writeFileSync(join(context.paths.state, 'store.db'), Buffer.alloc(200_000, 7));
  db.exec('PRAGMA cache_size = 0');
  for (let count = 0; count < 600; count += 1) write(record(now));
  assert.match(said().stderr, /the journal cannot be written/);
  // The journal rests for five seconds after trouble.
  now += 6000;
  for (let count = 0; count < 300; count += 1) write(record(now));
  assert.match(said().stderr, /was damaged; it was set aside/);
  const kept = records.store().db.prepare('SELECT count(*) AS n FROM journal').get();
  assert.ok(Number(kept?.['n']) >= 200);
  assert.ok(readdirSync(context.paths.state).some((name) => name.includes('corrupt')));
  records.close();
});
