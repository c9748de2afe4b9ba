/** Mistakes of users and machines: the right class, a clear way on, nothing half-written, nothing lost. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type Served, serveSandbox } from '../../src/lib/sandbox/sandbox-server.ts';
import { runInside } from '../support/inside.ts';
import { type Ended, freshHome, runScript } from '../support/spawn.ts';

let api: Served;
before(async () => {
  api = await serveSandbox({ host: '127.0.0.1', port: 0, seed: 'bad', version: '0', now: Date.now });
});
after(() => api.close());

/** Signed in by the environment: what is tested here is not the sign-in. */
function run(home: { env: Record<string, string> }, args: string[], more: Record<string, string> = {}): Promise<Ended> {
  return runInside(args, { ...home.env, CC_SECRET_KEY: 'sk_test_local', CC_BASE: api.url, ...more });
}

function errorOf(ended: Ended): Record<string, string> {
  return (JSON.parse(ended.stderr.trim().split('\n').at(-1) ?? '') as { error: Record<string, string> }).error;
}

const MISTAKES: [name: string, args: string[], says: RegExp][] = [
  [
    'a company number that is too short',
    ['apps', 'create', '--company', '123'],
    /"123" is not a Companies House number/,
  ],
  ['a company number with a space', ['apps', 'create', '--company', '1609 3826'], /is not a Companies House number/],
  [
    'an amount of 12,34',
    ['apps', 'create', '--company', '16093826', '--amount', '12,34'],
    /"12,34" is not an amount in pounds/,
  ],
  [
    'pence with a decimal point',
    ['payments', 'link', '--reference', 'X', '--amount-pence', '12.5'],
    /"12\.5" is not a whole number of pence/,
  ],
  [
    'pounds and pence together',
    ['payments', 'link', '--reference', 'X', '--amount', '1', '--amount-pence', '100'],
    /amount/,
  ],
  ['no amount at all', ['payments', 'link', '--reference', 'X'], /--amount is missing/],
  [
    'an e-mail address without @',
    ['apps', 'create', '--company', '16093826', '--email', 'ada'],
    /"ada" is not an e-mail address/,
  ],
  [
    'a plain http return address',
    ['apps', 'create', '--company', '16093826', '--redirect-uri', 'http://shop.example/'],
    /is not an absolute https URL/,
  ],
  [
    'metadata without a value',
    ['apps', 'create', '--company', '16093826', '--metadata', 'order'],
    /"order" is not a key=value pair/,
  ],
  ['an id that is a path', ['apps', 'get', '../oauth/token'], /is not an id/],
  [
    'an idempotency key with a space',
    ['apps', 'create', '--company', '16093826', '--idempotency-key', 'a b'],
    /idempotency key/,
  ],
  ['a forward target that is no URL', ['webhooks', 'listen', '--forward', 'http://'], /--forward/],
  [
    'a forward target on another machine',
    ['webhooks', 'listen', '--forward', 'https://example.com/hook'],
    /--allow-remote/,
  ],
  [
    'a forward target that looks like this machine',
    ['webhooks', 'listen', '--forward', 'http://127.0.0.1.evil.example/'],
    /evil\.example is not this machine/,
  ],
  ['no forward target', ['webhooks', 'listen'], /--forward/],
  ['a since that is no time', ['logs', 'tail', '--since', 'yesterday', '--no-follow'], /is not a point in time/],
  ['a limit beyond the API’s', ['apps', 'list', '--limit', '101'], /from 1 to 100/],
  [
    'a base that is a website',
    ['apps', 'list', '--api-base', 'https://beta.credicorp.co.uk'],
    /beta\.credicorp\.co\.uk/,
  ],
  ['plain http to a host elsewhere', ['apps', 'list', '--api-base', 'http://api.example.com'], /http/],
];

for (const [name, args, says] of MISTAKES) {
  test(`${name}: a usage error that says what to do, and nothing is sent`, async () => {
    using home = freshHome();
    const ended = await run(home, [...args, '--json']);
    assert.deepEqual([ended.status, ended.stdout], [2, ''], ended.stderr);
    const error = errorOf(ended);
    assert.equal(error['kind'], 'usage');
    assert.match(`${error['message']} ${error['param'] ?? ''} ${error['next'] ?? ''}`, says);
    assert.ok(error['next'], 'a next step');
    assert.equal(
      existsSync(join(home.path, '.local', 'state', 'credicorp', 'store.db')),
      false,
      'no call was written down',
    );
  });
}

test('a port in use is named, and nothing is left behind', async (t) => {
  using home = freshHome();
  const taken = createServer();
  t.after(() => taken.close());
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
  const { port } = taken.address() as AddressInfo;
  for (const flags of [[], ['--background']]) {
    const ended = await runScript('bin/run.js', ['sandbox', 'start', '--port', String(port), ...flags], home.env);
    assert.equal(ended.status, 2, ended.stderr);
    assert.match(ended.stderr, new RegExp(`${port}`));
    assert.equal(ended.stdout, '');
  }
  assert.equal(existsSync(join(home.path, '.local', 'state', 'credicorp', 'sandbox.json')), false);
  assert.equal(existsSync(join(home.path, '.config', 'credicorp', 'config.json')), false);
});

test('nobody there: unavailable, with the host, after the retries', async () => {
  using home = freshHome();
  const ended = await run(home, ['apps', 'list', '--max-retries', '1', '--json'], { CC_BASE: 'http://127.0.0.1:9' });
  assert.deepEqual([ended.status, ended.stdout], [6, '']);
  assert.match(errorOf(ended)['message'] ?? '', /127\.0\.0\.1:9/);
});

test('an unwritable state folder does not stop a call; commands that need it fail with a clear message', async () => {
  using home = freshHome();
  // A folder below a file cannot be made, not even by root.
  writeFileSync(join(home.path, 'file'), '');
  const state = { CREDICORP_STATE_DIR: join(home.path, 'file', 'state') };
  const listed = await run(home, ['apps', 'list', '--json'], state);
  assert.equal(listed.status, 0, listed.stderr);
  assert.deepEqual(JSON.parse(listed.stdout), { data: [], has_more: false, next_cursor: null });
  assert.match(listed.stderr, /warning: the journal cannot be written/);
  const tail = await run(home, ['logs', 'tail', '--no-follow', '--json'], state);
  assert.equal(tail.status, 2);
  assert.match(errorOf(tail)['next'] ?? '', /CREDICORP_STATE_DIR/);
  const sandbox = await runInside(['sandbox', 'start', '--port', '0', '--json'], {
    ...home.env,
    ...state,
  });
  assert.equal(sandbox.status, 2, sandbox.stderr);
  assert.match(errorOf(sandbox)['message'] ?? '', /state/);
});

test('a damaged config is named and left as it is', async () => {
  using home = freshHome();
  const folder = join(home.path, '.config', 'credicorp');
  mkdirSync(folder, { recursive: true });
  for (const text of ['{"active":', '[]', '{"active":"x","profiles":[{"name":1}]}']) {
    writeFileSync(join(folder, 'config.json'), text);
    const ended = await runInside(['whoami', '--json'], home.env);
    assert.deepEqual([ended.status, ended.stdout], [2, '']);
    assert.equal(errorOf(ended)['code'], 'config_corrupt');
    assert.match(errorOf(ended)['message'] ?? '', /config\.json/);
    assert.equal(readFileSync(join(folder, 'config.json'), 'utf8'), text);
  }
});

test('a damaged store is renamed, never deleted, and the command continues', async () => {
  using home = freshHome();
  const folder = join(home.path, '.local', 'state', 'credicorp');
  mkdirSync(folder, { recursive: true });
  const damage = `not a database ${'x'.repeat(5000)}`;
  writeFileSync(join(folder, 'store.db'), damage);
  const ended = await run(home, ['apps', 'list', '--json']);
  assert.equal(ended.status, 0, ended.stderr);
  assert.match(ended.stderr, /damaged.*set aside as .*store\.db\.corrupt-/);
  const aside = readdirSync(folder).find((name) => name.startsWith('store.db.corrupt-')) ?? '';
  assert.equal(readFileSync(join(folder, aside), 'utf8'), damage);
  const tail = await run(home, ['logs', 'tail', '--no-follow', '--json']);
  assert.equal(tail.status, 0);
  assert.equal(tail.stdout.trim().split('\n').length, 1, 'the new store has the call');
});

test('nobody signed in, and no sandbox: auth, with both ways on', async () => {
  using home = freshHome();
  const ended = await runInside(['apps', 'list'], home.env);
  assert.deepEqual([ended.status, ended.stdout], [4, '']);
  assert.match(ended.stderr, /credicorp login.*credicorp sandbox start/);
});

test('credentials of one environment are refused for a host of another before anything is sent', async () => {
  using home = freshHome();
  const rows: Record<string, string>[] = [
    { CC_SECRET_KEY: 'sk_live_PLANTED0000000001' },
    { CC_CLIENT_ID: 'cid_live_1', CC_CLIENT_SECRET: 'csk_live_PLANTED0000000001', CC_SECRET_KEY: '' },
    { CC_SECRET_KEY: 'sk_test_PLANTED0000000001', CC_BASE: 'https://api.credicorp.co.uk' },
  ];
  for (const more of rows) {
    const ended = await run(home, ['apps', 'list', '--json'], more);
    assert.equal(ended.status, 2, ended.stderr);
    assert.equal(errorOf(ended)['code'], 'environment_mismatch');
    assert.doesNotMatch(ended.stderr, /PLANTED/);
  }
});

test('a hosted credential out of the environment does not go to where a sandbox once was', async (t) => {
  using home = freshHome();
  const started = await runInside(['sandbox', 'start', '-b', '--port', '0', '--field', 'base_url'], home.env);
  const port = Number(new URL(started.stdout.trim()).port);
  await runInside(['sandbox', 'stop'], home.env);
  const received: string[] = [];
  const stranger = createServer((socket) =>
    socket.on('data', (chunk) => received.push(String(chunk))).on('error', () => undefined),
  );
  t.after(() => stranger.close());
  await new Promise<void>((resolve) => stranger.listen(port, '127.0.0.1', resolve));
  const rows: Record<string, string>[] = [
    { CC_CLIENT_ID: 'cid_sbx_4Hd82Kq', CC_CLIENT_SECRET: 'csk_sbx_HOSTEDSECRET0001' },
    { CC_SECRET_KEY: 'sk_test_HOSTEDSECRET0001' },
    { CC_CLIENT_ID: 'cc_client_1', CC_CLIENT_SECRET: 'unmarked-secret-0001' },
  ];
  for (const credential of rows) {
    const ended = await runInside(['apps', 'list', '--max-retries', '0', '--timeout', '2s'], {
      ...home.env,
      ...credential,
    });
    assert.notEqual(ended.status, 0);
  }
  assert.deepEqual(received, []);
});
