import { retryAfterMs } from '../../src/lib/contract/error-answer.ts';
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { decideRetry, type Outcome, type RetryVerdict, type Try } from '../../src/lib/api/retry.ts';

const NOW = Date.parse('2026-06-29T10:15:00Z');
const limits = { maxRetries: 3, totalMs: 120_000, maxWaitMs: 60_000 };
const base: Try = {
  attempt: 1,
  method: 'GET',
  keyed: false,
  outcome: { trouble: 'reset' },
  now: NOW,
  startedAt: NOW,
  random: 0.5,
  limits,
};
const status = (code: number, headers: Record<string, string> = {}, problem: string | null = null): Outcome => ({
  status: code,
  code: problem,
  headers,
});

describe('decideRetry, row by row', () => {
  const rows: [what: string, tried: Partial<Try>, verdict: RetryVerdict][] = [
    ['200', { outcome: status(200) }, { stop: 'done' }],
    ['400', { outcome: status(400) }, { stop: 'done' }],
    ['401', { outcome: status(401) }, { stop: 'done' }],
    ['403', { outcome: status(403) }, { stop: 'done' }],
    ['404', { outcome: status(404) }, { stop: 'done' }],
    ['409', { outcome: status(409, {}, 'state_conflict') }, { stop: 'done' }],
    [
      '409 in progress',
      { outcome: status(409, { 'retry-after': '1' }, 'idempotency_key_in_progress'), method: 'POST', keyed: true },
      { wait: 1125, reason: 'idempotency_key_in_progress' },
    ],
    [
      '409 in progress, no header',
      { outcome: status(409, {}, 'idempotency_key_in_progress'), method: 'POST', keyed: true, attempt: 2 },
      { wait: 1000, reason: 'idempotency_key_in_progress' },
    ],
    ['422', { outcome: status(422) }, { stop: 'done' }],
    ['501', { outcome: status(501) }, { stop: 'done' }],
    ['500', { outcome: status(500) }, { wait: 500, reason: '500' }],
    ['502', { outcome: status(502) }, { wait: 500, reason: '502' }],
    ['503 with Retry-After', { outcome: status(503, { 'retry-after': '7' }) }, { wait: 7125, reason: '503' }],
    [
      '503 does not read RateLimit-Reset',
      { outcome: status(503, { 'ratelimit-reset': '5' }) },
      { wait: 500, reason: '503' },
    ],
    ['504', { outcome: status(504), attempt: 2 }, { wait: 1000, reason: '504' }],
    [
      '429 with both headers',
      { outcome: status(429, { 'retry-after': '2', 'ratelimit-reset': '9' }) },
      { wait: 2125, reason: '429' },
    ],
    ['429 with RateLimit-Reset', { outcome: status(429, { 'ratelimit-reset': '5' }) }, { wait: 5125, reason: '429' }],
    ['429 with neither', { outcome: status(429), attempt: 3 }, { wait: 2000, reason: '429' }],
    [
      '429 with nonsense',
      { outcome: status(429, { 'retry-after': '-3', 'ratelimit-reset': 'soon' }) },
      { wait: 500, reason: '429' },
    ],
    [
      'Retry-After as a date',
      { outcome: status(429, { 'retry-after': 'Mon, 29 Jun 2026 10:15:04 GMT' }) },
      { wait: 4125, reason: '429' },
    ],
    [
      'Retry-After as a date, by the server’s clock',
      {
        outcome: status(429, { 'retry-after': 'Mon, 29 Jun 2026 11:00:04 GMT', date: 'Mon, 29 Jun 2026 11:00:00 GMT' }),
      },
      { wait: 4125, reason: '429' },
    ],
    [
      'Retry-After in the past',
      { outcome: status(503, { 'retry-after': 'Mon, 29 Jun 2026 09:00:00 GMT' }) },
      { wait: 125, reason: '503' },
    ],
    ['Retry-After too long', { outcome: status(429, { 'retry-after': '3600' }) }, { stop: 'wait' }],
    ['no time left', { outcome: status(503, { 'retry-after': '10' }), startedAt: NOW - 115_000 }, { stop: 'time' }],
    ['reset', {}, { wait: 500, reason: 'reset' }],
    ['timeout', { outcome: { trouble: 'timeout' } }, { wait: 500, reason: 'timeout' }],
    ['refused elsewhere', { outcome: { trouble: 'connection_refused' } }, { wait: 500, reason: 'connection_refused' }],
    ['refused on this machine', { outcome: { trouble: 'nothing_listening' } }, { stop: 'done' }],
    ['tls', { outcome: { trouble: 'tls' } }, { stop: 'done' }],
    ['unknown host', { outcome: { trouble: 'unknown_host' } }, { stop: 'done' }],
    ['interrupted', { outcome: { status: 0, code: null, headers: {} } }, { stop: 'done' }],
    ['a write without a key', { method: 'POST' }, { stop: 'unsafe' }],
    ['a delete without a key', { method: 'DELETE', outcome: status(503) }, { stop: 'unsafe' }],
    ['a write with its key', { method: 'POST', keyed: true }, { wait: 500, reason: 'reset' }],
    ['the last try', { attempt: 4 }, { stop: 'attempts' }],
    ['the try before', { attempt: 3 }, { wait: 2000, reason: 'reset' }],
    ['no retries wanted', { limits: { ...limits, maxRetries: 0 } }, { stop: 'attempts' }],
    ['no jitter', { random: 0, attempt: 3 }, { wait: 0, reason: 'reset' }],
  ];
  for (const [what, tried, verdict] of rows) {
    it(what, () => assert.deepEqual(decideRetry({ ...base, ...tried }), verdict));
  }
});

describe('decideRetry', () => {
  it('never waits longer than allowed, never repeats an unkeyed write, whatever the server says', () => {
    const headers = fc.dictionary(
      fc.constantFrom('retry-after', 'ratelimit-reset', 'date'),
      fc.oneof(
        fc.string(),
        fc.nat().map(String),
        fc.date({ noInvalidDate: true }).map((date) => date.toUTCString()),
      ),
    );
    const outcome = fc.record({
      status: fc.integer({ min: 0, max: 999 }),
      code: fc.constantFrom(null, 'idempotency_key_in_progress'),
      headers,
    });
    fc.assert(
      fc.property(
        outcome,
        fc.integer({ min: 1, max: 9 }),
        fc.boolean(),
        fc.constantFrom('GET', 'POST'),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        (outcome, attempt, keyed, method, random) => {
          const verdict = decideRetry({ ...base, outcome, attempt, keyed, method, random });
          if ('stop' in verdict) return;
          assert.ok(verdict.wait >= 0 && verdict.wait <= limits.maxWaitMs && Number.isInteger(verdict.wait));
          assert.ok(method === 'GET' || keyed);
          assert.ok(attempt <= limits.maxRetries);
        },
      ),
    );
  });
});

describe('waitAsked', () => {
  it('reads seconds and dates, and nothing else', () => {
    assert.equal(retryAfterMs({ 'retry-after': ' 3 ' }, NOW), 3000);
    assert.equal(retryAfterMs({ 'retry-after': 'Monday, 29-Jun-26 10:15:02 GMT' }, NOW), 2000);
    for (const text of ['', '1.5', '1e3', 'Mon, 99 Foo', '2026-06-29T10:15:02Z', '99999999999']) {
      assert.equal(retryAfterMs({ 'retry-after': text }, NOW), null, text);
    }
    assert.equal(retryAfterMs({}, NOW), null);
  });
});
