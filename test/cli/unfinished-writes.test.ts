/** command-line.md#writes-that-may-have-happened: a write without a definite answer says so, and the same command again does it once. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import { type Served, serveSandbox } from '../../src/lib/sandbox/sandbox-server.ts';
import { run as program } from '../../src/lib/cli/program.ts';
import { command, type Said, type World, worldOf } from '../support/world.ts';

const homes = mkdtempSync(join(tmpdir(), 'unfinished-'));
let api: Served;
let world: World & { env: Record<string, string> };
let clock = Date.now();

before(async () => {
  api = await serveSandbox({ host: '127.0.0.1', port: 0, seed: 'unfinished', version: '0', now: Date.now });
});
after(async () => {
  await api.close();
  rmSync(homes, { recursive: true });
});
beforeEach(async () => {
  clock = Date.now();
  const home = mkdtempSync(join(homes, 'home-'));
  world = { home, env: { CC_SECRET_KEY: 'sk_test_local', CC_BASE: api.url }, now: () => clock, random: () => 0 };
  await run('sandbox', 'reset', '--api-base', api.url);
});

const run = (...argv: string[]): Promise<Said> => command(world, ...argv);
const pay = (...more: string[]): Promise<Said> =>
  run('payments', 'create', '--amount', '450', '--reference', 'INV-1', ...more);
const drop = (kind: string, path: string, method = 'POST'): Promise<Said> =>
  run('sandbox', 'faults', 'add', kind, '--method', method, '--path', path, '--times', '4', '--api-base', api.url);
const payments = async (): Promise<number> => {
  const { stdout } = await run('payments', 'list', '--json');
  return (JSON.parse(stdout) as { data: unknown[] }).data.length;
};
interface ErrorMembers {
  kind: string;
  may_have_happened?: boolean;
  idempotency_key?: string;
  repeat?: string;
  next?: string;
}
const errorOf = (said: Said): ErrorMembers =>
  (JSON.parse(said.stderr.trim().split('\n').at(-1) ?? '') as { error: ErrorMembers }).error;

test('a payment whose answer was lost says that it may have happened, and the same command again collects it once', async () => {
  await drop('drop_after', '/partner/v1/payments');
  const lost = await pay('--json');
  const { kind, may_have_happened, idempotency_key, repeat } = errorOf(lost);
  assert.deepEqual([lost.status, kind, may_have_happened], [6, 'unavailable', true]);
  assert.equal(
    repeat,
    `credicorp payments create --amount 450 --reference INV-1 --json --idempotency-key ${idempotency_key}`,
  );
  assert.equal(await payments(), 1);
  const again = await pay('--json');
  assert.equal(again.status, 0);
  assert.match(
    again.stderr,
    /^note: .* its idempotency key is used again \(a new one: --new\)\nnote: .* nothing was done again\n$/,
  );
  const { stdout: log } = await run('logs', 'tail', '--no-follow', '--method', 'POST', '--source', 'cli', '--json');
  const replayed = log
    .split('\n')
    .filter(Boolean)
    .map((line) => (JSON.parse(line) as { replayed: boolean }).replayed);
  assert.deepEqual(replayed.slice(-5), [false, false, false, false, true]);
  assert.equal(await payments(), 1);
  // The first definite answer ends it: what is typed now is a new payment.
  const third = await pay('--json');
  assert.deepEqual([third.status, third.stderr], [0, '']);
  assert.equal(await payments(), 2);
});

test('in words: the key, and the command to paste', async () => {
  await drop('drop_after', '/partner/v1/payments');
  const lost = await pay();
  const [, key = ''] = /idempotency key (\S+)/.exec(lost.stderr) ?? [];
  assert.match(lost.stderr, /^ {2}it may have happened: the same command again within 24 hours uses the same/m);
  const line = lost.stderr.split('\n').find((text) => text.startsWith('  credicorp payments create')) ?? '';
  const repeated = await run(...line.trim().split(' ').slice(1));
  assert.equal(repeated.status, 0);
  assert.match(line, new RegExp(`--idempotency-key ${key}$`));
  assert.equal(await payments(), 1);
  assert.deepEqual(readdirSync(join(world.home, '.local', 'state', 'credicorp')).includes('unfinished-writes'), false);
});

test('another amount, --new, or a day later: a new key', async () => {
  await drop('drop_after', '/partner/v1/payments');
  await pay();
  const other = await run('payments', 'create', '--amount', '451', '--reference', 'INV-1');
  assert.deepEqual([other.status, other.stderr], [0, '']);
  const anew = await pay('--new');
  assert.deepEqual([anew.status, anew.stderr, await payments()], [0, '', 3]);
  await drop('drop_after', '/partner/v1/payments');
  await pay();
  clock += 25 * 3_600_000;
  const late = await pay();
  assert.deepEqual([late.status, late.stderr, await payments()], [0, '', 5]);
});

test('a definite refusal of the repeat ends it as well', async () => {
  const wrong = (): Promise<Said> => run('payments', 'create', '--amount', '1', '--application', 'app_none', '--json');
  await drop('drop_before', '/partner/v1/payments');
  assert.equal(errorOf(await wrong()).may_have_happened, true);
  const refused = await wrong();
  assert.match(refused.stderr, /used again/);
  assert.equal(errorOf(refused).may_have_happened, undefined);
  assert.doesNotMatch((await wrong()).stderr, /used again/);
});

test('credicorp api, a deletion and a link with --expires-in are kept too', async () => {
  await drop('drop_after', '/partner/v1/payments');
  const post = (): Promise<Said> =>
    run(
      'api',
      'POST',
      '/partner/v1/payments',
      '-F',
      'amount=100',
      '-f',
      'currency=GBP',
      '-f',
      'scheme=pisp',
      '--max-retries',
      '0',
    );
  assert.equal((await post()).status, 6);
  assert.match((await post()).stderr, /used again/);
  assert.equal(await payments(), 1);

  await drop('drop_after', '/partner/v1/payments/links');
  const link = (): Promise<Said> =>
    run('payments', 'link', '--amount', '10', '--reference', 'R', '--expires-in', '2d', '--json');
  assert.equal((await link()).status, 6);
  clock += 60_000;
  const made = await link();
  assert.deepEqual([made.status, /used again/.test(made.stderr)], [0, true]);

  const { stdout } = await run('webhooks', 'endpoints', 'create', '--url', 'http://127.0.0.1:9/hook', '--field', 'id');
  const remove = (): Promise<Said> => run('webhooks', 'endpoints', 'delete', stdout.trim(), '--json');
  await drop('drop_after', `/partner/v1/webhook_endpoints/${stdout.trim()}`, 'DELETE');
  assert.equal(errorOf(await remove()).may_have_happened, true);
  assert.equal((await remove()).status, 0);
});

test('a refused connection sent nothing, and says nothing of the kind', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((listening) => server.once('listening', listening));
  const { port } = server.address() as AddressInfo;
  await new Promise((closed) => server.close(closed));
  world.env['CC_BASE'] = `http://127.0.0.1:${port}`;
  const error = errorOf(await pay('--json'));
  assert.deepEqual([error.may_have_happened, error.idempotency_key, error.repeat], [undefined, undefined, undefined]);
  assert.match(error.next ?? '', /sandbox start/);
});

test('an answer that cannot be read, and one that does not come in time', async () => {
  const server = createServer((request, response) => {
    request.resume();
    if (request.headers['x-hang'] === undefined) response.writeHead(201).end('<html>');
  }).listen(0, '127.0.0.1');
  await new Promise((listening) => server.once('listening', listening));
  const { port } = server.address() as AddressInfo;
  world.env['CC_BASE'] = `http://127.0.0.1:${port}`;
  try {
    const unread = errorOf(await pay('--json'));
    assert.deepEqual([unread.kind, unread.may_have_happened], ['unavailable', true]);
    const hang = ['api', 'POST', '/x', '-H', 'x-hang: 1', '--timeout', '100ms', '--json'];
    const late = errorOf(await run(...hang));
    assert.deepEqual([late.kind, late.may_have_happened], ['unavailable', true]);
    assert.equal(
      late.repeat,
      `credicorp api POST /x -H 'x-hang: 1' --timeout 100ms --json --idempotency-key ${late.idempotency_key}`,
    );
  } finally {
    server.closeAllConnections();
    server.close();
  }
});

test('sandbox clock advance that runs out of time is not advanced twice by the same command again', async () => {
  let advances = 0;
  const slow = createServer((request, response) => {
    request.resume();
    const key = String(request.headers['idempotency-key']);
    // The sandbox answers too late once, then as it would.
    void fetch(`${api.url}${request.url}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': key },
      body: '{"by":"24h"}',
    }).then(async (done) => {
      advances += 1;
      const text = await done.text();
      if (advances > 1) response.writeHead(done.status, { 'content-type': 'application/json' }).end(text);
    });
  }).listen(0, '127.0.0.1');
  await new Promise((listening) => slow.once('listening', listening));
  const base = `http://127.0.0.1:${(slow.address() as AddressInfo).port}`;
  const advance = (timeout: string): Promise<Said> =>
    run('sandbox', 'clock', 'advance', '24h', '--api-base', base, '--timeout', timeout, '--json');
  try {
    const late = await advance('300ms');
    assert.equal(errorOf(late).may_have_happened, true);
    const again = await advance('20s');
    assert.match(again.stderr, /it is not done twice/);
    const { now } = JSON.parse(again.stdout) as { now: string };
    const { stdout } = await run('sandbox', 'status', '--api-base', api.url, '--json');
    assert.equal(advances, 2);
    const moved = Date.parse(now) - Date.now();
    assert.ok(Math.abs(moved - 24 * 3_600_000) < 60_000, `${now} ${stdout}`);
  } finally {
    slow.closeAllConnections();
    slow.close();
  }
});

/** A server that takes requests and never answers; `taken` resolves with the first. */
async function silent(): Promise<{ base: string; taken: Promise<void>; close(): void }> {
  const taken = Promise.withResolvers<void>();
  const server = createServer((request) => void request.resume().on('end', () => taken.resolve()));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const close = (): void => {
    server.closeAllConnections();
    server.close();
  };
  return { base: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, taken: taken.promise, close };
}

test('Ctrl-C while the answer is awaited says it as well, and keeps the key', async () => {
  const server = await silent();
  world.env['CC_BASE'] = server.base;
  const { context, said } = worldOf(world);
  const argv = ['payments', 'create', '--amount', '450', '--reference', 'INV-1', '--json'];
  const ending = program(argv, context);
  await server.taken;
  context.interrupt('SIGINT');
  assert.equal(await ending, 130);
  server.close();
  const stopped = errorOf({ status: 130, ...said() });
  assert.deepEqual([stopped.kind, stopped.may_have_happened], ['interrupted', true]);
  assert.ok(stopped.repeat?.endsWith(`--idempotency-key ${stopped.idempotency_key}`));
  const kept = readdirSync(join(world.home, '.local', 'state', 'credicorp', 'unfinished-writes'));
  assert.equal(kept.length, 1);
});

test('a provider without idempotency keys: it may have happened, and where to look', async () => {
  const server = await silent();
  const folder = join(world.home, '.config', 'credicorp');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const profile = { name: 'a', provider: 'acountpay-v2', environment: 'local', base: server.base, mode: 'oauth' };
  const config = { version: 1, active: 'a', profiles: [{ ...profile, clientId: 'two', store: 'file' }] };
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config), { mode: 0o600 });
  world.env = { CC_CLIENT_ID: 'two', CC_CLIENT_SECRET: 'partner-secret-two' };
  const words = ['api', 'POST', '/partner/payments', '-F', 'amount=1.10', '--merchant', 'm', '--timeout', '200ms'];
  const lost = await run(...words, '--json');
  server.close();
  const error = errorOf(lost);
  assert.deepEqual(
    [lost.status, error.may_have_happened, error.idempotency_key, error.repeat],
    [6, true, undefined, undefined],
    lost.stderr,
  );
  assert.match(
    error.next ?? '',
    /^it may have happened, and AcountPay.* has no idempotency keys: look for it at AcountPay/,
  );
  assert.doesNotMatch(lost.stderr, /partner-secret-two/);
});
