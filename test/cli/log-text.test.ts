import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { createDayHeading, type Paint } from '../../src/lib/cli/output/terminal-text.ts';
import { entryDocument, itemDocument, itemLine, fullText } from '../../src/lib/cli/logs/log-entry-text.ts';
import { statsCharts, timelineSteps } from '../../src/lib/cli/logs/log-charts.ts';
import { tabRow } from '../../src/lib/cli/output/format.ts';
import type { Stats } from '../../src/lib/journal/stats.ts';
import { NOW, record } from '../journal/support.ts';

process.env['TZ'] = 'UTC';
const same = (text: string): string => text;
const paint: Paint = { dim: same, bold: same, good: same, bad: same, warn: same };
// oxlint-disable-next-line no-control-regex
const OBEYED = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e]/;

describe('the charts of the log', () => {
  const calls = fc.nat(1_000_000);
  const ms = fc.double({ min: 0, max: 600_000, noNaN: true });
  const label = fc.string({ unit: 'grapheme-ascii', maxLength: 300 });
  const numbers = fc.record({
    calls,
    errors: calls,
    statuses: fc.array(fc.record({ status: fc.constantFrom('200', '422', '503', 'none'), calls }), { maxLength: 8 }),
    endpoints: fc.array(fc.record({ endpoint: label, calls, errors: calls, p50: ms, p95: ms }), { maxLength: 15 }),
    latency: fc.option(fc.record({ p50: ms, p90: ms, p99: ms, max: ms })),
    histogram: fc.array(fc.record({ upTo: fc.option(fc.constantFrom(1, 50, 2000, 10_000)), calls }), { maxLength: 14 }),
    timeline: fc.array(fc.record({ at: calls, calls, errors: calls }), { minLength: 10, maxLength: 400 }),
    budgets: fc.array(
      fc.record({
        origin: fc.webUrl(),
        environment: fc.constant('local'),
        limit: fc.integer({ min: 50, max: 1000 }),
        remaining: fc.integer({ min: 0, max: 50 }),
        at: fc.integer({ min: NOW - 1e6, max: NOW }),
        fullAt: fc.integer({ min: NOW - 1e6, max: NOW + 1e6 }),
      }),
      { maxLength: 3 },
    ),
  });

  it('is never wider than the terminal, whatever the numbers and the width', () => {
    fc.assert(
      fc.property(numbers, fc.integer({ min: 30, max: 300 }), (stats: Stats, columns) => {
        const cut = { ...stats, timeline: stats.timeline.slice(0, timelineSteps(columns)) };
        const charts = statsCharts(cut, { from: NOW - 1e6, to: NOW, columns, paint });
        for (const line of charts.split('\n')) assert.ok([...line].length < columns, `${columns}: ${line}`);
        assert.doesNotMatch(charts, OBEYED);
      }),
      { numRuns: 300 },
    );
  });

  it('marks failures with a sign, so that nothing is shown by colour alone', () => {
    const stats: Stats = {
      ...{ calls: 3, errors: 2, latency: null, histogram: [], timeline: [], budgets: [] },
      statuses: [
        { status: '200', calls: 1 },
        { status: '503', calls: 1 },
        { status: 'none', calls: 1 },
      ],
      endpoints: [{ endpoint: 'GET /x', calls: 3, errors: 2, p50: 1, p95: 2 }],
    };
    const charts = statsCharts(stats, { from: NOW - 1000, to: NOW, columns: 80, paint });
    assert.match(charts, /^200 /m);
    assert.match(charts, /^503! /m);
    assert.match(charts, /^no answer! /m);
    assert.match(charts, /^ {5}3 {5}2! .*GET \/x$/m);
    assert.match(charts, /3 calls, 2 errors \(66\.7 %\)/);
  });
});

describe('a line of the log', () => {
  const look = { colour: false, bodies: true, heading: () => null };

  it('escapes control characters of the content', () => {
    const hostile = 'a\u001b]0;x\u0007\u001b[2J\n> forged\u202e';
    const more = {
      path: hostile,
      note: hostile,
      requestBody: hostile,
      responseBody: `{"a":"${hostile}"}`,
      errorCode: hostile,
    };
    const entry = { seq: 1, ...record({ ...more, requestHeaders: { 'x-a': hostile } }) };
    const [line = '', ...bodies] = itemLine(entryDocument(entry), look).split('\n');
    assert.match(line, /^ {2}10:15:00 cli/);
    assert.ok(
      bodies.every((text) => /^[<>] {3}/.test(text)),
      'every other line says whose it is',
    );
    assert.doesNotMatch(itemLine(entryDocument(entry), look), OBEYED);
    assert.doesNotMatch(fullText([entry]), OBEYED);
  });

  it('begins with a sign where the call failed, in colour or not', () => {
    const of = (more: Parameters<typeof record>[0], colour = false): string =>
      itemLine(entryDocument({ seq: 1, ...record(more) }), { colour, bodies: false, heading: () => null });
    assert.match(of({}), /^ {2}\d/);
    assert.match(of({ status: 404 }), /^! .* 404 /);
    assert.match(of({ status: null, note: 'timeout', attempt: 2 }), /^! .* FAILED 13ms try 2 timeout /);
    const red = of({ status: 500 }, true);
    assert.ok(red.startsWith('\u001b[31m! ') && red.endsWith('\u001b[39m'), red);
  });

  it('has the time of day only: day and zone stand above it where they change', () => {
    const heading = createDayHeading();
    const of = (at: string, colour = false): string =>
      itemLine(entryDocument({ seq: 1, ...record({ at: Date.parse(at) }) }), { colour, bodies: false, heading });
    assert.match(of('2026-06-29T10:15:00Z'), /^2026-06-29, times at \+00:00\n {2}10:15:00 /);
    assert.match(of('2026-06-29T23:59:59Z'), /^ {2}23:59:59 /);
    assert.match(of('2026-06-30T00:00:00Z'), /^2026-06-30, times at \+00:00\n {2}00:00:00 /);
  });

  it('a gap is a gap on a terminal, in a pipe and as JSON', () => {
    for (const why of ['pruned', 'replaced'] as const) {
      const gap = itemDocument({ type: 'gap', why });
      assert.match(itemLine(gap, look), /^-- some entries are missing here: .* --$/);
      assert.match(tabRow(gap, [{ path: 'at' }, { path: 'note' }]), /^\tsome entries are missing here/);
      assert.deepEqual([gap['type'], gap['why']], ['gap', why]);
    }
  });
});
