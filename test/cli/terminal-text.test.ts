import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createDayHeading, cut, plain, plainLine, wantsColour } from '../../src/lib/cli/output/terminal-text.ts';
import { suggest } from '../../src/lib/cli/suggest.ts';
import { tabCell, tabRow } from '../../src/lib/cli/output/format.ts';

process.env['TZ'] = 'Europe/London';

// oxlint-disable-next-line no-control-regex
const OBEYED = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/;

test('escape sequences go as a whole', () => {
  const rows: [string, string][] = [
    ['\u001b[31mred\u001b[0m', 'red'],
    ['\u001b[?25lx', 'x'],
    ['\u001b]0;title\u0007x', 'x'],
    ['\u001b]8;;https://evil.example\u001b\\link\u001b]8;;\u001b\\', 'link'],
    ['\u001bPq data\u001b\\x', 'x'],
    ['\u009b31mx', 'x'],
    ['a\u0008b', 'a b'],
    ['a\nb', 'a\nb'],
    ['Ünïcödé ✓', 'Ünïcödé ✓'],
  ];
  for (const [text, want] of rows) assert.equal(plain(text), want);
  assert.equal(plainLine('a \n b'), 'a b');
});

test('nothing a terminal obeys survives, whatever comes', () => {
  const hostile = fc.array(
    fc.oneof(
      fc.constantFrom('\u001b', '[', ']', 'm', '\u009b', '\u0007', '\\', '\u202e', '0', ';', 'P'),
      fc.string({ unit: 'binary' }),
    ),
  );
  fc.assert(
    fc.property(hostile, (parts) => {
      assert.doesNotMatch(plain(parts.join('')), OBEYED);
    }),
    { numRuns: 2000 },
  );
});

test('a row stays one row with its columns, whatever the values hold', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (a, b) => {
      const line = tabRow({ a, b }, [{ path: 'a' }, { path: 'b' }]);
      assert.equal(line.split('\n').length, 2);
      assert.equal(line.split('\t').length, 2);
    }),
  );
  assert.equal(tabCell('a\tb\r\nc'), 'a\\tb\\r\\nc');
});

test('cut counts columns of a terminal: wide characters take two, marks none', () => {
  const rows: [string, number, string][] = [
    ['abc', 3, 'abc'],
    ['abcd', 3, 'ab…'],
    ['😀😀😀', 6, '😀😀😀'],
    ['😀😀😀', 5, '😀😀…'],
    ['😀😀😀', 4, '😀…'],
    ['東京都', 4, '東…'],
    ['e\u0301e\u0301', 2, 'e\u0301e\u0301'],
    ['abc', 1, '…'],
    ['abc', 0, ''],
  ];
  for (const [text, width, want] of rows) assert.equal(cut(text, width), want);
});

test('the nearest word is offered, and none where nothing is near', () => {
  const known = ['apps create', 'apps get', 'apps list', 'sandbox start', 'login'];
  const rows: [string, string | null][] = [
    ['apps craete', 'apps create'],
    ['app list', 'apps list'],
    ['sandbox', 'sandbox start'],
    ['lgoin', 'login'],
    ['kubernetes', null],
    ['x', null],
  ];
  for (const [word, want] of rows) assert.equal(suggest(word, known), want, word);
});

test('colour: who wins', () => {
  const rows: [env: Record<string, string>, tty: boolean, flag: boolean, want: boolean][] = [
    [{}, true, true, true],
    [{}, false, true, false],
    [{}, true, false, false],
    [{ NO_COLOR: '1' }, true, true, false],
    [{ NO_COLOR: '' }, true, true, true],
    [{ FORCE_COLOR: '1' }, false, true, true],
    [{ FORCE_COLOR: '1' }, false, false, false],
    [{ FORCE_COLOR: '0' }, true, true, false],
    [{ NO_COLOR: '1', FORCE_COLOR: '1' }, true, true, false],
    [{ TERM: 'dumb' }, true, true, false],
  ];
  for (const [env, isTTY, flag, want] of rows)
    assert.equal(wantsColour({ env }, { isTTY }, flag), want, JSON.stringify({ env, isTTY, flag }));
});

test('day and zone stand once, and again when the day or the offset changes', () => {
  const heading = createDayHeading();
  assert.equal(heading('2026-10-24T22:59:59.999Z'), '2026-10-24, times at +01:00');
  assert.equal(heading(Date.parse('2026-10-24T22:59:59.999Z')), null);
  assert.equal(heading('2026-10-24T23:00:00.000Z'), '2026-10-25, times at +01:00', 'midnight here, not at Greenwich');
  assert.equal(heading('2026-10-25T00:59:59.000Z'), null);
  assert.equal(heading('2026-10-25T01:00:00.000Z'), '2026-10-25, times at +00:00', 'the clocks went back');
  assert.equal(heading('2026-10-25T01:00:01.000Z'), null);
});
