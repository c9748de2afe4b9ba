/** `credicorp api`, `token …` and `profiles …` of the built program against the sandbox. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { ExchangeRecord } from '../../src/lib/contract/exchange.ts';
import { type Served, serveSandbox } from '../../src/lib/sandbox/sandbox-server.ts';
import { runInside } from '../support/inside.ts';
import { type Ended, freshHome } from '../support/spawn.ts';
import { openTerminal } from '../support/terminal.ts';
import { command } from '../support/world.ts';

const calls: ExchangeRecord[] = [];
const home = freshHome();
let api: Served;
let env: Record<string, string>;

before(async () => {
  api = await serveSandbox({
    host: '127.0.0.1',
    port: 0,
    seed: 'api',
    version: '0',
    now: Date.now,
    record: (call) => void calls.push(call),
  });
  env = { ...home.env, CC_CLIENT_ID: 'cid_sbx_local', CC_CLIENT_SECRET: 'csk_sbx_local', CC_BASE: api.url };
});
after(async () => {
  await api.close();
  home[Symbol.dispose]();
});

const run = (...args: string[]): Promise<Ended> => runInside(args, env);
/** The same commands in this process: for tables of many rows. */
const inside = (...args: string[]) => command({ home: home.path, env }, ...args);

test('a GET with fields in its query, whole, by path, by field and with its headers', async () => {
  const created = await run('apps', 'create', '--company', '16093826', '--quiet');
  const id = created.stdout.trim();
  const listed = await run('api', 'GET', '/partner/v1/applications', '-f', 'limit=1', '--field', 'data.id');
  assert.deepEqual([listed.status, listed.stdout], [0, `${id}\n`], listed.stderr);
  const one = await run('api', 'get', `partner/v1/applications/${id}`, '--json');
  assert.equal((JSON.parse(one.stdout) as { id: string }).id, id);
  const included = await run('api', 'GET', `/partner/v1/applications/${id}`, '--include');
  assert.match(included.stdout, /^HTTP 200\n[\s\S]*credicorp-request-id: req_[\s\S]*\n\n\{\n {2}"id": "app_/);
  const all = await run('api', 'GET', '/partner/v1/applications', '--include', '--json');
  assert.equal((JSON.parse(all.stdout) as { status: number }).status, 200);
});

test('a write from fields, from a file and from stdin, byte for byte; numbers keep their digits', async () => {
  const path = '/partner/v1/payments/links';
  const fields = ['-f', 'reference=INV-1', '-F', 'amount=45000', '-f', 'payer.name=Ada', '-F', 'metadata={"n":"1"}'];
  const made = await run('api', 'POST', path, ...fields, '--json');
  assert.equal(made.status, 0, made.stderr);
  const link = JSON.parse(made.stdout) as Record<string, unknown>;
  assert.deepEqual([link['amount'], link['payer']], [45_000, { name: 'Ada' }]);
  const body = '{ "amount": 45000,  "reference": "INV-2" }';
  const file = join(home.path, 'body.json');
  writeFileSync(file, body);
  const fromFile = await run('api', 'POST', path, '--input', file, '--idempotency-key', 'k-2', '--quiet');
  const fromStdin = await runInside(['api', 'POST', path, '--input', '-', '--idempotency-key', 'k-2', '-q'], env, body);
  assert.equal(fromStdin.stdout, fromFile.stdout, 'the same key and body are the same link');
  assert.equal(calls.at(-1)?.requestBody, body);
  const planned = await run(
    'api',
    'POST',
    path,
    '-F',
    'amount=9007199254740993',
    '-F',
    'rate=1.10',
    '--dry-run',
    '--json',
  );
  assert.match(planned.stdout, /"body":\{"amount":9007199254740993,"rate":1\.10\}/);
  assert.equal(planned.stdout.includes('csk_sbx'), false);
});

test('--paginate walks every page and prints one item as JSON per line', async () => {
  for (let count = 0; count < 4; count += 1) {
    const body = ['-F', 'amount=100', '-f', 'currency=GBP', '-f', 'scheme=pisp', '-f', `reference=P-${count}`];
    const made = await inside('api', 'POST', '/partner/v1/payments', ...body);
    assert.equal(made.status, 0, made.stderr);
  }
  const listed = await run('api', 'GET', '/partner/v1/payments', '--paginate', '-f', 'limit=2');
  assert.equal(listed.status, 0, listed.stderr);
  const lines = listed.stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { reference: string });
  assert.deepEqual(lines.map(({ reference }) => reference).sort(), ['P-0', 'P-1', 'P-2', 'P-3']);
  const single = await inside('api', 'GET', '/_sandbox/health', '--paginate');
  assert.equal(single.status, 2);
});

test('an answer that is not JSON is printed unchanged, and an empty answer prints nothing', async () => {
  const link = await inside('payments', 'link', '--amount', '5', '--reference', 'X', '--field', 'url');
  const page = await run('api', 'GET', new URL(link.stdout.trim()).pathname);
  assert.match(page.stdout, /<html|<!doctype/i, page.stderr);
  const made = await inside(
    'api',
    'POST',
    '/partner/v1/webhook_endpoints',
    '-f',
    'url=https://example.com/h',
    '-F',
    'events=["*"]',
    '-q',
  );
  const gone = await run('api', 'DELETE', `/partner/v1/webhook_endpoints/${made.stdout.trim()}`);
  assert.deepEqual([gone.status, gone.stdout], [0, ''], gone.stderr);
});

for (const [what, args, says] of [
  ['another host', ['GET', 'https://evil.example/x'], /own host/],
  ['another host by backslash', ['GET', '/\\evil.example/x'], /cannot lead to another host/],
  ['a credential as an argument', ['GET', '/x', '--header', 'Authorization: Bearer abc'], /never from an argument/],
] as const) {
  test(`api refuses ${what}`, async () => {
    const before = calls.length;
    const ended = await run('api', ...args);
    assert.match(ended.stderr, says);
    assert.deepEqual([ended.status, ended.stdout], [2, '']);
    assert.equal(calls.length, before, 'nothing was sent');
  });
}

test('errors keep their class and their request id', async () => {
  const missing = await run('api', 'GET', '/partner/v1/applications/app_nothere', '--json');
  assert.deepEqual([missing.status, missing.stdout], [3, '']);
  const { error } = JSON.parse(missing.stderr) as { error: Record<string, string> };
  assert.match(error['request_id'] ?? '', /^req_/);
  const refused = await inside('api', 'POST', '/partner/v1/applications', '-f', 'a=b');
  assert.equal(refused.status, 1);
});

test('token: printed, shown without its signature, verified, introspected', async () => {
  const printed = (await run('token')).stdout.trim();
  const shown = await run('token', 'show', '--json');
  const decoded = JSON.parse(shown.stdout) as { header: { alg: string }; claims: { client_id: string } };
  assert.deepEqual([decoded.header.alg, decoded.claims.client_id], ['ES256', 'cid_sbx_local']);
  assert.equal(shown.stdout.includes(printed.split('.')[2] ?? ''), false);
  const verified = await run('token', 'verify', '--field', 'valid');
  assert.deepEqual([verified.status, verified.stdout], [0, 'true\n'], verified.stderr);
  const active = await run('token', 'introspect', '--field', 'active');
  assert.deepEqual([active.status, active.stdout], [0, 'true\n'], active.stderr);
  const forged = `${printed.slice(0, -6)}${printed.endsWith('AAAAAA') ? 'BBBBBB' : 'AAAAAA'}`;
  const refused = await runInside(['token', 'verify', '--token-stdin', '--json'], env, forged);
  assert.deepEqual([refused.status, refused.stdout], [7, '']);
  assert.match(refused.stderr, /"code":"bad_signature"/);
  const unknown = await runInside(['token', 'introspect', '--token-stdin', '--field', 'active'], env, 'rubbish');
  assert.deepEqual([unknown.status, unknown.stdout], [0, 'false\n'], unknown.stderr);
});

test('token verify goes by the clock of the sandbox, and an expired token ends with 4', async () => {
  const printed = (await run('token')).stdout.trim();
  const advanced = await fetch(`${api.url}/_sandbox/clock/advance`, { method: 'POST', body: '{"seconds":7200}' });
  assert.ok(advanced.ok, await advanced.text());
  const expired = await runInside(['token', 'verify', '--token-stdin', '--json'], env, printed);
  assert.equal(expired.status, 4, expired.stderr);
  assert.match(expired.stderr, /"code":"expired"/);
  // The cached token is refused by the server; one more is minted, once, and the call goes through.
  const before = calls.filter(({ path }) => path.endsWith('/oauth/token')).length;
  assert.equal((await run('apps', 'list')).status, 0);
  assert.equal(calls.filter(({ path }) => path.endsWith('/oauth/token')).length, before + 1);
  assert.equal((await run('token', 'verify', '--quiet')).status, 0);
});

test('a secret key is the bearer token itself, without expiry or introspection', async () => {
  const keyed = { ...home.env, CC_SECRET_KEY: 'sk_test_local', CC_BASE: api.url };
  assert.equal((await runInside(['token'], keyed)).stdout, 'sk_test_local\n');
  assert.equal((await runInside(['token', 'introspect'], keyed)).status, 2);
  assert.equal((await runInside(['token', 'show'], keyed)).status, 2);
  const who = await runInside(['whoami', '--check', '--json'], keyed);
  assert.match(who.stdout, /"checked":true,"proven_by":"call"/);
  const wrong = await runInside(['whoami', '--check'], { ...keyed, CC_SECRET_KEY: 'sk_test_wrong' });
  assert.equal(wrong.status, 4);
});

test('profiles: two accounts, which one counts, a pin, and nothing left', async () => {
  using own = freshHome();
  const inOwn = (args: string[], input = '', more: Record<string, string> = {}): Promise<Ended> =>
    runInside(args, { ...own.env, CREDICORP_STORE_PASSPHRASE: 'a good passphrase', ...more }, input);
  const login = (name: string, tier: string, store: string[]) =>
    inOwn(
      [
        'login',
        '--profile',
        name,
        '--env',
        'sandbox',
        '--api-base',
        api.url,
        '--client-id',
        `cid_sbx_${tier}`,
        '--secret-stdin',
        ...store,
      ],
      `csk_sbx_${tier}\n`,
    );
  for (const [name, tier] of [
    ['one', 'launch'],
    ['two', 'scale'],
  ] as const) {
    const signedIn = await login(name, tier, ['--store', 'file']);
    assert.equal(signedIn.status, 0, signedIn.stderr);
  }
  const listed = JSON.parse((await inOwn(['profiles', 'list', '--json'])).stdout) as {
    data: Record<string, unknown>[];
  };
  assert.deepEqual(
    listed.data.map(({ name, active, client_id }) => [name, active, client_id]),
    [
      ['one', false, 'cid_sbx_launch'],
      ['two', true, 'cid_sbx_scale'],
    ],
  );
  assert.equal((await inOwn(['profiles', 'use', 'one', '--quiet'])).stdout, 'one\n');
  assert.equal((await inOwn(['whoami', '--field', 'client_id'])).stdout, 'cid_sbx_launch\n');
  assert.equal((await inOwn(['profiles', 'use', 'nobody'])).status, 2);
  const overruled = await inOwn(['profiles', 'use', 'one'], '', { CREDICORP_PROFILE: 'two' });
  assert.match(overruled.stderr, /CREDICORP_PROFILE=two is set in this shell and comes first/);
  const who = JSON.parse((await inOwn(['whoami', '--check', '--json'])).stdout) as Record<
    string,
    Record<string, string>
  >;
  assert.equal(who['sources']?.['profile'], 'profile one');
  assert.match(String(who['secret_in']), /encrypted file .*secrets\.enc\.json/);
  assert.match(String(who['webhook_secrets_in']), /encrypted file/);
  const out = await inOwn(['profiles', 'remove', 'one']);
  assert.match(out.stderr, /no secret of it is left/);
  const sealed = join(own.path, '.config', 'credicorp', 'secrets.enc.json');
  assert.ok(existsSync(sealed), 'the other profile keeps its secrets');
  const last = await inOwn(['logout', '--all']);
  assert.match(last.stderr, /forgot profile two and 2 stored secrets/);
  assert.equal(existsSync(sealed), false, 'the last secret takes the file with it');
  assert.equal(readFileSync(join(own.path, '.config', 'credicorp', 'config.json'), 'utf8').includes('cid_sbx'), false);
});

test('a pin counts in its folder, and says so', async () => {
  using own = freshHome();
  const config = join(own.path, '.config', 'credicorp');
  mkdirSync(config, { recursive: true });
  const profile = (name: string) => ({
    name,
    provider: 'credicorp',
    environment: 'local',
    base: api.url,
    mode: 'oauth',
    clientId: 'cid_sbx_local',
    store: 'local',
  });
  writeFileSync(
    join(config, 'config.json'),
    JSON.stringify({ version: 1, active: 'a', profiles: [profile('a'), profile('b')] }),
  );
  const world = { home: own.path };
  const pinned = await command(world, 'profiles', 'pin', 'b', '--field', 'path');
  assert.deepEqual([pinned.status, pinned.stdout], [0, `${join(own.path, '.credicorp.json')}\n`], pinned.stderr);
  const who = JSON.parse((await command(world, 'whoami', '--json')).stdout) as {
    profile: string;
    sources: Record<string, string>;
  };
  assert.equal(who.profile, 'b');
  assert.match(who.sources['profile'] ?? '', /^directory pin .*\.credicorp\.json$/);
  assert.equal((await command(world, 'profiles', 'pin', 'nobody')).status, 2);
  assert.equal((await command(world, 'profiles', 'pin', 'b', '--api-base', 'https://evil.example')).status, 2);
});

test('a live write asks on a terminal and otherwise needs --yes; nothing is sent without', async () => {
  using own = freshHome();
  const live = {
    ...own.env,
    CC_CLIENT_ID: 'cid_live_x',
    CC_CLIENT_SECRET: 'csk_live_x',
    HTTPS_PROXY: 'http://127.0.0.1:1',
  };
  for (const args of [
    ['api', 'POST', '/partner/v1/payments/links', '-f', 'reference=X'],
    ['apps', 'create', '--company', '16093826', '--amount', '1000', '--term', '12'],
    ['payments', 'link', '--amount', '1', '--reference', 'X'],
  ]) {
    const ended = await command({ home: own.path, env: live }, ...args, '--json');
    assert.equal(ended.status, 2, ended.stderr);
    assert.match(ended.stderr, /"code":"live_needs_yes"/);
  }
  const read = await command({ home: own.path, env: live }, 'api', 'GET', '/x', '--max-retries', '0');
  assert.equal(read.status, 6, 'a read needs no yes, and fails on the way out');
  const shown = await command({ home: own.path, env: live, terminal: true }, 'api', 'GET', '/x', '--max-retries', '0');
  assert.match(shown.stderr, /^LIVE https:\/\/api\.credicorp\.co\.uk$/m);
  const terminal = openTerminal(['payments', 'link', '--amount', '1', '--reference', 'X'], live);
  await terminal.shows('LIVE: create a payment link for £1.00?');
  terminal.type('n\r');
  assert.equal(await terminal.ended(), 2, terminal.text);
  assert.match(terminal.text, /not confirmed; nothing was sent/);
});
