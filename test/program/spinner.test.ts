/** What takes long shows on a terminal that it is under way. That nothing is drawn over a question: test/cli/status-line.test.ts. */
import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { freshHome, start } from '../support/spawn.ts';
import { openTerminal, type Terminal } from '../support/terminal.ts';

const home = freshHome();
const env = { ...home.env, CREDICORP_STORE_PASSPHRASE: 'a passphrase of some length' };
/** Told when a request has come; it is answered once the terminal has shown what a test waits for. */
let asked: (answer: () => void) => void = (answer) => answer();
let slow: Server;
let base = '';

before(async () => {
  slow = createServer((request, response) => {
    const grant = { access_token: 'a.b.c', token_type: 'Bearer', expires_in: 3600 };
    const page = { data: [], has_more: false, next_cursor: null };
    const known = request.url?.startsWith('/partner') === true;
    const body = JSON.stringify(request.method === 'POST' ? grant : page);
    asked(() => response.writeHead(known ? 200 : 404, { 'content-type': 'application/json' }).end(body));
  });
  await new Promise<void>((resolve) => slow.listen(0, '127.0.0.1', resolve));
  base = `http://127.0.0.1:${(slow.address() as AddressInfo).port}`;
});
after(() => {
  slow.close();
  home[Symbol.dispose]();
});

/** Holds every answer back until the terminal shows that it is waited for. */
function untilShown(terminal: Terminal, text: RegExp): void {
  asked = (answer) => {
    asked = (later) => later();
    void terminal.shows(text).then(answer, answer);
  };
}

test('login shows that it waits for the server, and asks without anything standing over the question', async () => {
  const words = ['login', '--env', 'sandbox', '--client-id', 'cid_sbx_x', '--scopes', 'payments:read'];
  const terminal = openTerminal([...words, '--api-base', base, '--store', 'file'], env);
  await terminal.shows('Client secret (not shown)');
  untilShown(terminal, /waiting for 127\.0\.0\.1/);
  terminal.type('csk_sbx_x\r');
  assert.equal(await terminal.ended(), 0, terminal.text);
  assert.match(terminal.raw, /waiting for 127\.0\.0\.1:\d+/);
  // The line is gone before anything else is said.
  // oxlint-disable-next-line no-control-regex
  assert.match(terminal.raw, /waiting for [^\n]*\r\u001b\[K[^\n]*signed in as profile sandbox/);
});

test('a passphrase is asked for in the middle of a call, and the spinner stays away', async () => {
  const { CREDICORP_STORE_PASSPHRASE: passphrase, ...without } = env;
  const terminal = openTerminal(['apps', 'list'], without);
  await terminal.shows('Passphrase of the encrypted file');
  terminal.type(`${passphrase}\r`);
  assert.equal(await terminal.ended(), 0, terminal.text);
});

for (const args of [['status'], ['whoami', '--check'], ['doctor'], ['token', 'verify']]) {
  test(`${args.join(' ')} shows that it is under way`, async () => {
    const terminal = openTerminal(args, env);
    untilShown(terminal, /waiting for 127|proving the credential|checking/);
    await terminal.ended();
    assert.match(terminal.raw, /waiting for 127|proving the credential|checking/);
  });
}

test('off a terminal nothing of the kind is written', async () => {
  asked = (answer) => void setTimeout(answer, 400);
  const child = start('bin/run.js', ['apps', 'list'], env);
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  await new Promise((resolve) => child.on('close', resolve));
  assert.equal(said, '');
});
