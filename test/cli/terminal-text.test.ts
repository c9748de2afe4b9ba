import assert from 'node:assert/strict';
import { safeJson } from '../../src/lib/contract/json.ts';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Context } from '../../src/lib/cli/context.ts';
import { errorLines } from '../../src/lib/cli/explain.ts';
import {
  createDayHeading,
  cut,
  escapeControls,
  plain,
  plainLine,
  wantsColour,
} from '../../src/lib/cli/output/terminal-text.ts';
import { type View, writeResult } from '../../src/lib/cli/output/write.ts';
import { object, page, type Result } from '../../src/lib/cli/result.ts';
import { Failure } from '../../src/lib/failure.ts';
import { suggest } from '../../src/lib/cli/suggest.ts';
import { tabRow } from '../../src/lib/cli/output/format.ts';

process.env['TZ'] = 'Europe/London';

// oxlint-disable-next-line no-control-regex
const OBEYED = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/;

test('what a terminal would obey is escaped, and everything else stays', () => {
  const rows: [string, string][] = [
    ['\u001b[31mred\u001b[0m', '\\u001b[31mred\\u001b[0m'],
    ['\u001b]8;;https://evil.example\u001b\\link', '\\u001b]8;;https://evil.example\\u001b\\link'],
    ['\u009b31mx', '\\u009b31mx'],
    ['a\u0008b', 'a\\u0008b'],
    ['\u202eabc\u2028', '\\u202eabc\\u2028'],
    ['a\nb', 'a\nb'],
    ['a\r\nb\rc\td', 'a\nb\\rc d'],
    ['Ünïcödé ✓ שלום 👩‍👩‍👧', 'Ünïcödé ✓ שלום 👩‍👩‍👧'],
  ];
  for (const [text, want] of rows) assert.equal(plain(text), want);
  assert.equal(plainLine('a \n b'), 'a b');
  assert.equal(escapeControls('a\tb\r\nc\u001b'), 'a\\tb\\r\\nc\\u001b');
});

const hostile = fc
  .array(
    fc.oneof(
      fc.constantFrom('\u001b', '[', ']', 'm', '\u009b', '\u0007', '\\', '\u202e', '\u2028', '0', ';', 'P', '\n'),
      fc.string({ unit: 'binary' }),
    ),
  )
  .map((parts) => parts.join(''));

test('nothing a terminal obeys survives, whatever comes', () => {
  fc.assert(
    fc.property(hostile, (text) => {
      assert.doesNotMatch(plain(text), OBEYED);
      assert.doesNotMatch(escapeControls(text), OBEYED);
      assert.doesNotMatch(escapeControls(text), /\n/);
      const json = JSON.stringify({ [text]: text }, null, 2);
      assert.doesNotMatch(safeJson(json), OBEYED);
      assert.deepEqual(JSON.parse(safeJson(json)), JSON.parse(json));
    }),
    { numRuns: 2000 },
  );
});

test('every view of a result is safe, on a terminal or piped; --raw alone gives the bytes', async () => {
  const text = 'a\u001b]0;title\u0007\u202e\u0085\n"x"\t\u2028b';
  const document = { id: text, note: text };
  const usual: View = { json: false, field: null, raw: false, quiet: false, color: false };
  const views: Partial<View>[] = [{}, { json: true }, { field: 'note' }, { quiet: true }];
  const results: Result[] = [object(document), page({ data: [document] }, [{ path: 'id' }, { path: 'note' }], 'none')];
  for (const isTTY of [true, false])
    for (const view of views)
      for (const result of results) {
        const field = view.field === 'note' && result.kind === 'page' ? 'data.note' : (view.field ?? null);
        const written = await shown({ ...usual, ...view, field }, result, isTTY);
        assert.match(written, /title/);
        assert.doesNotMatch(
          written.replaceAll(isTTY || view.json ? /x^/g : '\t', ''),
          OBEYED,
          JSON.stringify({ isTTY, view }),
        );
      }
  assert.equal(await shown({ ...usual, field: 'note', raw: true }, object(document), false), `${text}\n`);
  const failure = new Failure('refused', text, { code: text, param: text, next: text, requestId: text });
  const paint = { bad: (line: string) => line, dim: (line: string) => line };
  assert.doesNotMatch(errorLines(failure, paint), OBEYED);
});

async function shown(view: View, result: Result, isTTY: boolean): Promise<string> {
  let text = '';
  const stdout = {
    isTTY,
    columns: 80,
    write(chunk: string | Uint8Array, taken?: () => void): boolean {
      text += String(chunk);
      taken?.();
      return true;
    },
    on: () => stdout,
  };
  await writeResult(
    { stdout, stderr: stdout, env: {}, signal: new AbortController().signal } as unknown as Context,
    view,
    result,
  );
  return text;
}

test('a row stays one row with its columns, whatever the values hold', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (a, b) => {
      const line = tabRow({ a, b }, [{ path: 'a' }, { path: 'b' }]);
      assert.equal(line.split('\n').length, 2);
      assert.equal(line.split('\t').length, 2);
    }),
  );
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
