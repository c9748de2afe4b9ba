/** A store that is damaged while a program uses it: let go, set aside, and a new one begun. */
import assert from 'node:assert/strict';
import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { LocalRecords, explainDamage } from '../../src/lib/cli/local-store.ts';
import type { ExchangeRecord } from '../../src/lib/contract/exchange.ts';
import { Failure } from '../../src/lib/failure.ts';
import { connect, fileOf } from '../../src/lib/store/sqlite-file.ts';
import { freshHome } from '../support/spawn.ts';
import { worldOf } from '../support/world.ts';

const record = (at: number): ExchangeRecord => ({
  ...{ at, source: 'cli', environment: 'local', method: 'GET', path: '/x', origin: null, status: 200, latencyMs: 1 },
  ...{ attempt: 1, requestId: null, idempotencyKey: null, eventId: null, eventType: null, deliveryId: null },
  ...{ resourceId: null, errorType: null, errorCode: null, errorParam: null, note: null, requestHeaders: {} },
  ...{ requestBody: null, responseHeaders: {}, responseBody: null },
});

/** What a failing disk does: rubbish where the pages were. */
function ruin(records: LocalRecords, path: string): void {
  const { db } = records.store();
  db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  writeFileSync(path, Buffer.alloc(200_000, 7));
  db.exec('PRAGMA cache_size = 0');
}

test('the journal goes on in a new file without losing an entry, and the damaged one is kept under another name', () => {
  using home = freshHome();
  const { context, said } = worldOf({ home: home.path });
  const path = join(context.paths.state, 'store.db');
  const records = new LocalRecords(context, () => []);
  const write = records.exchangeRecorder();
  const kept = (): unknown => records.store().db.prepare('SELECT count(*) AS n FROM journal').get()?.['n'];
  // As many as are written at once.
  const more = (): void => Array.from({ length: 200 }, () => record(Date.now())).forEach(write);
  more();
  for (const round of [1, 2]) {
    ruin(records, path);
    more();
    assert.equal(kept(), 200, `round ${round}`);
  }
  const notes = said().stderr.trim().split('\n');
  assert.equal(notes.length, 2);
  for (const note of notes) assert.match(note, /was damaged; it was set aside/);
  assert.equal(readdirSync(context.paths.state).filter((name) => /corrupt-\w+(?:-2)?$/.test(name)).length, 2);
  records.close();
});

test('a file that was set aside or taken away by another is not written to any more', () => {
  using home = freshHome();
  const { context, said } = worldOf({ home: home.path });
  const records = new LocalRecords(context, () => []);
  const write = records.exchangeRecorder();
  const more = (): void => Array.from({ length: 200 }, () => record(Date.now())).forEach(write);
  more();
  rmSync(context.paths.state, { recursive: true });
  more();
  const another = new LocalRecords(context, () => []);
  const read = (): unknown => another.store().db.prepare('SELECT count(*) AS n FROM journal').get()?.['n'];
  assert.equal(read(), 200);
  // Another process met damage: everybody moves on to the same new file.
  another.store().condemn();
  assert.equal(read(), 0);
  more();
  assert.equal(read(), 200);
  assert.match(said().stderr, /^warning: the local store was damaged.*\n$/);
  records.close();
  another.close();
});

test('damage that is met in reading is told in words, and the next run has a new file', () => {
  using home = freshHome();
  const { context } = worldOf({ home: home.path });
  const path = join(context.paths.state, 'store.db');
  const records = new LocalRecords(context, () => []);
  Array.from({ length: 200 }, () => record(Date.now())).forEach(records.exchangeRecorder());
  ruin(records, path);
  const error = thrownBy(() => records.store().db.prepare('SELECT * FROM journal').all());
  const judged = explainDamage(error, () => records.store());
  assert.ok(judged instanceof Failure && judged.facts.code === 'state_damaged');
  assert.equal(records.store().db.prepare('SELECT * FROM journal').all().length, 0);
  const other = new Error('another');
  assert.equal(
    explainDamage(other, () => assert.fail('opened')),
    other,
  );
  records.close();
});

test('a damaged file of another kind marks itself only: the store stays as it is', () => {
  using home = freshHome();
  const { context, said } = worldOf({ home: home.path });
  const records = new LocalRecords(context, () => []);
  Array.from({ length: 200 }, () => record(Date.now())).forEach(records.exchangeRecorder());
  const path = join(home.path, 'other.db');
  writeFileSync(path, Buffer.alloc(200_000, 7));
  const other = connect(path);
  const error = thrownBy(() => other.prepare('SELECT * FROM journal').all());
  other.close();
  assert.equal(fileOf(error), path);
  const judged = explainDamage(error, () => records.store());
  assert.ok(judged instanceof Failure && judged.facts.code === 'file_damaged', String(judged));
  assert.ok(judged.message.includes(path));
  records.close();
  const next = new LocalRecords(context, () => []);
  assert.equal(next.store().db.prepare('SELECT count(*) AS n FROM journal').get()?.['n'], 200);
  assert.equal(said().stderr, '');
  next.close();
});

function thrownBy(run: () => unknown): unknown {
  try {
    return run();
  } catch (error) {
    return error;
  }
}
