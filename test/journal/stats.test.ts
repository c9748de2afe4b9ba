import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import type { ExchangeRecord } from '../../src/lib/contract/exchange.ts';
import { JOURNAL } from '../../src/lib/journal/entries.ts';
import { exchangesOf } from '../../src/lib/journal/query.ts';
import {
  DEFAULT_JOURNAL_LIMITS,
  readJournalLimits,
  pruneJournal,
  setJournalLimits,
  createJournal,
} from '../../src/lib/journal/record.ts';
import { type Stats, statsOf } from '../../src/lib/journal/stats.ts';
import { openStore, type Store } from '../../src/lib/store/store.ts';
import { NOW, record } from './support.ts';

const root = mkdtempSync(join(tmpdir(), 'credicorp-stats-'));
const stores: Store[] = [];
after(() => {
  for (const store of stores) store.close();
  rmSync(root, { recursive: true, force: true });
});

function open(path = join(root, `store-${stores.length}.db`)): Store {
  const store = openStore({ path, now: () => NOW, tables: [JOURNAL] });
  stores.push(store);
  return store;
}

function write(store: Store, ...records: Partial<ExchangeRecord>[]): void {
  const journal = createJournal({ open: () => store, now: () => NOW });
  for (const more of records) journal.write(record(more));
  journal.close();
}

const MINUTE = 60_000;
const look = (store: Store, more: Partial<Parameters<typeof statsOf>[0]> = {}): Stats =>
  statsOf({ store, from: NOW - 10 * MINUTE, to: NOW, filter: {}, steps: 10, ...more });
const count = (store: Store): number => Number(store.db.prepare('SELECT count(*) AS n FROM journal').get()?.['n']);

describe('stats', () => {
  it('replaces ids in paths by placeholders, but not names', () => {
    const store = open();
    const paths = ['/.well-known/oauth-authorization-server', '/x/3fa7Qm2Zt8Wc1LrX5nYv0BdE', '/y/evt_12345'];
    write(store, ...paths.map((path) => ({ path, requestId: null, at: NOW })));
    assert.deepEqual(
      look(store)
        .endpoints.map(({ endpoint }) => endpoint)
        .sort(),
      ['GET /.well-known/oauth-authorization-server', 'GET /x/{id}', 'GET /y/{id}'],
    );
  });

  it('counts by status and by route; calls without an answer are errors', () => {
    const store = open();
    const list = { path: '/partner/v1/applications?limit=2', method: 'GET' };
    write(
      store,
      { ...list, requestId: 'req_1', at: NOW - 5 * MINUTE, latencyMs: 10 },
      { ...list, requestId: 'req_2', at: NOW - 5 * MINUTE, latencyMs: 20 },
      { ...list, requestId: null, status: null, note: 'timeout', at: NOW - MINUTE / 2, latencyMs: 3000 },
      {
        path: '/partner/v1/applications/app_1234',
        requestId: 'req_3',
        status: 404,
        at: NOW - MINUTE / 2,
        latencyMs: 1,
      },
      { path: '/partner/v1/applications/app_9876', requestId: 'req_4', at: NOW - MINUTE / 2, latencyMs: 4 },
      { path: '/apply/s/3fa7Qm2Zt8Wc1LrX5nYv0BdE', requestId: 'req_5', at: NOW, latencyMs: 4 },
      { requestId: 'req_6', at: NOW - 20 * MINUTE },
    );
    const stats = look(store);
    assert.deepEqual([stats.calls, stats.errors], [6, 2]);
    assert.deepEqual(stats.statuses, [
      { status: '200', calls: 4 },
      { status: '404', calls: 1 },
      { status: 'none', calls: 1 },
    ]);
    assert.deepEqual(stats.endpoints, [
      { endpoint: 'GET /partner/v1/applications', calls: 3, errors: 1, p50: 20, p95: 3000 },
      { endpoint: 'GET /partner/v1/applications/{id}', calls: 2, errors: 1, p50: 1, p95: 4 },
      { endpoint: 'GET /apply/s/{id}', calls: 1, errors: 0, p50: 4, p95: 4 },
    ]);
    assert.deepEqual(stats.latency, { p50: 4, p90: 3000, p99: 3000, max: 3000 });
    assert.deepEqual(
      stats.timeline.map(({ calls, errors }) => `${calls}/${errors}`),
      ['0/0', '0/0', '0/0', '0/0', '0/0', '2/0', '0/0', '0/0', '0/0', '4/2'],
    );
  });

  it('the histogram has every call once, without empty ends', () => {
    const store = open();
    const latencies = [3, 4, 5, 9, 10, 11, 60, 400];
    write(store, ...latencies.map((latencyMs, n) => ({ latencyMs, requestId: `req_${n}` })));
    assert.deepEqual(look(store).histogram, [
      { upTo: 5, calls: 3 },
      { upTo: 10, calls: 2 },
      { upTo: 20, calls: 1 },
      { upTo: 50, calls: 0 },
      { upTo: 100, calls: 1 },
      { upTo: 200, calls: 0 },
      { upTo: 500, calls: 1 },
    ]);
  });

  it('a call that both ends recorded counts once, as the caller recorded it; filters combine', () => {
    const store = open();
    write(
      store,
      { source: 'sandbox', requestId: 'req_1', latencyMs: 2 },
      { source: 'cli', requestId: 'req_1', latencyMs: 9 },
      { source: 'sandbox', requestId: 'req_2', latencyMs: 3, status: 422, errorCode: 'term_out_of_range' },
    );
    const stats = look(store);
    assert.deepEqual([stats.calls, stats.latency?.max], [2, 9]);
    assert.equal(look(store, { filter: { source: 'sandbox' } }).calls, 2);
    assert.equal(look(store, { filter: { source: 'sandbox', status: '4xx' } }).calls, 1);
    assert.equal(look(store, { filter: { source: 'cli', status: '4xx' } }).calls, 0);
  });

  it('the remaining rate limit is from the newest answer of each host; a 429 and invalid headers are ignored', () => {
    const store = open();
    const headers = (remaining: string, limit = '50', reset = '5') => ({
      'RateLimit-Limit': limit,
      'RateLimit-Remaining': remaining,
      'RateLimit-Reset': reset,
    });
    write(
      store,
      { responseHeaders: headers('40'), at: NOW - 3000 },
      { responseHeaders: headers('31'), at: NOW - 2000 },
      { responseHeaders: headers('0', '5'), status: 429, at: NOW - 1000 },
      { responseHeaders: headers('many'), at: NOW - 500 },
      { responseHeaders: headers('80', '100', '2'), origin: 'https://sandbox.credicorp.co.uk', environment: 'sandbox' },
    );
    const budgets = look(store).budgets.toSorted((a, b) => a.limit - b.limit);
    assert.deepEqual(budgets, [
      {
        origin: 'http://127.0.0.1:4010',
        environment: 'local',
        limit: 50,
        remaining: 31,
        at: NOW - 2000,
        fullAt: NOW + 3000,
      },
      {
        origin: 'https://sandbox.credicorp.co.uk',
        environment: 'sandbox',
        limit: 100,
        remaining: 80,
        at: NOW,
        fullAt: NOW + 2000,
      },
    ]);
  });

  it('an empty journal has no latency and no bars', () => {
    const stats = look(open());
    assert.deepEqual([stats.calls, stats.errors, stats.latency, stats.histogram, stats.budgets], [0, 0, null, [], []]);
    assert.equal(stats.timeline.length, 10);
  });
});

describe('limits', () => {
  it('are stored, so that other processes use them too', () => {
    const path = join(root, 'limits.db');
    const store = open(path);
    assert.deepEqual(readJournalLimits(store), DEFAULT_JOURNAL_LIMITS);
    setJournalLimits(store, { maxEntries: 250 });
    assert.deepEqual(setJournalLimits(store, { maxAgeMs: MINUTE }), {
      ...DEFAULT_JOURNAL_LIMITS,
      maxEntries: 250,
      maxAgeMs: MINUTE,
    });
    const other = open(path);
    write(other, ...Array.from({ length: 1000 }, (_, n) => ({ requestId: `req_${n}` })));
    assert.ok(count(other) >= 250 && count(other) < 460, String(count(other)));
  });

  it('pruneJournal deletes old entries, all when all are old, and keeps the limit in bytes', () => {
    const store = open();
    write(store, { at: NOW - 10 * MINUTE }, { at: NOW - 3 * MINUTE }, { at: NOW });
    assert.equal(pruneJournal(store, { ...DEFAULT_JOURNAL_LIMITS, maxAgeMs: 5 * MINUTE }, NOW), 1);
    assert.equal(count(store), 2);
    assert.equal(pruneJournal(store, { ...DEFAULT_JOURNAL_LIMITS, maxAgeMs: 5 * MINUTE }, NOW + 60 * MINUTE), 2);
    assert.equal(count(store), 0);
    write(store, ...Array.from({ length: 2000 }, () => ({ responseBody: 'x'.repeat(8000) })));
    pruneJournal(store, { ...DEFAULT_JOURNAL_LIMITS, maxBytes: 8 * 1024 * 1024 }, NOW);
    assert.ok(count(store) >= 300 && count(store) <= 1000, String(count(store)));
  });
});

describe('exchangesOf', () => {
  it('finds a call by its request, a delivery by its own id or its event', () => {
    const store = open();
    write(
      store,
      { requestId: 'req_1' },
      { requestId: 'req_1', source: 'sandbox' },
      { requestId: null, deliveryId: 'whd_1', eventId: 'evt_1', source: 'listener' },
    );
    assert.deepEqual(
      [exchangesOf(store, 'req_1').length, exchangesOf(store, 'whd_1').length, exchangesOf(store, 'evt_1').length],
      [2, 1, 1],
    );
    assert.deepEqual(exchangesOf(store, 'req_2'), []);
  });

  it('adds the type of an error that was recorded with its code only', () => {
    const store = open();
    write(
      store,
      { requestId: 'req_1', errorCode: 'term_out_of_range' },
      { requestId: 'req_2', errorCode: 'unheard_of' },
    );
    assert.deepEqual(
      ['req_1', 'req_2'].map((id) => exchangesOf(store, id)[0]?.errorType),
      ['invalid_request_error', null],
    );
  });
});
