/** Who the built program is, what it never sends where, and one token for all its processes. */
import assert from 'node:assert/strict';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { ExchangeRecord } from '../../src/lib/contract/exchange.ts';
import { type Served, serveSandbox } from '../../src/lib/sandbox/sandbox-server.ts';
import { runInside } from '../support/inside.ts';
import { type Ended, finish, freshHome, runScript, start } from '../support/spawn.ts';

const program = 'bin/run.js';
const calls: ExchangeRecord[] = [];
let api: Served;

before(async () => {
  api = await serveSandbox({
    host: '127.0.0.1',
    port: 0,
    seed: 'identity',
    rateLimit: false,
    version: '0',
    now: Date.now,
    record: (call) => void calls.push(call),
  });
});
after(() => api.close());

interface Host {
  base: string;
  /** What came, in order: method, path and whether a credential was with it. */
  seen: string[];
  close(): void;
}

type Reply = (request: IncomingMessage, response: ServerResponse, base: string) => void;

async function host(reply: Reply = (_request, response) => void response.end('{}')): Promise<Host> {
  const seen: string[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      const secret = request.headers.authorization !== undefined || body.includes('client_secret');
      seen.push(`${request.method} ${request.url}${secret ? ' with a credential' : ''}`);
      response.setHeader('content-type', 'application/json');
      reply(request, response, base);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    base,
    seen,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

const TOKEN = JSON.stringify({ access_token: 'token-one', token_type: 'Bearer', expires_in: 3600 });
const EMPTY = JSON.stringify({ data: [], has_more: false, next_cursor: null });

/** Mints and lists, as a well-behaved host does. */
const plain: Reply = (request, response) => void response.end(request.url?.includes('token') ? TOKEN : EMPTY);

test('50 processes at once with a cold cache cause exactly one mint', async () => {
  using home = freshHome();
  const env = { ...home.env, CC_CLIENT_ID: 'cid_sbx_local', CC_CLIENT_SECRET: 'csk_sbx_local', CC_BASE: api.url };
  const created = await fetch(`${api.url}/partner/v1/applications`, {
    method: 'POST',
    headers: { authorization: 'Bearer sk_test_local' },
    body: '{"business":{"company_number":"16093826"},"amount_pence":2500000,"term_months":12}',
  });
  const { id } = (await created.json()) as { id: string };
  const mints = (): number => calls.filter(({ path }) => path.endsWith('/oauth/token')).length;
  const before = mints();
  const all = await Promise.all(
    Array.from({ length: 50 }, () => runScript(program, ['apps', 'get', id, '--quiet'], env)),
  );
  for (const { status, stdout, stderr } of all) assert.deepEqual([status, stdout], [0, `${id}\n`], stderr);
  assert.equal(mints() - before, 1);
});

test('one that is killed while it mints holds nobody up', async () => {
  using home = freshHome();
  let first = true;
  const minting = Promise.withResolvers<void>();
  const slow = await host((request, response, base) => {
    if (request.url?.includes('token') && first) {
      first = false;
      // Never answered: its client dies holding the lock.
      return minting.resolve();
    }
    plain(request, response, base);
  });
  const env = { ...home.env, CC_CLIENT_ID: 'cid_sbx_local', CC_CLIENT_SECRET: 'csk_sbx_local', CC_BASE: slow.base };
  try {
    const doomed = start(program, ['apps', 'list'], env);
    const ended = finish(doomed);
    await minting.promise;
    const waiting = runScript(program, ['apps', 'list', '--json'], env);
    doomed.kill('SIGKILL');
    const began = performance.now();
    assert.equal((await waiting).status, 0);
    assert.ok(performance.now() - began < 5000);
    await ended;
  } finally {
    slow.close();
  }
});

/** A profile whose secret is in the encrypted file, for a host of its own. */
async function signedIn(
  base: string,
): Promise<{ home: ReturnType<typeof freshHome>; run: (...args: string[]) => Promise<Ended> }> {
  const home = freshHome();
  const env = { ...home.env, CREDICORP_STORE_PASSPHRASE: 'a good passphrase' };
  const words = [
    'login',
    '--env',
    'sandbox',
    '--api-base',
    base,
    '--client-id',
    'cid_sbx_mine',
    '--secret-stdin',
    '--store',
    'file',
  ];
  const ended = await runInside(words, env, 'csk_sbx_mine_secret\n');
  assert.equal(ended.status, 0, ended.stderr);
  const project = join(home.path, 'project');
  mkdirSync(project);
  const child = (args: string[]) => start(program, args, env, project);
  return { home, run: (...args) => finish(child(args)) };
}

test('a hostile .credicorp.json can at worst cause a refusal', async () => {
  const own = await host(plain);
  const evil = await host(plain);
  const { home, run } = await signedIn(own.base);
  const pin = join(home.path, 'project', '.credicorp.json');
  const evilPort = new URL(evil.base).port;
  const hostile: [what: string, text: string][] = [
    ['its base', JSON.stringify({ base: evil.base })],
    ['its token URL', JSON.stringify({ token_url: `${evil.base}/token` })],
    ['the profile and its base', JSON.stringify({ profile: 'sandbox', base: evil.base })],
    [
      'a name that only begins like this machine',
      JSON.stringify({ base: `https://127.0.0.1.evil.example:${evilPort}` }),
    ],
    ['a user before the host', JSON.stringify({ base: `http://${new URL(own.base).host}@127.0.0.1:${evilPort}` })],
    ['another address of this machine', JSON.stringify({ base: `http://[::1]:${evilPort}` })],
    ['localhost with a dot', JSON.stringify({ base: `http://localhost.:${evilPort}` })],
    ['look-alike letters', JSON.stringify({ base: 'https://sandbox.credicоrp.co.uk' })],
    ['plain http elsewhere', JSON.stringify({ base: 'http://sandbox.credicorp.co.uk' })],
    ['another port of its own host', JSON.stringify({ base: 'http://127.0.0.1:1' })],
    ['a path on another host that names the own', JSON.stringify({ base: `${evil.base}/${own.base}` })],
    ['a secret', JSON.stringify({ profile: 'sandbox', client_secret: 'csk_sbx_planted' })],
    ['something unknown', JSON.stringify({ exec: 'rm -rf /' })],
    ['no JSON', '{'],
  ];
  try {
    const before = own.seen.length;
    for (const [what, text] of hostile) {
      writeFileSync(pin, text);
      const ended = await run('apps', 'list', '--json');
      assert.equal(ended.status, 2, `${what}: ${ended.stderr}`);
      assert.match(ended.stderr, /"code":"(?:pin_refused|bad_base|environment_mismatch)"/, what);
      assert.doesNotMatch(ended.stderr, /csk_sbx_(?:mine_secret|planted)/, what);
    }
    assert.deepEqual(evil.seen, []);
    assert.equal(own.seen.length, before, 'nothing was sent at all');
    rmSync(pin);
    assert.equal((await run('apps', 'list')).status, 0, 'without the file all is as before');
  } finally {
    own.close();
    evil.close();
    home[Symbol.dispose]();
  }
});

test('no redirect and no discovery document sends a credential to another host', async () => {
  const evil = await host(plain);
  const discovery = JSON.stringify({
    token_endpoint: `${evil.base}/token`,
    jwks_uri: `${evil.base}/keys`,
    introspection_endpoint: `${evil.base}/introspect`,
  });
  let redirecting: 'nothing' | 'token' | 'calls' = 'nothing';
  const own = await host((request, response) => {
    const url = request.url ?? '';
    if (url.startsWith('/.well-known')) return void response.end(discovery);
    const isToken = url.includes('token');
    if (redirecting === (isToken ? 'token' : 'calls'))
      return void response.writeHead(307, { location: `${evil.base}${url}` }).end();
    response.end(isToken ? TOKEN : EMPTY);
  });
  const { home, run } = await signedIn(own.base);
  try {
    assert.ok(own.seen.some((line) => line === 'POST /partner/v1/oauth/token with a credential'));
    await run('token', 'verify');
    await run('token', 'introspect');
    redirecting = 'calls';
    const call = await run('apps', 'list', '--json');
    assert.deepEqual([call.status, call.stdout], [6, '']);
    assert.match(call.stderr, /redirects are not followed/);
    const write = await run('payments', 'link', '--amount', '1', '--reference', 'X', '--json');
    assert.equal(write.status, 6);
    redirecting = 'token';
    const minted = await run(
      'login',
      '--env',
      'sandbox',
      '--api-base',
      own.base,
      '--client-id',
      'cid_sbx_mine',
      '--json',
    );
    assert.notEqual(minted.status, 0);
    assert.deepEqual(evil.seen, []);
  } finally {
    own.close();
    evil.close();
    home[Symbol.dispose]();
  }
});

test('no credential of one environment is sent to a host of another, wherever the host was set', async () => {
  using home = freshHome();
  const evil = await host(plain);
  const live = { CC_CLIENT_ID: 'cid_live_x', CC_CLIENT_SECRET: 'csk_live_secretive' };
  const sandbox = { CC_CLIENT_ID: 'cid_sbx_x', CC_CLIENT_SECRET: 'csk_sbx_secretive' };
  const rows: [env: Record<string, string>, args: string[]][] = [
    [live, ['--api-base', evil.base]],
    [{ ...live, CC_BASE: evil.base }, []],
    [{ ...live, CC_TOKEN_URL: `${evil.base}/token` }, []],
    [live, ['--api-base', 'https://sandbox.credicorp.co.uk']],
    [sandbox, ['--api-base', 'https://api.credicorp.co.uk']],
    [sandbox, ['--api-base', 'https://API.credicorp.co.uk.:443']],
    [{ ...sandbox, CC_BASE: 'https://hub.credicorp.co.uk/partner/v1' }, []],
    [sandbox, ['--api-base', 'https://sandbox.credicorp.co.uk.evil.example']],
    [sandbox, ['--api-base', 'https://sandbox.credicorp.co.uk@evil.example']],
    [sandbox, ['--api-base', 'http://sandbox.credicorp.co.uk']],
    [sandbox, ['--api-base', 'http://127.0.0.1.evil.example']],
    [{ CC_SECRET_KEY: 'sk_live_secretive', CC_BASE: evil.base }, []],
    [{ CC_SECRET_KEY: 'sk_test_secretive', CC_BASE: 'https://api.credicorp.co.uk' }, []],
  ];
  try {
    for (const [env, args] of rows) {
      const ended = await runInside(['apps', 'list', ...args, '--json'], { ...home.env, ...env });
      assert.deepEqual(
        [ended.status, ended.stdout],
        [2, ''],
        `${JSON.stringify(env)} ${args.join(' ')}: ${ended.stderr}`,
      );
      assert.doesNotMatch(ended.stderr, /secretive/);
    }
    assert.deepEqual(evil.seen, []);
  } finally {
    evil.close();
  }
});

test('a revoked token is reported with advice, a missing scope mints no new token, a wrong clock is noticed', async () => {
  using home = freshHome();
  let refusal: [number, string] | null = null;
  let skewMs = 0;
  const own = await host((request, response, base) => {
    response.setHeader('date', new Date(Date.now() + skewMs).toUTCString());
    if (refusal !== null && request.url?.includes('applications') === true) {
      const [status, code] = refusal;
      return void response
        .writeHead(status)
        .end(JSON.stringify({ error: { code, message: 'No.', request_id: 'req_Abc12345' } }));
    }
    plain(request, response, base);
  });
  const env = { ...home.env, CC_CLIENT_ID: 'cid_sbx_local', CC_CLIENT_SECRET: 'csk_sbx_local', CC_BASE: own.base };
  const mints = (): number => own.seen.filter((line) => line.includes('/oauth/token')).length;
  try {
    skewMs = 120_000;
    const skewed = await runInside(['apps', 'list'], env);
    assert.equal(skewed.status, 0);
    assert.match(skewed.stderr, /clock is 1(?:19|20|21) s behind the server's/);
    for (const [status, code, says] of [
      [401, 'token_revoked', /sign in with a new one/],
      [403, 'insufficient_scope', /scope/],
      [403, 'account_suspended', /support/],
    ] as const) {
      refusal = [status, code];
      const before = mints();
      const ended = await runInside(['apps', 'list'], env);
      assert.equal(ended.status, 4);
      assert.match(ended.stderr, says);
      assert.match(ended.stderr, /req_Abc12345/);
      assert.equal(mints(), before, `${code} does not mint`);
    }
    refusal = [401, 'token_expired'];
    const before = mints();
    assert.equal((await runInside(['apps', 'list'], env)).status, 4);
    assert.equal(mints(), before + 1, 'once, and no more');
  } finally {
    own.close();
  }
});
