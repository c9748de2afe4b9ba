/**
 * Every example of the help pages and of the README is run. Names that only stand for something (an id, a port, a password manager) are
 * replaced by real ones; nothing else is changed. A command of plain words, which a shell would only split at its blanks, is run inside
 * this process and what follows its pipe by a shell; every other line is run by a shell as a whole, and so is what ends on Ctrl-C.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { runInside } from '../support/inside.ts';
import { type Ended, finish, freshHome, root } from '../support/spawn.ts';
import { right } from '../webhooks/handler-tests/handlers/right.ts';

interface Entry {
  summary?: string;
  examples?: string[];
  hidden?: boolean;
  flags: Record<string, { summary?: string }>;
}

interface Configuration {
  mcpServers: { credicorp: { command: string; args: string[] } };
}

interface Manifest {
  commands: Record<string, Entry>;
}

const manifest = JSON.parse(readFileSync(join(root, 'oclif.manifest.json'), 'utf8')) as Manifest;
const home = freshHome();
const beside = freshHome();
let besideStarted: Promise<Ended> | undefined;
const app = createServer((request, response) => {
  request.resume();
  request.on('end', () => response.end('ok'));
});
/** Does with signed deliveries what a handler should. */
const handler = createServer(right('whsec_EXAMPLE_alpha'));
/** What stands for something, and what it stands for. */
const replaced = new Map<string, string>();

before(async () => {
  // Commands that end only on Ctrl-C get one after a while; they end with 0 on it.
  const bin = join(home.path, 'bin');
  mkdirSync(bin);
  const wrapper = `#!/bin/sh
case "$*" in
  *--no-follow*|*--background*|*' -b'*|*--exec*) ;;
  'webhooks listen '*|'logs tail'*|'sandbox start'*|'proxy start'*) exec timeout --foreground --preserve-status -s INT 2 '${process.execPath}' '${join(root, 'bin/run.js')}' "$@" ;;
esac
exec '${process.execPath}' '${join(root, 'bin/run.js')}' "$@"
`;
  writeFileSync(join(bin, 'credicorp'), wrapper);
  chmodSync(join(bin, 'credicorp'), 0o755);
  home.env['PATH'] = `${bin}:${process.env['PATH'] ?? ''}`;
  await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', resolve));
  const { port } = app.address() as AddressInfo;
  const base = (await shell('credicorp sandbox start --background --port 0 --field base_url')).stdout.trim();
  const id = (await shell('credicorp apps create --company 16093826 --quiet')).stdout.trim();
  assert.equal((await shell(`credicorp decisions get ${id} --wait --quiet`)).status, 0);
  const newest = 'logs tail --no-follow --source cli --path /applications --field request_id';
  const request = (await shell(`credicorp ${newest} | tail -n 1`)).stdout.trim();
  const { event, endpoint } = await receiveSomething(port);
  const [secret, body] = ['secret.txt', 'body.json'].map((name) => join(home.path, name));
  writeFileSync(secret ?? '', 'whsec_EXAMPLE_alpha\n');
  writeFileSync(body ?? '', '{"id":"evt_1","type":"payment.settled"}');
  const made = async (line: string): Promise<string> => (await shell(`credicorp ${line} --quiet`)).stdout.trim();
  const folder = home.path;
  writeFileSync(join(folder, 'companies.csv'), 'company,amount,term\n16093826,25000,12\n00000401,40000,24\n');
  writeFileSync(join(folder, 'invoices.csv'), 'amount,reference\n450,INV-5512\n12.50,INV-5513\n');
  const theirs = `credicorp webhooks sign body.json --provider acountpay --secret-file secret.txt --at ${new Date().toISOString()}`;
  for (const [name, value] of [
    ['"$HEADER"', '"$(credicorp webhooks sign body.json --secret-file secret.txt)"'],
    ['"$X_ACOUNTPAY_SIGNATURE"', `"$(${theirs} --field header)"`],
    ['"$X_ACOUNTPAY_TIMESTAMP"', `"$(${theirs} --field timestamp)"`],
    ['"$SECRET"', '"$(cat secret.txt)"'],
    ['secret.txt', secret ?? ''],
    ['body.json', body ?? ''],
    ['--dotenv .env', `--dotenv ${join(home.path, '.env')}`],
    ['evt_7Q2M9XaB', event],
    ['events drop ID', `events drop ${event}`],
    // Nothing waits here: a delivery that is settled stays so.
    ['--state waiting --limit 1000', '--limit 1'],
    ['whend_3T8K1', endpoint],
    ['webhooks test --forward localhost:3000/hook', `webhooks test --forward 127.0.0.1:${await startHandler()}/hook`],
    ['report.xml', join(home.path, 'report.xml')],
    ['companies.csv', join(folder, 'companies.csv')],
    ['invoices.csv', join(folder, 'invoices.csv')],
    ['rejects.csv', join(folder, 'rejects.csv')],
    ['results.ndjson', join(folder, 'results.ndjson')],
    ['pay_7Tq1Zc4M', await made('payments create --amount 10')],
    ['plink_2Vn8Rk0s', await made('payments link --amount 10 --reference X')],
    ['idc_4Wm9Xb2Q', await made('identity check --first-name A --last-name B --date-of-birth 1990-01-01')],
    ['acc_1Jx6Pz3T', await funded(base)],
    ['app_5Rt2Kp8N', await made('apps create --company 00000408')],
    ['app_6Ut3Lq9P', await made('apps create --company 00000408')],
    ['req_7Hs2bV9k4LmQ', request],
    ['app_8Kd2c9Qm', id],
    ['http://127.0.0.1:4010', base],
    ['localhost:3000/hook', `127.0.0.1:${port}/hook`],
    [' 3000/hook', ` ${port}/hook`],
    ['cid_sbx_… CC_CLIENT_SECRET=csk_sbx_…', `cid_sbx_local CC_CLIENT_SECRET=csk_sbx_local CC_BASE=${base}`],
    ['pass show credicorp', 'echo csk_sbx_local'],
    ['--env sandbox --client-id cid_sbx_4Hd82Kq', '--env local --client-id cid_sbx_local'],
  ] as const) {
    replaced.set(name, value);
  }
});
/** An account opens with the funding, which a person does (sandbox.md#funding). */
async function funded(base: string): Promise<string> {
  const id = (await shell('credicorp apps create --company 16093826 --wait --quiet')).stdout.trim();
  const answer = await fetch(`${base}/_sandbox/applications/${id}/fund`, { method: 'POST' });
  const { account } = (await answer.json()) as { account: { id: string } };
  return account.id;
}

after(async () => {
  await shell('credicorp sandbox stop');
  if (besideStarted) await shell('credicorp sandbox stop', await changing());
  beside[Symbol.dispose]();
  app.close();
  handler.close();
  handler.closeAllConnections();
  home[Symbol.dispose]();
});

/** Not run here, and why. */
const EXCUSED = new Map([
  ['credicorp login', 'asks on a terminal: test/program/terminal.test.ts'],
  ...['--tunnel cloudflared', '--tunnel ssh:me@host.example --public-url https://hooks.example.com'].map(
    (flags) =>
      [
        `credicorp webhooks listen --forward localhost:3000/hook ${flags}`,
        'needs a host elsewhere: test/webhooks/tunnels',
      ] as const,
  ),
  [
    'credicorp webhooks listen --forward localhost:3000/hook --public-url https://hooks.example.com --port 8080',
    'needs an address elsewhere: test/program/webhooks.test.ts',
  ],
]);

test('every command and flag has a one-line summary; one example is for a person, one for a script', () => {
  for (const [id, { summary = '', flags, examples = [], hidden }] of Object.entries(manifest.commands)) {
    if (hidden === true) continue;
    assert.match(summary, /^.{10,90}$/, id);
    for (const [name, flag] of Object.entries(flags)) assert.match(flag.summary ?? '', /^.+$/, `${id} --${name}`);
    assert.ok(examples.length >= 2, id);
  }
});

for (const [id, { examples = [] }] of Object.entries(manifest.commands)) {
  for (const example of examples) {
    const line = example.replaceAll('<%= config.bin %>', 'credicorp');
    if (EXCUSED.has(line)) continue;
    test(`help of ${id.replaceAll(':', ' ')}: ${line}`, async () => {
      // An endpoint is deleted once; the others need theirs.
      if (id === 'webhooks:endpoints:delete')
        return inHomeOfItsOwn(line, 'credicorp webhooks endpoints create --url http://127.0.0.1:9/ -q');
      // There is something to allow once a folder is pinned.
      if (id === 'profiles:allow') return inHomeOfItsOwn(`credicorp profiles pin local --quiet >/dev/null\n${line}`);
      // What ends the sandbox or the sign-in gets a home of its own; what changes the sandbox, one beside the others'.
      if (/ sandbox (start|stop)| logout| profiles (pin|remove)|apps submit \S+$/.test(line))
        return inHomeOfItsOwn(line);
      const ended = await shell(real(line), / sandbox (reset|clock|faults)/.test(line) ? await changing() : home.env);
      assert.equal(ended.status, 0, ended.stderr);
    });
  }
}

const readme = readFileSync(join(root, 'README.md'), 'utf8');

test('README: the first five minutes', async () => {
  const block = [...readme.matchAll(/```sh\n([\s\S]*?)```/g)]
    .map(([, text = '']) => text)
    .find((text) => text.includes('sandbox start'));
  assert.ok(block !== undefined);
  using own = freshHome();
  const script = real(block).replace('--background', '--background --port 0');
  const ended = await shell(script, { ...own.env, PATH: home.env['PATH'] ?? '' }, '-eu');
  assert.equal(ended.status, 0, ended.stderr);
  assert.match(ended.stdout, /^outcome\tapproved$/m);
});

test('README: the lines that are shown indented', async () => {
  const blocks = indented(readme);
  assert.ok(blocks.length >= 3);
  for (const block of blocks) await works(block.filter((line) => !EXCUSED.has(line)));
});

/** In a home of their own, as somebody who follows the page does it. */
for (const name of ['webhooks.md', 'providers.md']) {
  const page = readFileSync(join(root, 'docs', name), 'utf8');
  test(`docs/${name}: the lines that are shown indented`, async () => {
    const blocks = indented(page);
    assert.ok(blocks.length > 0);
    for (const block of blocks) {
      const lines = block.filter((line) => !EXCUSED.has(line));
      if (lines.some((line) => line.includes('sandbox start'))) await inHomeOfItsOwn(real(lines.join('\n')));
      else await works(lines);
    }
  });
}

test('docs/agents.md: its line and its configuration', async () => {
  const page = readFileSync(join(root, 'docs', 'agents.md'), 'utf8');
  const [, line = ''] = /```sh\n([\s\S]*?)```/.exec(page) ?? [];
  const [, configuration = '{}'] = /```json\n([\s\S]*?)```/.exec(page) ?? [];
  await works([line.trim()]);
  const { command, args } = (JSON.parse(configuration) as Configuration).mcpServers.credicorp;
  await works([`${command} ${args.join(' ')} < /dev/null`]);
});

test('docs/webhooks.md: the lines of its tables', async () => {
  const page = readFileSync(join(root, 'docs', 'webhooks.md'), 'utf8');
  const cells = [...page.matchAll(/^\| `((?:webhooks|events) [^`]+)` \|/gm)].map(([, words = '']) => words);
  assert.ok(cells.length >= 5);
  // The one that the handler has here. What stands in brackets may be left out.
  const env = { ...home.env, CC_WEBHOOK_SECRET: 'whsec_EXAMPLE_alpha' };
  await works(
    cells.map((words) => `credicorp ${words.replaceAll(/ \[[^\]]*\]/g, '')}`),
    env,
  );
  const said = [...page.matchAll(/`((?:export [^`]*\$\()?credicorp [^`]+)`/g)].map(([, line = '']) => line);
  assert.ok(said.length >= 3);
  for (const line of said) await works([line]);
});

test('README and help speak of the same commands', () => {
  for (const [id, { hidden }] of Object.entries(manifest.commands)) {
    const row = readme.split('\n').find((line) => line.startsWith(`| \`credicorp ${id.replaceAll(':', ' ')}`));
    assert.ok(hidden === true || row !== undefined, `the README's table lacks ${id}`);
  }
});

/** Runs of lines that are commands, as a page shows them. */
function indented(page: string): string[][] {
  return [...page.matchAll(/(?:^ {4}(?:credicorp|export) .+\n)+/gm)].map(([block]) =>
    block.split('\n').flatMap((line) => (line === '' ? [] : [line.trim()])),
  );
}

/** One after another; together where one line sets a variable for the next. */
async function works(lines: string[], env = home.env): Promise<void> {
  for (const script of lines.some((line) => line.startsWith('export')) ? [lines.join('\n')] : lines) {
    const ended = await shell(real(script), env);
    assert.equal(ended.status, 0, `${script}: ${ended.stderr}`);
  }
}

function real(line: string): string {
  let text = line;
  for (const [name, value] of replaced) text = text.replaceAll(name, value);
  return text;
}

async function startHandler(): Promise<number> {
  await new Promise<void>((resolve) => handler.listen(0, '127.0.0.1', resolve));
  return (handler.address() as AddressInfo).port;
}

/** Lets a listener run for as long as it takes to receive one event, so that the inbox holds one and a secret is known. */
async function receiveSomething(port: number): Promise<{ event: string; endpoint: string }> {
  const trigger =
    'credicorp webhooks trigger decision.completed -q && credicorp webhooks expect --type decision.completed';
  const listened = await shell(`credicorp webhooks listen --forward ${port}/hook --exec '${trigger}'`);
  assert.equal(listened.status, 0, listened.stderr);
  const event = (await shell('credicorp events list --limit 1 --quiet')).stdout.trim();
  const endpoint = await shell(
    'credicorp webhooks endpoints create --url http://127.0.0.1:9/ --events enquiry.created -q',
  );
  return { event, endpoint: endpoint.stdout.trim() };
}

/** A home whose sandbox may be emptied, set forward and spoilt. */
async function changing(): Promise<Record<string, string>> {
  const env = { ...beside.env, PATH: home.env['PATH'] ?? '' };
  besideStarted ??= shell('credicorp sandbox start --background --port 0', env);
  assert.equal((await besideStarted).status, 0);
  return env;
}

async function inHomeOfItsOwn(line: string, prepare = ''): Promise<void> {
  using own = freshHome();
  const env = { ...own.env, PATH: home.env['PATH'] ?? '' };
  const begin = `credicorp sandbox start --background --port 0 --quiet${line.includes('apps submit') ? ' --no-auto-submit' : ''}`;
  if (!line.includes('sandbox start')) assert.equal((await shell(begin, env)).status, 0);
  const ready = line
    .replace(/sandbox start(?!.*--port)/, '$& --port 0')
    .replace(/whend_3T8K1/, (id) => (prepare === '' ? id : `"$(${prepare})"`))
    // What nobody has submitted yet.
    .replace('app_9Zz3Lw7T', '"$(credicorp apps create --company 16093826 --quiet)"');
  const ended = await shell(ready, env, '-eu');
  await shell('credicorp sandbox stop', env);
  assert.equal(ended.status, 0, ended.stderr);
}

/** Runs a script, until one of its lines fails; with `-eu` a variable that is not set fails too. */
async function shell(script: string, env: Record<string, string> = home.env, flags = '-e'): Promise<Ended> {
  const [first = '', ...pipe] = script.split(' | ');
  if (!/^credicorp [\w ./:=@,+-]+$/.test(first) || endsOnCtrlC(first)) return bash(script, env, flags);
  const ended = await runInside(first.split(' ').slice(1), env, '', env['HOME']);
  return pipe.length === 0 || ended.status !== 0 ? ended : bash(pipe.join(' | '), env, flags, ended.stdout);
}

function bash(script: string, env: Record<string, string>, flags: string, input = ''): Promise<Ended> {
  const words = [flags, '-o', 'pipefail', '-c', script];
  return finish(spawn('bash', words, { env, cwd: env['HOME'], stdio: ['pipe', 'pipe', 'pipe'] }), input);
}

/** As the program on the PATH has it, which gives these commands a Ctrl-C after a while. */
function endsOnCtrlC(line: string): boolean {
  return (
    /^credicorp (webhooks listen|logs tail|sandbox start|proxy start)/.test(line) &&
    !/--no-follow|--background| -b|--exec/.test(line)
  );
}
