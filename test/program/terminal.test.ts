/** The built program on a real terminal: what is asked, what is shown, and what a Ctrl-C leaves behind. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { ExchangeRecord } from '../../src/lib/contract/exchange.ts';
import { type Served, serveSandbox } from '../../src/lib/sandbox/sandbox-server.ts';
import { runInside } from '../support/inside.ts';
import { freshHome } from '../support/spawn.ts';
import { openTerminal } from '../support/terminal.ts';

const SECRET = 'csk_sbx_launch';
const PASSPHRASE = 'correct horse battery';
const calls: ExchangeRecord[] = [];
let api: Served;

before(async () => {
  api = await serveSandbox({
    host: '127.0.0.1',
    port: 0,
    seed: 'terminal',
    version: '0',
    now: Date.now,
    record: (call) => void calls.push(call),
  });
});
after(() => api.close());

const configOf = (home: string): string => join(home, '.config', 'credicorp', 'config.json');

test('login asks for environment, client id, hidden secret and scopes, verifies them, and shows where each is stored', async () => {
  using home = freshHome();
  const terminal = openTerminal(['login', '--api-base', api.url, '--store', 'file'], home.env);
  await terminal.shows('Environment');
  terminal.type('\r');
  await terminal.shows('Client id');
  terminal.type('cid_sbx_launch\r');
  await terminal.shows('Client secret (not shown)');
  // inquirer would show it on Ctrl-T.
  terminal.type(`${SECRET}\x14\r`);
  // Every scope of discovery is offered and chosen; one is taken out.
  await terminal.shows('applications:write');
  terminal.type(' \r');
  await terminal.shows('New passphrase');
  terminal.type(`${PASSPHRASE}\r`);
  await terminal.shows('Repeat the passphrase');
  terminal.type(`${PASSPHRASE}\r`);
  await terminal.shows('signed in as profile sandbox; its secret is in an encrypted file');
  assert.equal(await terminal.ended(), 0, terminal.text);
  assert.equal(terminal.raw.includes(SECRET), false, 'the secret was shown');
  assert.equal(terminal.raw.includes(PASSPHRASE), false, 'the passphrase was shown');
  assert.match(readFileSync(configOf(home.path), 'utf8'), /"applications:write"/);
  assert.doesNotMatch(readFileSync(configOf(home.path), 'utf8'), /"applications:read"/);
  const env = { ...home.env, CREDICORP_STORE_PASSPHRASE: PASSPHRASE };
  const listed = await runInside(['apps', 'list'], env);
  assert.equal(listed.status, 4, 'the scope that was taken out is not there');
  assert.match(listed.stderr, /insufficient_scope/);
});

// oxlint-disable-next-line no-control-regex
const STYLED = /\u001b\[[\d;]*m/;

test('with NO_COLOR the choices have no colour and work the same', async () => {
  using home = freshHome();
  const args = ['login', '--client-id', 'cid_sbx_launch', '--api-base', api.url, '--store', 'file'];
  const terminal = openTerminal(args, { ...home.env, NO_COLOR: '1', CREDICORP_STORE_PASSPHRASE: PASSPHRASE });
  await terminal.shows('Client secret (not shown)');
  terminal.type(`${SECRET}\r`);
  await terminal.shows('applications:write');
  terminal.type('\r');
  assert.equal(await terminal.ended(), 0, terminal.text);
  assert.doesNotMatch(terminal.raw, STYLED);
});

for (const [prompt, keys] of [
  ['Environment', ''],
  ['Client id', '\r'],
  ['Client secret', '\rcid_sbx_launch\r'],
] as const) {
  test(`Ctrl-C at "${prompt}" ends with 130, sends nothing and leaves nothing`, async () => {
    using home = freshHome();
    const before = calls.length;
    const terminal = openTerminal(['login', '--api-base', api.url, '--store', 'file'], home.env);
    await terminal.shows('Environment');
    if (prompt !== 'Environment') {
      terminal.type('\r');
      await terminal.shows('Client id');
    }
    if (prompt === 'Client secret') {
      terminal.type(keys.slice(1));
      await terminal.shows('Client secret');
      terminal.type('csk_sbx_half');
    }
    terminal.type('\x03');
    assert.equal(await terminal.ended(), 130, terminal.text);
    assert.equal(terminal.raw.includes('csk_sbx_half'), false);
    assert.equal(existsSync(configOf(home.path)), false);
    assert.equal(calls.length, before);
  });
}

test('Ctrl-C after the proof, at the passphrase, leaves nothing either', async () => {
  using home = freshHome();
  const words = ['login', '--env', 'sandbox', '--client-id', 'cid_sbx_launch', '--scopes', 'payments:read'];
  const terminal = openTerminal([...words, '--api-base', api.url, '--store', 'file'], home.env);
  await terminal.shows('Client secret (not shown)');
  terminal.type(`${SECRET}\r`);
  await terminal.shows('New passphrase');
  assert.match(terminal.raw, STYLED, 'a terminal has colour');
  terminal.type('half\x03');
  assert.equal(await terminal.ended(), 130, terminal.text);
  assert.equal(existsSync(configOf(home.path)), false);
  assert.equal(existsSync(join(home.path, '.config', 'credicorp', 'secrets.enc.json')), false);
});

test('two passphrases that differ store nothing', async () => {
  using home = freshHome();
  const words = ['login', '--env', 'sandbox', '--client-id', 'cid_sbx_launch', '--scopes', 'payments:read'];
  const args = [...words, '--api-base', api.url, '--store', 'file', '--no-color'];
  const terminal = openTerminal(args, home.env);
  await terminal.shows('Client secret (not shown)');
  terminal.type(`${SECRET}\r`);
  await terminal.shows('New passphrase');
  terminal.type('one\r');
  await terminal.shows('Repeat the passphrase');
  terminal.type('two\r');
  assert.equal(await terminal.ended(), 2, terminal.text);
  assert.match(terminal.text, /the two passphrases differ/);
  assert.doesNotMatch(terminal.raw, STYLED, '--no-color holds for questions too');
  assert.equal(existsSync(configOf(home.path)), false);
});

test('--key asks for a secret key, hidden, and proves it by a call', async () => {
  using home = freshHome();
  const env = { ...home.env, CREDICORP_STORE_PASSPHRASE: PASSPHRASE };
  const terminal = openTerminal(['login', '--key', '--env', 'sandbox', '--api-base', api.url, '--store', 'file'], env);
  await terminal.shows('Secret key (not shown)');
  terminal.type('sk_test_launch\r');
  await terminal.shows('signed in as profile sandbox');
  assert.equal(await terminal.ended(), 0, terminal.text);
  assert.equal(terminal.raw.includes('sk_test_launch'), false);
  assert.equal((await runInside(['apps', 'list'], env)).status, 0);
});

test('a secret that is wrong is not stored, and the terminal says why', async () => {
  using home = freshHome();
  const args = [
    'login',
    '--api-base',
    api.url,
    '--env',
    'sandbox',
    '--client-id',
    'cid_sbx_launch',
    '--scopes',
    'payments:read',
  ];
  const terminal = openTerminal([...args, '--store', 'file'], home.env);
  await terminal.shows('Client secret (not shown)');
  terminal.type('csk_sbx_WRONG\r');
  await terminal.shows('invalid_client');
  assert.equal(await terminal.ended(), 4, terminal.text);
  assert.equal(terminal.raw.includes('csk_sbx_WRONG'), false);
  assert.equal(existsSync(configOf(home.path)), false);
});

test('--no-input asks nothing on a terminal either', async () => {
  using home = freshHome();
  const terminal = openTerminal(['login', '--no-input', '--env', 'sandbox'], home.env);
  assert.equal(await terminal.ended(), 2, terminal.text);
  assert.match(terminal.text, /the client id is missing/);
  assert.match(terminal.text, /--client-id/);
});
