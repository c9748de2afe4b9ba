import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, it } from 'node:test';
import * as fc from 'fast-check';
import type { RecordSource } from '../../src/lib/contract/exchange.ts';
import { JOURNAL } from '../../src/lib/journal/entries.ts';
import { filterSql, type JournalFilter, matchesFilter, JournalReader } from '../../src/lib/journal/query.ts';
import { createJournal } from '../../src/lib/journal/record.ts';
import { openStore } from '../../src/lib/store/store.ts';
import { NOW, record } from './support.ts';

const root = mkdtempSync(join(tmpdir(), 'credicorp-filter-'));
after(() => rmSync(root, { recursive: true, force: true }));

const some = <T>(...values: T[]): fc.Arbitrary<T | undefined> => fc.constantFrom(undefined, ...values);

it('a pattern that is too long for the table is a mistake of usage', () => {
  assert.throws(() => filterSql({ path: '*'.repeat(60_000) }, null), { kind: 'usage' });
});

it('the SQL filter and the test of one entry select the same entries', () => {
  const store = openStore({ path: join(root, 'store.db'), now: () => NOW, tables: [JOURNAL] });
  const journal = createJournal({ open: () => store, now: () => NOW });
  const sources: RecordSource[] = ['cli', 'sandbox'];
  const paths = [
    '/partner/v1/a',
    '/partner/v1/a/b?x=/a',
    '/partner/v1',
    '/a',
    '/a*b',
    '/a[1]',
    '/hook?',
    '/',
    '/aXb/b',
  ];
  for (const path of paths) {
    for (const status of [null, 200, 404, 429]) {
      for (const source of sources) {
        const method = status === 200 ? 'GET' : 'POST';
        journal.write(record({ path, status, source, method, requestId: `req_${status}`, at: NOW + (status ?? 0) }));
      }
    }
  }
  journal.close();
  const all = new JournalReader(store, {}, null).between(0, 1000, 1000);
  const glob = fc.string({ unit: fc.constantFrom('*', 'a', 'b', '/', '[', ']', '1', '?', 'X'), maxLength: 6 });
  const wanted = fc.record({
    status: some('4xx', '404', '2XX', '500'),
    method: some('GET', 'post'),
    path: fc.option(fc.oneof(glob, fc.constantFrom(...paths, '/partner/v1/*', '*/b', '/*')), { nil: undefined }),
    requestId: some('req_404', 'req_x'),
    source: some(...sources),
  });
  fc.assert(
    fc.property(wanted, some(NOW, NOW + 300, NOW + 1000), (given, from) => {
      const since = from ?? null;
      const filter: JournalFilter = Object.fromEntries(
        Object.entries(given).filter(([, value]) => value !== undefined),
      );
      const asked = new JournalReader(store, filter, since).between(0, 1000, 1000);
      const tested = all.filter((entry) => matchesFilter(entry, filter, since));
      assert.deepEqual(
        asked.map((entry) => entry.seq),
        tested.map((entry) => entry.seq),
      );
    }),
    { numRuns: 500 },
  );
  store.close();
});
