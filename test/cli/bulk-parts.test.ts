/** The parts of bulk work: comma-separated values, work in order, the bar, the QR code. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { encode } from 'uqr';
import { csvLine, parseCsv } from '../../src/lib/cli/bulk/rows-file.ts';
import { mapConcurrently } from '../../src/lib/cli/bulk/concurrent-items.ts';
import { barText } from '../../src/lib/cli/output/status-line.ts';
import { qrLines } from '../../src/lib/cli/output/qr-code.ts';

test('what is written as CSV is read back, whatever the cells hold', () => {
  const cell = fc.string({ unit: fc.constantFrom('a', ',', '"', '\n', '\r', ' ', 'é', ';') });
  const record = fc.array(cell, { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(fc.array(record, { maxLength: 5 }), (records) => {
      const read = parseCsv(records.map(csvLine).join(''));
      assert.deepEqual(
        read.map(({ cells }) => cells),
        records,
      );
    }),
  );
});

test('CSV as spreadsheets write it', () => {
  const rows: [text: string, want: [line: number, cells: string[]][]][] = [
    [
      '\uFEFFa,b\r\n1,2\r\n',
      [
        [1, ['a', 'b']],
        [2, ['1', '2']],
      ],
    ],
    [
      'a\n\n1',
      [
        [1, ['a']],
        [3, ['1']],
      ],
    ],
    [
      'a,b\n"x\ny","say ""hi"""\nz,',
      [
        [1, ['a', 'b']],
        [2, ['x\ny', 'say "hi"']],
        [4, ['z', '']],
      ],
    ],
    ['', []],
  ];
  for (const [text, want] of rows)
    assert.deepEqual(
      parseCsv(text),
      want.map(([line, cells]) => ({ line, cells })),
    );
  for (const wrong of ['a\n"b', 'a\n"b"c', 'a\nb"c']) assert.throws(() => parseCsv(wrong), /line 2: a quote/);
});

test('results come in the order of the items, with no more under way than allowed', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.nat(5), { maxLength: 40 }),
      fc.integer({ min: 1, max: 6 }),
      async (turns, concurrency) => {
        let underWay = 0;
        let most = 0;
        const work = async (turn: number): Promise<number> => {
          most = Math.max(most, (underWay += 1));
          for (let n = 0; n < turn; n += 1) await Promise.resolve();
          underWay -= 1;
          return turn;
        };
        assert.deepEqual(await Array.fromAsync(mapConcurrently(turns, { concurrency }, work)), turns);
        assert.ok(most <= concurrency);
        const any = await Array.fromAsync(mapConcurrently(turns, { concurrency, ordered: false }, work));
        assert.deepEqual(any.sort(), [...turns].sort());
      },
    ),
    { numRuns: 50 },
  );
});

test('a source is asked no faster than the work goes, and a failure comes in its place', async () => {
  let asked = 0;
  const endless = function* (): Generator<number> {
    for (;;) yield (asked += 1);
  };
  const got: number[] = [];
  const work = async (item: number): Promise<number> => {
    if (item === 3) throw new Error('third');
    return item;
  };
  await assert.rejects(async () => {
    for await (const item of mapConcurrently(endless(), { concurrency: 2 }, work)) got.push(item);
  }, /third/);
  assert.deepEqual(got, [1, 2]);
  assert.ok(asked < 40);
});

test('the bar says how far, how fast, what failed and how long', () => {
  const bar = barText({ done: 120, failed: 3, total: 360, tookMs: 24_000, ascii: true });
  assert.equal(bar, '########---------------- 120/360  5.0/s  3 failed  48s left');
  assert.match(barText({ done: 0, failed: 0, total: 5, tookMs: 0, ascii: false }), /^░{24} 0\/5 .*starting$/);
  assert.match(barText({ done: 1, failed: 0, total: 5000, tookMs: 1000, ascii: true }), /1h23m left$/);
});

test('a QR code keeps every module when two rows share a line', () => {
  const { data, size } = encode('https://pay.example/x', { ecc: 'M', border: 2 });
  const lines = qrLines(data);
  assert.equal(lines.length, Math.ceil(size / 2));
  const light = { ' ': [false, false], '▄': [false, true], '▀': [true, false], '█': [true, true] } as const;
  data.forEach((row, y) => {
    row.forEach((dark, x) => {
      const glyph = (lines[Math.floor(y / 2)] ?? '')[x] as keyof typeof light;
      assert.equal(light[glyph][y % 2 === 0 ? 0 : 1], !dark);
    });
  });
});
