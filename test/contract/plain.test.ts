/** Money, time and JSON: what people type, and what must come out as it came in. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseJson, scalarText, writeJson } from '../../src/lib/contract/json.ts';
import { formatPounds, parsePounds } from '../../src/lib/contract/money.ts';
import { isoSeconds, parseDuration, parseInstant } from '../../src/lib/contract/time.ts';

test('pounds as people write them', () => {
  const rows: [string, number | null][] = [
    ['25000', 2_500_000],
    ['25,000', 2_500_000],
    ['25,000.50', 2_500_050],
    ['£25,000', 2_500_000],
    ['1,234,567.89', 123_456_789],
    ['0.01', 1],
    ['12,34', null],
    ['1,2345', null],
    ['25000.5', null],
    ['25.000,50', null],
    ['-5', null],
    ['1e5', null],
    ['', null],
    ['٢٥', null],
    ['99999999999999999999', null],
  ];
  for (const [text, pence] of rows) assert.equal(parsePounds(text), pence, text);
});

test('pounds and pence go back and forth', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 10 ** 14 }), (pence) =>
      assert.equal(parsePounds(formatPounds(pence)), pence),
    ),
  );
  assert.equal(formatPounds(-123_456), '-£1,234.56');
});

test('durations and instants', () => {
  const durations: [string, number | null][] = [
    ['500ms', 500],
    ['10s', 10_000],
    ['2m', 120_000],
    ['1h', 3_600_000],
    ['3d', 259_200_000],
    ['1.5s', 1500],
    ['10', null],
    ['-1s', null],
    ['1 h', null],
    ['', null],
  ];
  for (const [text, ms] of durations) assert.equal(parseDuration(text), ms, text);
  const now = Date.parse('2026-06-29T10:00:00Z');
  assert.equal(parseInstant('10m', now), now - 600_000);
  assert.equal(parseInstant('2026-06-01', now), Date.parse('2026-06-01T00:00:00Z'));
  assert.equal(parseInstant('2026-06-29T09:00:00+01:00', now), Date.parse('2026-06-29T08:00:00Z'));
  for (const text of ['yesterday', '2026-13-01', '29/06/2026', '2026-06-29 10:00'])
    assert.equal(parseInstant(text, now), null, text);
  assert.equal(isoSeconds(now + 999), '2026-06-29T10:00:00Z');
});

test('numbers keep their text', () => {
  for (const text of [
    '9007199254740993',
    '1.0',
    '1e400',
    '-0',
    '0.1000',
    '123456789012345678901234567890',
    '1E5',
    '-1.50',
  ]) {
    assert.equal(writeJson(parseJson(`{"n":${text},"l":[${text}]}`)), `{"n":${text},"l":[${text}]}`);
    assert.equal(scalarText(parseJson(text)), text);
  }
});

test('any document comes out as it came in', () => {
  fc.assert(
    fc.property(fc.json(), (text) => {
      assert.deepEqual(JSON.parse(writeJson(parseJson(text))), JSON.parse(text));
    }),
  );
  fc.assert(
    fc.property(
      fc.array(
        fc.oneof(
          fc.integer().map(String),
          fc.double({ noNaN: true, noDefaultInfinity: true }).map((n) => n.toExponential()),
        ),
      ),
      (numbers) => {
        const text = `[${numbers.join(',')}]`;
        assert.equal(writeJson(parseJson(text)), text);
      },
    ),
  );
});

test('invalid JSON is a SyntaxError', () => {
  for (const text of ['', '{', '01', '1.', 'NaN', '{"a":1.0,}'])
    assert.throws(() => parseJson(text), SyntaxError, text);
});
