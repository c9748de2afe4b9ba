/** Help that starts with the right request id: from an error's last line to a ticket. */
import assert from 'node:assert/strict';
import { existsSync, chmodSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, it } from 'node:test';
import { runInside } from '../support/inside.ts';
import { type Ended, freshHome } from '../support/spawn.ts';
import { openTerminal } from '../support/terminal.ts';
import { command } from '../support/world.ts';

const home = freshHome();
const run = (...args: string[]): Promise<Ended> => runInside(args, home.env);
let request = '';

before(async () => {
  assert.equal((await run('sandbox', 'start', '--background', '--port', '0', '--quiet')).status, 0);
});
after(async () => {
  await run('sandbox', 'stop');
  home[Symbol.dispose]();
});

it('the last line of an error, pasted, makes the ticket', async () => {
  const key = ['--idempotency-key', 'order_88421'];
  const refused = await run('apps', 'create', '--company', '16093826', '--term', '61', ...key);
  const last = refused.stderr.trimEnd().split('\n').at(-1)?.trim() ?? '';
  assert.match(last, /^credicorp support report req_\w+$/);
  const [, , , id = ''] = last.split(' ');
  request = id;
  const ended = await run(...last.split(' ').slice(1), '--expected', '201 Created');
  assert.equal(ended.status, 0, ended.stderr);
  const lines = ended.stdout.split('\n');
  assert.deepEqual(lines.slice(0, 4), [
    'Severity:         SEV-3',
    'Environment:      local  (key prefix: cid_sbx_)',
    'Endpoint:         POST /partner/v1/applications',
    `request_id:       ${request}`,
  ]);
  assert.match(ended.stdout, /^Time \(UTC\): +\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/m);
  assert.match(ended.stdout, /^Expected: +201 Created$/m);
  assert.match(ended.stdout, /^Actual: +422 Unprocessable Entity, error\.code = term_out_of_range$/m);
  assert.match(ended.stdout, /^Idempotency-Key: +order_88421$/m);
  assert.match(ended.stdout, /^ {2}-H "Authorization: Bearer \[REDACTED\]" \\$/m);
  assert.doesNotMatch(ended.stdout, /eyJ|csk_sbx_local/);
  assert.match(ended.stderr, /check first: credicorp status/);
  assert.match(ended.stderr, /check first: credicorp errors explain term_out_of_range/);
  for (const severity of [1, 2, 3])
    assert.match(ended.stderr, new RegExp(`^SEV-${severity}: .*first answer within`, 'm'));
});

it('several requests, as JSON; a secret that was typed in is redacted', async () => {
  const ended = await run(
    'support',
    'report',
    request,
    request,
    '--expected',
    'sk_live_PLANTED99',
    '--severity',
    '2',
    '--json',
  );
  assert.deepEqual([ended.status, ended.stderr], [0, '']);
  const { tickets } = JSON.parse(ended.stdout) as { tickets: Record<string, string>[] };
  assert.equal(tickets.length, 2);
  assert.deepEqual(
    [tickets[0]?.['request_id'], tickets[0]?.['severity'], tickets[0]?.['error_code']],
    [request, 'SEV-2', 'term_out_of_range'],
  );
  assert.doesNotMatch(ended.stdout, /PLANTED/);
});

it('a log that cannot be read is as good as none', { skip: !existsSync('/proc/self') }, async () => {
  const given = ['--env', 'sandbox', '--endpoint', 'POST /partner/v1/payments', '--actual', '409'];
  const env = { ...home.env, CREDICORP_STATE_DIR: '/proc/none' };
  const told = await runInside(['support', 'report', 'req_unknown1', ...given], env);
  assert.equal(told.status, 0, told.stderr);
  assert.match(told.stdout, /^request_id: +req_unknown1$/m);
  assert.match(told.stderr, /^warning: the log of this machine cannot be read/m);
});

it('an id that the log does not have needs the two things support must have', async () => {
  const bare = await run('support', 'report', 'req_unknown1');
  assert.deepEqual([bare.status, bare.stdout], [2, '']);
  assert.match(bare.stderr, /--env.*--endpoint/);
  const endpoint = ['--endpoint', 'POST /partner/v1/payments'];
  const told = await run(
    'support',
    'report',
    'req_unknown1',
    '--env',
    'live',
    ...endpoint,
    '--time',
    '2026-06-29T13:42:07Z',
    '--actual',
    '409',
  );
  assert.equal(told.status, 0);
  assert.equal(
    told.stdout,
    'Environment:      live\nEndpoint:         POST /partner/v1/payments\nrequest_id:       req_unknown1\nTime (UTC):       2026-06-29T13:42:07Z\nActual:           409\n',
  );
  assert.equal((await run('support', 'report', 'req_1', '--endpoint', 'payments')).status, 2);
});

it('on a terminal it asks for what is missing, and only for that', async () => {
  const terminal = openTerminal(['support', 'report', request], home.env);
  await terminal.shows('Expected result, in one line');
  terminal.type('201 Created\r');
  await terminal.shows('Severity');
  terminal.type('\r');
  assert.equal(await terminal.ended(), 0, terminal.text);
  const { text } = terminal;
  assert.match(text, /Severity: +SEV-3/);
  assert.match(text, /Expected: +201 Created/);
  assert.doesNotMatch(text, /Method and path|Environment of/);
});

it('on a terminal a call that the log does not have is asked for, field by field', async () => {
  const terminal = openTerminal(['support', 'report', 'req_unknown1'], home.env);
  const questions: [question: string, typed: string][] = [
    ['Environment of req_unknown1', '\u001b[B\r'],
    ['Key prefix', 'sk_live_PLANTED0001\r'],
    ['Method and path', 'POST /partner/v1/payments\r'],
    ['Time of the call', '2026-06-29T13:42:07Z\r'],
    ['Actual result', '409, error.code = idempotency_key_reused\r'],
    ['Expected result', '\r'],
    ['Idempotency-Key', 'inv-5512\r'],
    ['Severity', '\u001b[B\r'],
  ];
  for (const [question, typed] of questions) {
    await terminal.shows(question);
    terminal.type(typed);
  }
  assert.equal(await terminal.ended(), 0, terminal.text);
  const ticket = terminal.text.slice(terminal.text.lastIndexOf('Severity:')).replaceAll('\r', '');
  assert.equal(
    ticket.trimEnd(),
    [
      'Severity:         SEV-2',
      'Environment:      live  (key prefix: sk_live_)',
      'Endpoint:         POST /partner/v1/payments',
      'request_id:       req_unknown1',
      'Time (UTC):       2026-06-29T13:42:07Z',
      'Actual:           409, error.code = idempotency_key_reused',
      'Idempotency-Key:  inv-5512',
    ].join('\n'),
  );
});

it('every question has a flag', async () => {
  const told = ['--env', 'sandbox', '--endpoint', 'GET /x', '--key-prefix', 'sk_test_PLANTED0002', '--no-input'];
  const ended = await run('support', 'report', 'req_unknown1', ...told, '--idempotency-key', 'k1', '--json');
  const { tickets } = JSON.parse(ended.stdout) as { tickets: Record<string, string>[] };
  assert.deepEqual([tickets[0]?.['key_prefix'], tickets[0]?.['idempotency_key']], ['sk_test_', 'k1']);
  assert.doesNotMatch(ended.stdout, /PLANTED/);
  const wrong = await run('support', 'report', 'req_unknown1', '--key-prefix', 'PLANTED0003');
  assert.deepEqual([wrong.status, wrong.stdout], [2, '']);
  assert.doesNotMatch(wrong.stderr, /PLANTED/);
});

it('--output writes a file only its owner can read', async () => {
  const file = join(home.path, 'ticket.txt');
  const ended = await run('support', 'report', request, '--output', file, '--quiet');
  assert.deepEqual([ended.status, ended.stdout], [0, `${file}\n`]);
  assert.match(readFileSync(file, 'utf8'), new RegExp(`^request_id: +${request}$`, 'm'));
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.equal((await run('support', 'report', request, '--output', '/nowhere/at/all')).status, 2);
});

it("--copy: the system's program, else the terminal, else clear words", async () => {
  const bin = join(home.path, 'bin');
  mkdirSync(bin);
  writeFileSync(join(bin, 'xclip'), `#!/bin/sh\necho "$@" > "$HOME/clip.args"\ncat > "$HOME/clip.txt"\n`);
  chmodSync(join(bin, 'xclip'), 0o755);
  const env = { ...home.env, PATH: `${bin}:${home.env['PATH']}`, DISPLAY: ':0' };
  const copied = await runInside(['support', 'report', request, '--copy', '--field', 'copied_by'], env);
  assert.deepEqual([copied.status, copied.stdout], [0, 'program\n'], copied.stderr);
  assert.match(readFileSync(join(home.path, 'clip.txt'), 'utf8'), new RegExp(request));
  assert.equal(readFileSync(join(home.path, 'clip.args'), 'utf8'), '-selection clipboard\n');
  const none = await run('support', 'report', request, '--copy');
  assert.deepEqual([none.status, none.stdout], [2, '']);
  assert.match(none.stderr, /there is no clipboard here/);
  assert.match(none.stderr, /--output FILE/);
  const over = { home: home.path, terminal: true, env: { SSH_CONNECTION: '1 2 3 4', NO_COLOR: '1' } };
  const said = await command(
    over,
    'support',
    'report',
    request,
    '--copy',
    '--no-input',
    '--expected',
    'x',
    '--severity',
    '3',
  );
  // oxlint-disable-next-line no-control-regex
  const sent = /\u001b\]52;c;([A-Za-z0-9+/=]+)\u0007/.exec(said.stderr)?.[1] ?? '';
  assert.match(Buffer.from(sent, 'base64').toString(), new RegExp(`request_id: +${request}`));
  assert.match(said.stdout, /sent to the terminal/);
});

it('errors explain: every code of an answer has a page offline; a mistyped one is guessed', async () => {
  const page = await run('errors', 'explain', 'term_out_of_range', '--json');
  const { code, status, meaning, command: helps } = JSON.parse(page.stdout) as Record<string, unknown>;
  assert.deepEqual([code, status, helps], ['term_out_of_range', [422], 'credicorp logs show REQ']);
  assert.match(String(meaning), /3 to 60/);
  const wrong = await run('errors', 'explain', 'term_out_of_rang');
  assert.equal(wrong.status, 2);
  assert.match(wrong.stderr, /did you mean: credicorp errors explain term_out_of_range/);
  const text = (
    await command({ home: home.path, terminal: true, env: { NO_COLOR: '1' } }, 'errors', 'explain', 'invalid_request')
  ).stdout;
  for (const word of ['means', 'retry\\?', 'change', 'helps', 'online', 'at the token endpoint'])
    assert.match(text, new RegExp(`^ {2}${word}`, 'm'));
});
