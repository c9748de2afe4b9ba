/** command-line.md#exit-status, row by row, through the frame in both modes. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { asFailure, errorDocument, errorLines, STATUS } from '../../src/lib/cli/explain.ts';
import { Failure, type FailureKind } from '../../src/lib/failure.ts';
import { root } from '../support/spawn.ts';
import { command } from '../support/world.ts';

const frame = join(root, 'test', 'support', 'frame');
const bare = { bad: (text: string) => text, dim: (text: string) => text };

const TABLE: [kind: FailureKind, status: number][] = [
  ['refused', 1],
  ['usage', 2],
  ['not_found', 3],
  ['auth', 4],
  ['rate_limited', 5],
  ['unavailable', 6],
  ['bad_signature', 7],
  ['pending', 8],
  ['unmet', 9],
  ['bug', 70],
  ['interrupted', 130],
];

for (const [kind, status] of TABLE) {
  test(`${kind} ends with ${status}, in words and as JSON, and stdout stays empty`, async () => {
    const words = await command({ home: '/nonexistent', root: frame }, 'refuse', '--kind', kind);
    assert.deepEqual([words.status, words.stdout], [status, '']);
    assert.match(
      words.stderr,
      /^error: the term is out of range\n.*422 term_out_of_range · param term_months · request req_7Hs2bV9k4LmQ\n.*use --term 3 to 60 · more: credicorp errors explain term_out_of_range\n {2}credicorp support report req_7Hs2bV9k4LmQ\n$/,
    );
    const json = await command({ home: '/nonexistent', root: frame }, 'refuse', '--kind', kind, '--json');
    assert.deepEqual([json.status, json.stdout], [status, '']);
    assert.deepEqual(JSON.parse(json.stderr), {
      error: {
        kind,
        status: 422,
        type: 'invalid_request_error',
        code: 'term_out_of_range',
        message: 'the term is out of range',
        param: 'term_months',
        request_id: 'req_7Hs2bV9k4LmQ',
        next: 'use --term 3 to 60',
      },
    });
    assert.equal(json.stderr.split('\n').length, 2, 'one document, one line');
  });
}

test('the table has every kind once', () => {
  assert.deepEqual(Object.entries(STATUS), TABLE);
});

test('what nobody threw on purpose is a bug: 70, no secret, where to report it, no stack', async () => {
  for (const flags of [[], ['--json'], ['--debug']]) {
    const said = await command({ home: '/nonexistent', root: frame }, 'refuse', '--kind', 'crash', ...flags);
    assert.equal(said.status, 70);
    assert.doesNotMatch(said.stderr, /PLANTED/);
    assert.match(said.stderr, /Reporting a problem/);
    assert.equal(/\n\s+at /.test(said.stderr), flags[0] === '--debug');
  }
});

test('mistakes on the command line are usage, with a way on', async () => {
  const rows: [argv: string[], says: RegExp][] = [
    [['nothing-like-it'], /there is no command "nothing-like-it"/],
    [['shwo'], /did you mean: credicorp show/],
    [['show', 'extra', '--document', '1'], /too many arguments/],
    [['show'], /document/],
    [['show', '--document'], /--document expects a value/],
    [['show', '--document', '1', '--docment', '2'], /unknown flag --docment/],
    [['show', '--document', '1', '--timeout', 'soon'], /"soon" is not a duration/],
    [['show', '--document', '1', '--max-retries', '-1'], /max-retries/],
    [['show', '--document', '1', '--field', ''], /--field needs a path/],
    [['--no-color'], /no command given/],
    [['--timeout', 'soon', 'show', '--document', '1'], /"soon" is not a duration/],
    [['--debug', '--timeout=1s', 'shwo'], /did you mean: credicorp show/],
  ];
  for (const [argv, says] of rows) {
    const said = await command({ home: '/nonexistent', root: frame }, ...argv);
    assert.equal(said.status, 2, argv.join(' '));
    assert.equal(said.stdout, '');
    assert.match(said.stderr, says);
    assert.match(said.stderr, /\n {2}\S/, 'a next step');
  }
});

test('flags that every command has may stand before it', async () => {
  const said = await command(
    { home: '/nonexistent', root: frame },
    '--field',
    'a',
    '--no-color',
    'show',
    '--document',
    '{"a":7}',
  );
  assert.equal(said.stderr, '');
  assert.equal(said.stdout, '7\n');
});

test('what a server says cannot write to the terminal', () => {
  const hostile = new Failure('refused', 'no\u001b]0;title\u0007\u001b[2J\nerror: forged', {
    code: 'x\u001b[31m',
    requestId: 'req_\u202e1',
  });
  const lines = errorLines(hostile, bare);
  // oxlint-disable-next-line no-control-regex
  assert.doesNotMatch(lines, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e]/);
  assert.equal(lines.split('\n').length, 3);
});

test('no part of an error repeats a secret', () => {
  const secret = 'sk_live_PLANTED12345';
  const failure = new Failure('refused', `no ${secret}`, {
    param: secret,
    details: [{ param: 'x', message: secret }],
    next: `try ${secret}`,
  });
  assert.doesNotMatch(errorLines(failure, bare), /PLANTED/);
  assert.doesNotMatch(JSON.stringify(errorDocument(failure)), /PLANTED/);
});

test('the last line is a ticket for the request id, unless the id is no id', () => {
  const rows: [requestId: string, last: RegExp][] = [
    ['req_7Hs2bV9k4LmQ', /\n {2}credicorp support report req_7Hs2bV9k4LmQ\n$/],
    ['req_1; rm -rf ~', /\n {2}try again\n$/],
    ['$(id)', /\n {2}try again\n$/],
    ['--output=x', /\n {2}try again\n$/],
    ['', /\n {2}try again\n$/],
  ];
  for (const [requestId, last] of rows) {
    const failure = new Failure('unavailable', 'no', { status: 500, requestId, next: 'try again' });
    assert.match(errorLines(failure, bare), last, requestId);
  }
});

test('a code of the table names its page; our own codes and unknown ones do not', () => {
  const line = (code: string, status?: number): string =>
    errorLines(new Failure('refused', 'no', { code, next: 'do this', ...(status ? { status } : {}) }), bare);
  assert.match(line('state_conflict', 409), /do this · more: credicorp errors explain state_conflict\n/);
  assert.match(line('invalid_client', 401), /do this · more: credicorp errors explain invalid_client\n/);
  for (const other of [line('not_signed_in'), line('toString', 409), line('unheard_of', 409), line('state_conflict')])
    assert.match(other, /\n {2}do this\n$/);
});

test('a flag parser’s failure keeps its own message despite oclif’s wrapping', () => {
  const wrapped = new Failure(
    'usage',
    'Parsing --amount \n\t"12,34" is not an amount in pounds\nSee more help with --help',
  );
  const failure = asFailure(wrapped, 'apps create');
  assert.deepEqual([failure.message, failure.facts.param], ['"12,34" is not an amount in pounds', '--amount']);
});

test('every failing field is reported', () => {
  const failure = new Failure('refused', 'two fields', {
    param: 'amount_pence',
    details: [
      { param: 'amount_pence', code: 'parameter_missing' },
      { param: 'term_months', code: 'parameter_missing', message: 'Missing required parameter: term_months.' },
    ],
  });
  assert.match(errorLines(failure, bare), /param amount_pence · term_months: Missing required parameter/);
  assert.equal((errorDocument(failure).error['details'] as unknown[]).length, 2);
});
