import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, test } from 'node:test';
import { promisify } from 'node:util';
import { Failure } from '../../src/lib/failure.ts';
import { openStore, type Store, type Tables } from '../../src/lib/store/store.ts';

const root = mkdtempSync(join(tmpdir(), 'credicorp-store-'));
after(() => rmSync(root, { recursive: true, force: true }));

const now = (): number => Date.UTC(2026, 6, 4, 10, 0, 0);
const notes: Tables = {
  room: 'notes',
  steps: ['CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL)'],
  trim: 'DELETE FROM notes WHERE id IN (SELECT id FROM notes ORDER BY id LIMIT ?)',
};
let places = 0;
const place = (): string => join(root, `place-${(places += 1)}`, 'deep', 'store.db');
const open = (path: string, tables: Tables[] = [notes]): Store => openStore({ path, now, tables });
const count = (store: Store): number => Number(store.db.prepare('SELECT count(*) AS n FROM notes').get()?.['n']);

test('a new store is private, in WAL mode, and leaves no other file behind', () => {
  const path = place();
  const store = open(path);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.equal(statSync(join(path, '..')).mode & 0o777, 0o700);
  assert.equal(store.db.prepare('PRAGMA journal_mode').get()?.['journal_mode'], 'wal');
  store.db.exec("INSERT INTO notes (text) VALUES ('a')");
  assert.equal(statSync(`${path}-wal`).mode & 0o777, 0o600);
  assert.equal(store.setAside, null);
  store.close();
  store.close();
  assert.deepEqual(readdirSync(join(path, '..')), ['store.db']);
});

test('a folder that can never be made is an error, at once', { skip: !existsSync('/proc/self') }, async () => {
  const opened = promisify(execFile)(
    process.execPath,
    [
      '--input-type=module-typescript',
      '--eval',
      `import { openStore } from ${JSON.stringify(import.meta.resolve('../../src/lib/store/store.ts'))};
       openStore({ path: '/proc/none/deep/store.db', now: Date.now, tables: [] });`,
    ],
    { timeout: 20_000, killSignal: 'SIGKILL' },
  );
  await assert.rejects(opened, (error: Error & { code: unknown; stderr: string }) => {
    assert.equal(error.code, 1, 'it ended by itself');
    assert.match(error.stderr, /ENOENT/);
    return true;
  });
});

test('a store that others can read is made private again', () => {
  const path = place();
  open(path).close();
  chmodSync(path, 0o644);
  open(path).close();
  assert.equal(statSync(path).mode & 0o077, 0);
});

test('rooms may come in any order; each missing step runs once', () => {
  const path = place();
  const marks: Tables = { room: 'marks', steps: ['CREATE TABLE marks (id INTEGER)'] };
  const first = open(path);
  first.db.exec("INSERT INTO notes (text) VALUES ('kept')");
  first.close();
  open(path, [marks]).close();
  const longer = { ...notes, steps: [...notes.steps, "ALTER TABLE notes ADD COLUMN colour TEXT DEFAULT 'red'"] };
  const last = open(path, [marks, longer]);
  assert.deepEqual({ ...last.db.prepare('SELECT text, colour FROM notes').get() }, { text: 'kept', colour: 'red' });
  last.close();
  assert.throws(
    () => open(path, [notes]),
    (error) => error instanceof Failure && error.kind === 'usage' && error.facts.code === 'state_too_new',
  );
});

test('a step that fails changes nothing', () => {
  const path = place();
  const broken = { room: 'notes', steps: ['CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT)', 'NONSENSE'] };
  assert.throws(() => open(path, [broken]), Failure);
  const store = open(path);
  assert.equal(count(store), 0);
  store.close();
});

for (const [name, spoil] of [
  ['text', (path: string) => writeFileSync(path, 'this is no database, but it is somebody’s text')],
  ['an empty file', (path: string) => writeFileSync(path, '')],
  ['a file cut short', (path: string) => truncateSync(path, 5000)],
  [
    'zeroes over the schema',
    (path: string) => writeFileSync(path, Buffer.concat([readFileSync(path).subarray(0, 100), Buffer.alloc(20_000)])),
  ],
  [
    "another program's database",
    (path: string) => {
      rmSync(path);
      const db = new DatabaseSync(path);
      db.exec('CREATE TABLE theirs (a)');
      db.close();
    },
  ],
] as const) {
  test(`${name} is renamed unchanged, and a new store opened`, () => {
    const path = place();
    open(path).close();
    spoil(path);
    const bytes = readFileSync(path);
    writeFileSync(`${path}-wal`, 'leftover');
    const store = open(path);
    assert.equal(store.setAside, `${path}.corrupt-20260704T100000Z`);
    assert.deepEqual(readFileSync(store.setAside), bytes);
    assert.equal(count(store), 0);
    store.db.exec("INSERT INTO notes (text) VALUES ('works')");
    store.close();
  });
}

test('a second damaged file in the same second gets a different name', () => {
  const path = place();
  open(path).close();
  for (const expected of ['Z', 'Z-2']) {
    writeFileSync(path, expected);
    const store = open(path);
    assert.ok(store.setAside?.endsWith(`.corrupt-20260704T100000${expected}`), String(store.setAside));
    store.close();
  }
});

test('the file is bounded: only the oldest expendable rows are deleted', () => {
  const path = place();
  const kept: Tables = { room: 'kept', steps: ['CREATE TABLE kept (text TEXT)'] };
  const store = openStore({ path, now, tables: [notes, kept], maxBytes: 512 * 1024 });
  const add = store.db.prepare('INSERT INTO notes (text) VALUES (?)');
  store.db.prepare('INSERT INTO kept VALUES (?)').run('x'.repeat(100_000));
  for (let i = 0; i < 150; i += 1) add.run('x'.repeat(4000));
  assert.ok(store.bound() > 0);
  assert.ok(statSync(path).size <= 1024 * 1024);
  assert.equal(store.db.prepare('SELECT count(*) AS n FROM kept').get()?.['n'], 1);
  const room = store.db.prepare('SELECT min(id) AS low FROM notes').get()?.['low'];
  assert.ok(room === null || Number(room) > 1);
  assert.equal(store.bound(), 0);
  store.close();
});

test('a running program trims in short steps, and searches rarely when nothing can be deleted', () => {
  const store = openStore({ path: place(), now, tables: [notes], maxBytes: 512 * 1024 });
  const add = store.db.prepare('INSERT INTO notes (text) VALUES (?)');
  const sizes = new Set<number>();
  const pages = store.db.prepare('PRAGMA page_count');
  for (let i = 0; i < 5000; i += 1) {
    add.run('x'.repeat(1000));
    if (i % 100 !== 0) continue;
    const before = count(store);
    store.trim();
    assert.ok(before - count(store) <= 200, 'a step is short');
    if (i > 1000) sizes.add(Number(pages.get()?.['page_count']));
  }
  assert.ok(count(store) < 700 && Math.max(...sizes) <= 200, `${count(store)} rows, ${Math.max(...sizes)} pages`);
  store.close();

  let looks = 0;
  const guarded = openStore({
    ...{ path: place(), now, maxBytes: 64 * 1024 },
    tables: [{ ...notes, trim: 'DELETE FROM notes WHERE looked() < 0 AND ? > 0' }],
  });
  guarded.db.function('looked', () => (looks += 1));
  guarded.db.prepare('INSERT INTO notes (text) VALUES (?)').run('x'.repeat(100_000));
  for (let n = 0; n < 300; n += 1) guarded.trim();
  assert.equal(looks, 2);
  guarded.close();
});

test('the file gets smaller again when its rows are gone: in short steps while it is used, at once when it is opened', () => {
  for (const shrink of ['trim', 'open'] as const) {
    const path = place();
    const store = openStore({ path, now, tables: [notes], maxBytes: 4 * 1024 * 1024 });
    const add = store.db.prepare('INSERT INTO notes (text) VALUES (?)');
    for (let i = 0; i < 1800; i += 1) add.run('x'.repeat(4000));
    store.db.exec('DELETE FROM notes');
    if (shrink === 'open') openStore({ path, now, tables: [notes], maxBytes: 4 * 1024 * 1024 }).close();
    const steps = shrink === 'trim' ? 40 : 0;
    for (let n = 0; n < steps; n += 1) {
      const before = Number(store.db.prepare('PRAGMA page_count').get()?.['page_count']);
      store.trim();
      assert.ok(before - Number(store.db.prepare('PRAGMA page_count').get()?.['page_count']) <= 300, 'a step is short');
    }
    store.close();
    assert.ok(statSync(path).size < 1024 * 1024, `${shrink}: ${statSync(path).size} bytes are left`);
  }
});

test('past the hard limit a write fails instead of filling the disk', () => {
  const store = openStore({
    path: place(),
    now,
    tables: [{ ...notes, trim: 'DELETE FROM notes WHERE id < 0 AND ? > 0' }],
    maxBytes: 64 * 1024,
  });
  const add = store.db.prepare('INSERT INTO notes (text) VALUES (?)');
  assert.throws(() => {
    for (let i = 0; i < 100; i += 1) add.run('x'.repeat(4000));
  }, /full/);
  store.close();
});

test('a place that cannot be written is a usage failure that names it', () => {
  const file = join(root, 'a-file');
  writeFileSync(file, '');
  const directory = join(root, 'a-directory', 'store.db');
  mkdirSync(directory, { recursive: true });
  for (const path of [join(file, 'store.db'), directory]) {
    assert.throws(
      () => open(path),
      (error) =>
        error instanceof Failure &&
        error.kind === 'usage' &&
        error.facts.code === 'state_unwritable' &&
        error.message.includes(path),
      path,
    );
  }
});

test('a store held by a writer is reported as busy, not as damaged', () => {
  const path = place();
  const holder = open(path);
  holder.db.exec('BEGIN EXCLUSIVE');
  const more = { room: 'more', steps: ['CREATE TABLE more (a)'] };
  assert.throws(
    () => openStore({ path, now, tables: [more], busyTimeoutMs: 20 }),
    (error) => error instanceof Failure && error.facts.code === 'state_busy',
  );
  holder.close();
});

test('several processes create and write the same store at once', async () => {
  const path = place();
  const program = `
    import { openStore } from ${JSON.stringify(new URL('../../src/lib/store/store.ts', import.meta.url).href)};
    const store = openStore({ path: ${JSON.stringify(path)}, now: Date.now, tables: [${JSON.stringify(notes)}] });
    for (let i = 0; i < 50; i += 1) store.db.exec("INSERT INTO notes (text) VALUES ('x')");
    store.close();`;
  const run = promisify(execFile);
  await Promise.all(
    Array.from({ length: 4 }, () =>
      run(process.execPath, ['--no-warnings', '--input-type=module-typescript', '-e', program]),
    ),
  );
  const store = open(path);
  assert.equal(count(store), 200);
  assert.deepEqual(
    readdirSync(join(path, '..')).filter((name) => name.includes('new-') || name.includes('corrupt')),
    [],
  );
  store.close();
});

test('sync waits for the disk, one wait for many commits, and survives a close meanwhile', async () => {
  const store = open(place());
  store.db.exec("INSERT INTO notes (text) VALUES ('a')");
  const waits = Array.from({ length: 50 }, () => store.sync());
  assert.ok(new Set(waits).size <= 2, 'waits are shared');
  await Promise.all(waits);
  const last = store.sync();
  store.close();
  await last;
});
