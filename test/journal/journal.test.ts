import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, describe, it } from 'node:test';
import * as fc from 'fast-check';
import { Failure } from '../../src/lib/failure.ts';
import { JOURNAL, type JournalEntry } from '../../src/lib/journal/entries.ts';
import { follow, type FollowOptions, type JournalItem } from '../../src/lib/journal/follow.ts';
import { exchangesOf } from '../../src/lib/journal/query.ts';
import { createJournal, type JournalOptions } from '../../src/lib/journal/record.ts';
import { openStore, type Store } from '../../src/lib/store/store.ts';
import { NOW, record } from './support.ts';

const root = mkdtempSync(join(tmpdir(), 'credicorp-journal-'));
const stores: Store[] = [];
after(() => {
  for (const store of stores) store.close();
  rmSync(root, { recursive: true, force: true });
});

let places = 0;
const place = (): string => join(root, `store-${(places += 1)}.db`);

function open(path = place(), maxBytes?: number): Store {
  const store = openStore({ path, now: () => NOW, tables: [JOURNAL], ...(maxBytes === undefined ? {} : { maxBytes }) });
  stores.push(store);
  return store;
}

function journalOn(store: Store, more: Partial<JournalOptions> = {}) {
  return createJournal({ open: () => store, now: () => NOW, ...more });
}

/** All entries. */
async function readAll(store: Store, more: Partial<FollowOptions> = {}): Promise<JournalItem[]> {
  const items: JournalItem[] = [];
  for await (const item of follow({ store, since: 0, follow: false, ...more })) items.push(item);
  return items;
}
const entriesOf = (items: JournalItem[]): JournalEntry[] =>
  items.flatMap((item) => (item.type === 'entry' ? [item.entry] : []));

describe('journal, an entry is read as it was written', () => {
  it('every member of a record', async () => {
    const store = open();
    const journal = journalOn(store);
    const full = record({
      idempotencyKey: 'k',
      eventId: 'evt_1',
      eventType: 'decision.completed',
      deliveryId: 'whd_1',
      errorType: 't',
      errorCode: 'c',
      errorParam: 'p',
      note: 'n',
      requestBody: '{"a":1}',
      source: 'listener',
    });
    const none = record({
      status: null,
      requestId: null,
      environment: null,
      origin: null,
      resourceId: null,
      responseBody: null,
      note: 'timeout',
      requestHeaders: {},
      responseHeaders: {},
    });
    journal.write(full);
    journal.write(none);
    journal.close();
    assert.deepEqual(entriesOf(await readAll(store)), [
      { seq: 1, ...full },
      { seq: 2, ...none },
    ]);
  });

  it('without being closed, a moment later', async () => {
    const store = open();
    journalOn(store).write(record());
    for await (const item of follow({
      store,
      since: 0,
      follow: true,
      pollMs: 5,
      signal: AbortSignal.timeout(5000),
    })) {
      assert.equal(item.type, 'entry');
      return;
    }
    assert.fail('nothing came');
  });

  it('bodies, headers and paths are cut to size, also of an invalid record', async () => {
    const store = open();
    const journal = journalOn(store);
    const long = 'word '.repeat(20_000);
    const headers = Object.fromEntries(Array.from({ length: 300 }, (_, n) => [`h${n}`, long]));
    journal.write(
      record({
        requestBody: long,
        responseBody: long,
        path: `/${long}`,
        requestHeaders: headers,
        latencyMs: Number.NaN,
        at: NOW + 0.5,
      }),
    );
    journal.close();
    const [entry] = entriesOf(await readAll(store));
    assert.ok(entry);
    assert.ok((entry.responseBody?.length ?? 0) <= 16 * 1024 + 50);
    assert.match(entry.responseBody ?? '', /\[cut: 100000 characters in all\]$/);
    assert.ok(entry.path.length < 5000);
    assert.equal(Object.keys(entry.requestHeaders).length, 100);
    assert.ok(Object.values(entry.requestHeaders).every((value) => value.length < 5000));
    assert.equal(entry.latencyMs, 0);
  });
});

describe('journal, secrets', () => {
  it('are in no file, whatever member of an entry they were in', () => {
    const path = place();
    const store = open(path);
    const value = fc.string({ unit: fc.constantFrom(...'ABCDEFGHabcdefgh0123456789-_'), minLength: 16, maxLength: 40 });
    const shape = fc.constantFrom<(value: string) => string>(
      (secret) => secret,
      (secret) => `x sk_live_${secret}`,
      (secret) => `whsec_${secret}`,
      (secret) => `Bearer 1${secret}`,
      (secret) => JSON.stringify({ a: [{ access_token: secret }] }),
      (secret) => `grant_type=x&client_secret=${secret}`,
      (secret) => Buffer.from(`cid_sbx_1:${secret}`).toString('base64'),
      (secret) => `${'padding '.repeat(2046)}${secret}${secret}`,
    );
    const members = Object.entries(
      record({
        environment: 'e',
        origin: 'o',
        requestId: 'r',
        idempotencyKey: 'k',
        eventId: 'e',
        eventType: 't',
        deliveryId: 'd',
        errorType: 't',
        errorCode: 'c',
        errorParam: 'p',
        note: 'n',
        requestBody: 'b',
      }),
    )
      .filter(([name, member]) => typeof member === 'string' && name !== 'source')
      .map(([name]) => name);
    const planted: string[] = [];
    fc.assert(
      fc.property(
        value,
        shape,
        fc.constantFrom(...members, 'requestHeaders', 'responseHeaders'),
        fc.boolean(),
        (secret, write, member, asName) => {
          const text = write(secret);
          planted.push(secret);
          const journal = journalOn(store, { secrets: () => [secret] });
          const header = asName
            ? { [`x-${text}`]: 'v' }
            : { authorization: text, 'x-other': text, 'credicorp-signature': `t=1,v1=${text}` };
          journal.write(record(member.endsWith('Headers') ? { [member]: header } : { [member]: text }));
          journal.close();
        },
      ),
      { numRuns: 400 },
    );
    const rows = JSON.stringify(store.db.prepare('SELECT * FROM journal').all());
    assert.ok(rows.length > 100_000);
    for (const secret of planted) {
      assert.ok(!rows.includes(secret), secret);
      assert.ok(!rows.includes(Buffer.from(secret).toString('base64').slice(4, -6)), secret);
    }
    assert.ok(rows.includes('req_7Hs2bV9k4LmQ') && rows.includes('app_1'));
  });
});

describe('journal, filters', () => {
  const store = open();
  const journal = journalOn(store);
  journal.write(record({ requestId: 'req_a' }));
  journal.write(record({ requestId: 'req_b', status: 422, method: 'POST', path: '/partner/v1/applications' }));
  journal.write(
    record({ requestId: 'req_c', status: 429, source: 'sandbox', path: '/partner/v1/payments/links', at: NOW + 10 }),
  );
  journal.write(
    record({ requestId: 'req_d', status: null, source: 'listener', method: 'POST', path: '/hook?a=[1]', at: NOW + 20 }),
  );
  journal.close();
  const rows: [what: string, options: Partial<FollowOptions>, found: string[]][] = [
    ['all', {}, ['a', 'b', 'c', 'd']],
    ['class', { filter: { status: '4xx' } }, ['b', 'c']],
    ['status', { filter: { status: '429' } }, ['c']],
    ['method', { filter: { method: 'post' } }, ['b', 'd']],
    ['path', { filter: { path: '/partner/v1/applications*' } }, ['a', 'b']],
    ['path without prefix', { filter: { path: '/applications' } }, ['b']],
    ['path in the middle', { filter: { path: '*/links' } }, ['c']],
    ['path with wild cards of another kind', { filter: { path: '/hoo?' } }, []],
    ['request id', { filter: { requestId: 'req_c' } }, ['c']],
    ['source', { filter: { source: 'listener' } }, ['d']],
    ['together', { filter: { status: '4xx', source: 'cli', method: 'POST' } }, ['b']],
    ['since', { since: NOW + 10 }, ['c', 'd']],
    ['since and filter', { since: NOW + 10, filter: { method: 'GET' } }, ['c']],
  ];
  for (const [what, options, found] of rows) {
    it(what, async () => {
      const items = await readAll(store, options);
      assert.deepEqual(
        entriesOf(items).map((entry) => entry.requestId),
        found.map((letter) => `req_${letter}`),
      );
    });
  }

  it('the last entries that match', async () => {
    const items: JournalItem[] = [];
    for await (const item of follow({ store, last: 2, filter: { source: 'cli' }, follow: false })) items.push(item);
    assert.deepEqual(
      entriesOf(items).map((entry) => entry.requestId),
      ['req_a', 'req_b'],
    );
  });

  it('since applies to existing entries; new ones may have started before it', async () => {
    const own = open();
    const writing = journalOn(own);
    writing.write(record({ at: NOW - 60_000, note: 'old' }));
    writing.write(record({ at: NOW, note: 'young' }));
    writing.close();
    const items = follow({ store: own, since: NOW - 1000, follow: true, pollMs: 5 });
    const notes = async () => {
      const next = await items.next();
      return !next.done && next.value.type === 'entry' ? next.value.entry.note : next.value;
    };
    assert.equal(await notes(), 'young');
    writing.write(record({ at: NOW - 5000, note: 'a long call that ends only now' }));
    writing.close();
    assert.equal(await notes(), 'a long call that ends only now');
    await items.return();
  });

  it('refuses an invalid status and explains the format', async () => {
    await assert.rejects(
      readAll(store, { filter: { status: 'bad' } }),
      (error) => error instanceof Failure && error.kind === 'usage',
    );
  });

  it('shows every entry of a request id', () => {
    assert.deepEqual(
      exchangesOf(store, 'req_b').map((entry) => entry.status),
      [422],
    );
    assert.deepEqual(exchangesOf(store, 'req_none'), []);
  });
});

const at = (file: string): string => JSON.stringify(new URL(`../../src/lib/${file}`, import.meta.url).href);

/** Another process that writes a record for each line it gets, and confirms it. */
function otherProcess(path: string) {
  const program = `
    const { createJournal } = await import(${at('journal/record.ts')});
    const { JOURNAL } = await import(${at('journal/entries.ts')});
    const { openStore } = await import(${at('store/store.ts')});
    const { createInterface } = await import('node:readline');
    const store = openStore({ path: ${JSON.stringify(path)}, now: Date.now, tables: [JOURNAL] });
    const journal = createJournal({ open: () => store, now: Date.now, onTrouble: (error) => console.error('TROUBLE', error) });
    const base = ${JSON.stringify(record())};
    console.log('ready');
    for await (const line of createInterface({ input: process.stdin })) {
      const count = Number(line);
      for (let n = 0; n < count; n += 1) journal.write({ ...base, at: Date.now(), note: String(performance.timeOrigin + performance.now()) });
    }
    journal.close();`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: ['pipe', 'pipe', 'inherit'] });
  return { child, ready: once(createInterface({ input: child.stdout }), 'line') };
}

describe('journal, several processes', () => {
  it('an entry of another process is seen within 200 ms', async () => {
    const path = place();
    const store = open(path);
    const { child, ready } = otherProcess(path);
    await ready;
    const late: number[] = [];
    const items = follow({ store, follow: true, signal: AbortSignal.timeout(10_000) });
    for (let round = 0; round < 10; round += 1) {
      const next = items.next();
      child.stdin.write('1\n');
      const item = await next;
      assert.ok(!item.done && item.value.type === 'entry');
      late.push(performance.timeOrigin + performance.now() - Number(item.value.entry.note));
    }
    child.stdin.end();
    await once(child, 'close');
    await items.return();
    late.sort((a, b) => a - b);
    assert.ok((late[8] ?? Infinity) < 200, `${late.map((ms) => ms.toFixed(0)).join(' ')} ms`);
  });

  it('four writers at once lose nothing and give every entry its own number', async () => {
    const path = place();
    const store = open(path);
    const others = Array.from({ length: 4 }, () => otherProcess(path));
    await Promise.all(others.map((other) => other.ready));
    for (const { child } of others) child.stdin.end('1500\n');
    await Promise.all(others.map(({ child }) => once(child, 'close')));
    const entries = entriesOf(await readAll(store));
    assert.equal(entries.length, 6000);
    assert.deepEqual(
      entries.map((entry) => entry.seq),
      Array.from({ length: 6000 }, (_, n) => n + 1),
    );
  });
});

describe('journal, bounds', () => {
  it('keeps the newest entries, and a follower gets the gap', async () => {
    const store = open();
    const journal = journalOn(store, { limits: { maxEntries: 300 } });
    const items = follow({ store, since: NOW, follow: true, pollMs: 5 });
    journal.write(record({ note: '1' }));
    journal.close();
    const first = await items.next();
    assert.ok(!first.done && first.value.type === 'entry');
    for (let n = 2; n <= 1000; n += 1) journal.write(record({ note: String(n) }));
    journal.close();
    const gap = await items.next();
    assert.deepEqual(gap.value, { type: 'gap', why: 'pruned' });
    const next = await items.next();
    assert.ok(!next.done && next.value.type === 'entry' && Number(next.value.entry.note) > 500);
    await items.return();
    const count = Number(store.db.prepare('SELECT count(*) AS n FROM journal').get()?.['n']);
    assert.ok(count >= 300 && count <= 500, String(count));
    const [opening] = await readAll(store, { since: NOW - 1000 });
    assert.equal(opening?.type, 'gap');
  });

  it('deletes entries that are too old', async () => {
    const store = open();
    const old = journalOn(store, { now: () => NOW - 1000 });
    for (let n = 0; n < 250; n += 1) old.write(record({ at: NOW - 20 * 86_400_000, note: 'old' }));
    old.close();
    const journal = journalOn(store);
    for (let n = 0; n < 250; n += 1) journal.write(record({ note: 'new' }));
    journal.close();
    assert.ok(entriesOf(await readAll(store)).every((entry) => entry.note === 'new'));
  });

  it('keeps recent entries when an older one was written later', async () => {
    const store = open();
    const journal = journalOn(store);
    for (let n = 1; n <= 400; n += 1) journal.write(record({ at: NOW - n }));
    journal.close();
    assert.equal(entriesOf(await readAll(store)).length, 400);
  });

  it('deletes old entries when the file grows too big', () => {
    const store = open(place(), 2 * 1024 * 1024);
    const journal = journalOn(store);
    for (let n = 0; n < 2000; n += 1) journal.write(record({ responseBody: `${n} ${'x'.repeat(8000)} ` }));
    journal.close();
    const pages =
      Number(store.db.prepare('PRAGMA page_count').get()?.['page_count']) -
      Number(store.db.prepare('PRAGMA freelist_count').get()?.['freelist_count']);
    assert.ok(pages * 4096 < 4 * 1024 * 1024);
    assert.ok(Number(store.db.prepare('SELECT max(seq) AS seq FROM journal').get()?.['seq']) === 2000);
  });

  it('continues with a new file when the damaged one was renamed', async () => {
    const path = place();
    const store = open(path);
    const items = follow({ store, since: 0, follow: true, pollMs: 5, reopen: () => open(path) });
    journalOn(store).write(record({ note: 'before' }));
    const first = await items.next();
    assert.ok(!first.done && first.value.type === 'entry');
    for (const suffix of ['', '-wal', '-shm']) renameSync(path + suffix, `${path}.aside${suffix}`);
    const journal = journalOn(open(path));
    journal.write(record({ note: 'after' }));
    journal.close();
    assert.deepEqual((await items.next()).value, { type: 'gap', why: 'replaced' });
    const next = await items.next();
    assert.ok(!next.done && next.value.type === 'entry' && next.value.entry.note === 'after');
    await items.return();
  });
});

describe('journal, trouble', () => {
  it('is reported once and stops nothing', () => {
    const reported: unknown[] = [];
    let now = NOW;
    const journal = createJournal({
      open: () => {
        throw new Failure('usage', 'the local store cannot be opened');
      },
      now: () => now,
      onTrouble: (error) => reported.push(error),
    });
    for (let round = 0; round < 5; round += 1) {
      journal.write(record());
      journal.close();
      now += 10_000;
    }
    assert.equal(reported.length, 1);
  });

  it('a dropped table, or a secret source that throws: the same', () => {
    const store = open();
    const reported: unknown[] = [];
    const journal = journalOn(store, { onTrouble: (error) => reported.push(error) });
    journal.write(record());
    journal.close();
    store.db.exec('DROP TABLE journal');
    journal.write(record());
    journal.close();
    assert.equal(reported.length, 1);
    const throwing = journalOn(store, {
      secrets: () => {
        throw new Error('locked');
      },
    });
    throwing.write(record());
    throwing.close();
  });

  it('writes again when the store can be opened again', async () => {
    const path = place();
    let now = NOW;
    let works = false;
    const store = open(path);
    const journal = createJournal({ open: () => (works ? store : assert.fail('closed')), now: () => now });
    journal.write(record({ note: 'lost' }));
    journal.close();
    works = true;
    now += 6000;
    journal.write(record({ note: 'kept' }));
    journal.close();
    assert.deepEqual(
      entriesOf(await readAll(store)).map((entry) => entry.note),
      ['kept'],
    );
  });

  it('opens nothing while nothing is written', () => {
    createJournal({ open: () => assert.fail('opened'), now: () => NOW }).close();
  });
});
