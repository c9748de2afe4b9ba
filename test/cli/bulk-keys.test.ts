/** Which rows count as the same when a file is run again (docs/decisions/bulk.md). */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { freshHome } from '../support/spawn.ts';
import { command, type Said } from '../support/world.ts';

const home = freshHome();
after(() => home[Symbol.dispose]());

const A = '16093826,25000,12,a';
const B = '16093826,25000,12,b';
const C = '00000401,40000,24,c';
const HEADER = 'company,amount,term,reference';

const ROWS: [name: string, first: string[], again: string[], same: (number | null)[]][] = [
  ['run again as it is', [A, B, C], [A, B, C], [0, 1, 2]],
  ['two identical rows are two applications, now and again', [A, A], [A, A], [0, 1]],
  ['one of two identical rows taken out', [A, A], [A], [0]],
  ['a third identical row added', [A, A], [A, A, A], [0, 1, null]],
  ['a row moved', [A, B, C], [C, A, B], [2, 0, 1]],
  ['identical rows moved apart', [A, A, B], [A, B, A], [0, 2, 1]],
  ['a row corrected', [A, B, C], [A, `${B}2`, C], [0, null, 2]],
  ['a row put in above the others', [A, B], [C, A, B], [null, 0, 1]],
  ['a file of what is left', [A, B, C], [C], [2]],
  ['the same said otherwise', [A], ['16093826,"25,000.00",12,a'], [0]],
];

for (const [name, first, again, same] of ROWS) {
  test(`${name}: which keys are sent again`, async () => {
    const [before, now] = [await keys([HEADER, ...first]), await keys([HEADER, ...again])];
    assert.equal(new Set(before).size, before.length, 'no two rows of a file share a key');
    assert.equal(new Set(now).size, now.length);
    assert.deepEqual(
      now.map((key) => (before.includes(key) ? before.indexOf(key) : null)),
      same,
    );
  });
}

test('columns in another order, other names of one column, NDJSON in place of CSV: the same rows', async () => {
  const csv = await keys([HEADER, A]);
  assert.deepEqual(await keys(['reference,term,company,amount_pence', 'a,12,16093826,2500000']), csv);
  assert.deepEqual(await keys(['{"company":"16093826","amount":25000,"term":12,"reference":"a"}']), csv);
});

test('a key that a row of a rejects file brings along is the one that is sent, and no other row gets it', async () => {
  const [, second = ''] = await keys([HEADER, A, A]);
  const header = `${HEADER},idempotency-key,#error`;
  for (const rows of [
    [`${A},${second},unavailable: no answer`, `${A},,`],
    [`${A},,refused`, `${A},${second},`],
  ]) {
    const sent = await keys([header, ...rows]);
    assert.equal(sent[rows.findIndex((row) => row.includes(second))], second);
    assert.notEqual(sent[0], sent[1]);
  }
  const twice = await dryRun([header, `${A},key-1,`, `${B},key-1,`]);
  assert.deepEqual([twice.status, twice.stdout], [2, '']);
  assert.match(twice.stderr, /line 3: the idempotency-key is already used in line 2/);
});

test('a run with a name of its own shares no key', async () => {
  const [mine, other] = [await keys([HEADER, A]), await keys([HEADER, A], '--idempotency-key', 'second-run')];
  assert.notDeepEqual(mine, other);
});

async function keys(lines: string[], ...flags: string[]): Promise<string[]> {
  const said = await dryRun(lines, ...flags);
  assert.equal(said.status, 0, said.stderr);
  return said.stdout.trim().split('\n');
}

function dryRun(lines: string[], ...flags: string[]): Promise<Said> {
  const path = join(home.path, 'rows');
  writeFileSync(path, `${lines.join('\n')}\n`);
  const env = { CC_SECRET_KEY: 'sk_test_local', CC_BASE: 'http://127.0.0.1:9' };
  const show = ['--dry-run', '--field', 'headers.Idempotency-Key', ...flags];
  return command({ home: home.path, env }, 'apps', 'create', '--from', path, ...show);
}
