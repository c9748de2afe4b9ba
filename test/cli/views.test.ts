/** command-line.md#output, row by row, on documents that try to escape it. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { root } from '../support/spawn.ts';
import { command, type Said } from '../support/world.ts';

process.env['TZ'] = 'UTC';
const frame = join(root, 'test', 'support', 'frame');

const ONE =
  '{"id":"app_1","status":"created","amount_pence":2500000,"big":9007199254740993,"ratio":1.0,"business":{"name":"Ada\\u001b[31m Ltd\\n","number":null},"created_at":"2026-06-29T10:14:02Z","amount":45000,"tags":["a","b"],"empty":{}}';
const PAGE = `{"data":[{"id":"app_1","status":"created","amount_pence":2500000,"business":{"name":"A\\tB"}},{"id":"app_2","status":"funded","amount_pence":100,"extra":1.50}],"has_more":true,"next_cursor":"c1"}`;

function show(document: string, as: string, terminal: boolean, ...flags: string[]): Promise<Said> {
  return command(
    { home: '/nonexistent', root: frame, terminal, env: { NO_COLOR: '1' } },
    'show',
    '--document',
    document,
    '--as',
    as,
    ...flags,
  );
}

const ROWS: [name: string, document: string, as: string, terminal: boolean, flags: string[], stdout: string][] = [
  [
    'object in a pipe',
    ONE,
    'object',
    false,
    [],
    'id\tapp_1\nstatus\tcreated\namount_pence\t2500000\nbig\t9007199254740993\nratio\t1.0\nbusiness.name\tAda\\u001b[31m Ltd\\n\nbusiness.number\t\ncreated_at\t2026-06-29T10:14:02Z\namount\t45000\ntags.0\ta\ntags.1\tb\nempty\t{}\n',
  ],
  [
    'object on a terminal',
    ONE,
    'object',
    true,
    [],
    'id             app_1\nstatus         created\namount_pence   £25,000.00\nbig            9007199254740993\nratio          1.0\nbusiness.name  Ada\\u001b[31m Ltd \ncreated_at     2026-06-29 10:14:02 +00:00\namount         45000\ntags.0         a\ntags.1         b\n',
  ],
  ['object as JSON in a pipe', ONE, 'object', false, ['--json'], `${ONE}\n`],
  ['field: a number keeps its text', ONE, 'object', false, ['--field', 'big'], '9007199254740993\n'],
  ['field: dotted', ONE, 'object', false, ['--field', 'amount_pence'], '2500000\n'],
  ['field: a list is one per line', ONE, 'object', false, ['--field', 'tags'], 'a\nb\n'],
  ['field: made safe on a terminal', ONE, 'object', true, ['--field', 'business.name'], 'Ada\\u001b[31m Ltd\\n\n'],
  ['field: made safe in a pipe', ONE, 'object', false, ['--field', 'business.name'], 'Ada\\u001b[31m Ltd\\n\n'],
  ['field: as it came', ONE, 'object', false, ['--field', 'business.name', '--raw'], 'Ada\u001b[31m Ltd\n\n'],
  ['field: null is an empty line', ONE, 'object', false, ['--field', 'business.number'], '\n'],
  [
    'field: an object is JSON',
    ONE,
    'object',
    false,
    ['--field', 'business'],
    '{"name":"Ada\\u001b[31m Ltd\\n","number":null}\n',
  ],
  ['quiet object', ONE, 'object', false, ['--quiet'], 'app_1\n'],
  ['page in a pipe', PAGE, 'page', false, [], 'app_1\tcreated\t2500000\tA\\tB\napp_2\tfunded\t100\t\n'],
  ['page as JSON', PAGE, 'page', false, ['--json'], `${PAGE}\n`],
  [
    'page on a terminal',
    PAGE,
    'page',
    true,
    [],
    'ID     STATUS   AMOUNT      BUSINESS.NAME\napp_1  created  £25,000.00  A B\napp_2  funded   £1.00\n',
  ],
  ['page: ids', PAGE, 'page', false, ['-q'], 'app_1\napp_2\n'],
  ['page: a field of each item', PAGE, 'page', false, ['--field', 'data.id'], 'app_1\napp_2\n'],
  ['page: the cursor', PAGE, 'page', false, ['--field', 'next_cursor'], 'c1\n'],
  ['stream in a pipe', PAGE, 'stream', false, [], 'app_1\tcreated\t2500000\tA\\tB\napp_2\tfunded\t100\t\n'],
  [
    'stream as NDJSON',
    PAGE,
    'stream',
    false,
    ['--json'],
    '{"id":"app_1","status":"created","amount_pence":2500000,"business":{"name":"A\\tB"}}\n{"id":"app_2","status":"funded","amount_pence":100,"extra":1.50}\n',
  ],
  [
    'stream as NDJSON on a terminal is NDJSON too',
    PAGE,
    'stream',
    true,
    ['--json'],
    '{"id":"app_1","status":"created","amount_pence":2500000,"business":{"name":"A\\tB"}}\n{"id":"app_2","status":"funded","amount_pence":100,"extra":1.50}\n',
  ],
  ['stream: a field of each', PAGE, 'stream', false, ['--field', 'status'], 'created\nfunded\n'],
];

for (const [name, document, as, terminal, flags, stdout] of ROWS) {
  test(name, async () => {
    const said = await show(document, as, terminal, ...flags);
    assert.equal(said.stdout, stdout);
    assert.deepEqual([said.status, said.stderr], [0, '']);
  });
}

test('JSON on a terminal is indented, and what a terminal obeys is escaped in it', async () => {
  const { stdout } = await show('{"a":"\u009b31m \u202e x","n":1.0}', 'object', true, '--json');
  assert.equal(stdout, '{\n  "a": "\\u009b31m \\u202e x",\n  "n": 1.0\n}\n');
});

test('an empty page says so on stderr, and stdout stays empty', async () => {
  const said = await show('{"data":[],"has_more":false}', 'page', true);
  assert.deepEqual(said, { status: 0, stdout: '', stderr: 'no applications\n' });
});

test('a field that is not there is an empty line and a note', async () => {
  const said = await show('{"id":"a"}', 'object', false, '--field', 'nope');
  assert.deepEqual(said, { status: 0, stdout: '\n', stderr: 'note: the answer has no field nope\n' });
});

test('--json, --field and --quiet exclude each other', async () => {
  for (const flags of [
    ['--json', '--quiet'],
    ['--json', '--field', 'id'],
    ['--quiet', '--field', 'id'],
  ]) {
    assert.equal((await show(ONE, 'object', false, ...flags)).status, 2, flags.join(' '));
  }
});

test('colour: NO_COLOR, FORCE_COLOR, TERM=dumb and --no-color are honoured; a pipe gets none', async () => {
  const colours = async (terminal: boolean, env: Record<string, string>, ...flags: string[]): Promise<boolean> =>
    (
      await command({ home: '/nonexistent', root: frame, terminal, env }, 'show', '--document', ONE, ...flags)
    ).stdout.includes('\u001b[');
  // The name in ONE carries an escape of its own, which only a terminal's view removes; a pipe gets the bytes as they came.
  const painted = async (env: Record<string, string>, ...flags: string[]): Promise<boolean> =>
    colours(true, env, ...flags);
  assert.equal(await painted({}), true);
  assert.equal(await painted({ NO_COLOR: '1' }), false);
  assert.equal(await painted({ TERM: 'dumb' }), false);
  assert.equal(await painted({ TERM: 'dumb', FORCE_COLOR: '1' }), true);
  assert.equal(await painted({ FORCE_COLOR: '0' }), false);
  assert.equal(await painted({}, '--no-color'), false);
  assert.equal(await painted({ NO_COLOR: '1', FORCE_COLOR: '1' }), false);
  assert.equal(await colours(false, {}, '--field', 'status'), false);
});

test('a table gives way in its widest columns first, and stacks where nothing is left to give', async () => {
  const wide = `{"data":[{"id":"app_1","status":"${'s'.repeat(70)}","amount_pence":2500000,"business":{"name":"Ada"}}],"has_more":false}`;
  const at = async (columns: number): Promise<string> =>
    (
      await command(
        { home: '/nonexistent', root: frame, terminal: true, columns, env: { NO_COLOR: '1' } },
        'show',
        '--document',
        wide,
        '--as',
        'page',
      )
    ).stdout;
  const eighty = await at(80);
  assert.ok(
    eighty.split('\n').every((line) => line.length <= 80),
    eighty,
  );
  assert.match(eighty, /app_1 .*s… {2}£25,000\.00 {2}Ada/);
  const tight = await at(42);
  assert.match(
    tight,
    /^app_1 {2}s+… +£25,000\.00 {2}Ada$/m,
    'ids and amounts are not cut while something else can give',
  );
  const narrow = await at(30);
  assert.match(narrow, /^ID +app_1\nSTATUS +s{70}\nAMOUNT +£25,000\.00\nBUSINESS\.NAME +Ada\n$/);
});
