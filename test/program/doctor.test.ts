/** `credicorp doctor` of the built program: well, ill, and without anything. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type Served, serveSandbox } from '../../src/lib/sandbox/sandbox-server.ts';
import { runInside } from '../support/inside.ts';
import { baseEnvironment, keyringMissing, startKeyring, startSession } from '../support/keyring.ts';
import { type Ended, freshHome } from '../support/spawn.ts';
import { openTerminal } from '../support/terminal.ts';

interface Check {
  name: string;
  state: string;
  detail: string;
  next: string | null;
}

let api: Served;
before(async () => {
  api = await serveSandbox({ host: '127.0.0.1', port: 0, seed: 'doctor', version: '0', now: Date.now });
});
after(() => api.close());

const NAMES = [
  ...['node', 'config', 'write rights', 'store', 'keychain', 'ports'],
  ...['proxy', 'identity', 'dns', 'tls', 'host', 'clock', 'token', 'keys'],
];

const credentials = (): Record<string, string> => ({
  CC_CLIENT_ID: 'cid_sbx_local',
  CC_CLIENT_SECRET: 'csk_sbx_local',
  CC_BASE: api.url,
});

async function doctor(
  env: Record<string, string>,
): Promise<{ ended: Ended; check: (name: string) => Check; ok: boolean }> {
  const ended = await runInside(['doctor', '--json'], env);
  const document = JSON.parse(ended.stdout) as { ok: boolean; checks: Check[] };
  const check = (name: string): Check => {
    const found = document.checks.find((one) => one.name === name);
    assert.ok(found, `no line ${name}`);
    return found;
  };
  for (const { name, state, next } of document.checks)
    assert.equal(next !== null, state === 'broken' || state === 'warning', `${name} is ${state}: ${next ?? 'no cure'}`);
  assert.equal(ended.status, document.ok ? 0 : 9);
  return { ended, check, ok: document.ok };
}

test('all is well: a line for everything, status 0, no secret shown, nothing left', async () => {
  using home = freshHome();
  const env = {
    ...baseEnvironment(home.path),
    ...credentials(),
    CREDICORP_KEYCHAIN: 'file',
    CREDICORP_STORE_PASSPHRASE: 'a good one',
  };
  const { ended, check, ok } = await doctor(env);
  assert.equal(ok, true, ended.stdout);
  assert.deepEqual(
    (JSON.parse(ended.stdout) as { checks: Check[] }).checks.map(({ name }) => name),
    NAMES,
  );
  for (const name of [
    'node',
    'config',
    'write rights',
    'store',
    'keychain',
    'proxy',
    'identity',
    'dns',
    'host',
    'clock',
    'token',
    'keys',
  ])
    assert.equal(check(name).state, 'ok', `${name}: ${check(name).detail}`);
  assert.doesNotMatch(ended.stdout + ended.stderr, /csk_sbx_local|eyJ/);
  const folder = join(home.path, 'config', 'credicorp');
  assert.deepEqual(
    readdirSync(folder).filter((name) => /probe|secrets.*json$/.test(name)),
    [],
    'the probe is gone, and its file with it',
  );
  const rows = await runInside(['doctor'], env);
  assert.deepEqual(
    rows.stdout
      .trimEnd()
      .split('\n')
      .map((row) => row.split('\t')[0]),
    NAMES,
  );
});

test('a real keyring takes, gives and forgets the probe', { skip: keyringMissing() ?? false }, async () => {
  const session = await startSession();
  const keyring = await startKeyring(session, 'correct horse');
  try {
    const { check } = await doctor({ ...session.env, ...credentials() });
    assert.equal(check('keychain').state, 'ok', check('keychain').detail);
  } finally {
    await keyring.stop();
    await session.stop();
  }
});

test('nobody signed in and no keychain: reported with advice, and not as a problem', async () => {
  using home = freshHome();
  const { check, ok } = await doctor(baseEnvironment(home.path));
  assert.equal(ok, true);
  assert.match(check('identity').next ?? '', /credicorp login/);
  assert.match(check('keychain').detail, /no keychain on this machine/);
  assert.equal(check('keychain').state, 'warning');
});

test('a profile whose keychain is missing is broken', async () => {
  using home = freshHome();
  const folder = join(home.path, 'config', 'credicorp');
  mkdirSync(folder, { recursive: true });
  const profile = {
    name: 'p',
    provider: 'credicorp',
    environment: 'sandbox',
    base: api.url,
    mode: 'oauth',
    clientId: 'cid_sbx_p',
    store: 'os',
  };
  writeFileSync(join(folder, 'config.json'), JSON.stringify({ version: 1, active: 'p', profiles: [profile] }), {
    mode: 0o644,
  });
  const { check, ok } = await doctor(baseEnvironment(home.path));
  assert.equal(ok, false);
  assert.equal(check('keychain').state, 'broken');
  assert.match(check('keychain').next ?? '', /--store file/);
  assert.equal(check('token').state, 'broken');
  assert.match(check('config').next ?? '', /chmod 600/);
});

test('a wrong secret, a wrong clock, a host that is not there, a proxy that is no URL', async () => {
  using home = freshHome();
  const env = { ...baseEnvironment(home.path), ...credentials(), CREDICORP_KEYCHAIN: 'memory' };
  const wrong = await doctor({ ...env, CC_CLIENT_SECRET: 'csk_sbx_wrong' });
  assert.match(wrong.check('token').detail, /refused/);
  assert.equal(wrong.check('host').state, 'ok');
  const gone = await doctor({ ...env, CC_BASE: 'http://127.0.0.1:1' });
  assert.equal(gone.check('host').state, 'broken');
  assert.equal(gone.check('token').state, 'skipped');
  const odd = await doctor({ ...env, HTTPS_PROXY: 'not a url', HTTP_PROXY: 'http://x:1' });
  assert.match(odd.check('proxy').next ?? '', /HTTPS_PROXY=http/);
  const late = createHttpServer((_request, response) => {
    response.writeHead(200, { date: new Date(Date.now() + 3_600_000).toUTCString() }).end('{}');
  });
  await new Promise<void>((resolve) => late.listen(0, '127.0.0.1', resolve));
  try {
    const skewed = await doctor({ ...env, CC_BASE: `http://127.0.0.1:${(late.address() as AddressInfo).port}` });
    assert.equal(skewed.check('clock').state, 'broken');
    assert.match(skewed.check('clock').detail, /3[56]\d\d s behind/);
  } finally {
    late.close();
  }
});

test('calls to an https host go through HTTPS_PROXY, except to hosts of NO_PROXY', async () => {
  using home = freshHome();
  const asked: string[] = [];
  const proxy = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', (head) => {
      asked.push(head.toString().split('\r\n')[0] ?? '');
      socket.end('HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n');
    });
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  const { port } = proxy.address() as AddressInfo;
  const live = { CC_CLIENT_ID: 'cid_live_x', CC_CLIENT_SECRET: 'csk_live_secretive' };
  const env = {
    ...home.env,
    ...live,
    HTTPS_PROXY: `http://user:password@127.0.0.1:${port}`,
    CREDICORP_KEYCHAIN: 'memory',
  };
  try {
    const listed = await runInside(['apps', 'list', '--json'], env);
    assert.equal(listed.status, 6);
    assert.match(listed.stderr, /"code":"proxy"/);
    assert.match(asked.at(-1) ?? '', /^CONNECT api\.credicorp\.co\.uk:443 HTTP/);
    const { check } = await doctor(env);
    assert.equal(check('proxy').detail, `https goes through 127.0.0.1:${port}; loopback is never proxied`);
    assert.equal(check('dns').state, 'skipped');
    assert.match(check('host').detail, /proxy refused/);
    const before = asked.length;
    await runInside(['apps', 'list', '--max-retries', '0', '--timeout', '1s'], {
      ...env,
      NO_PROXY: 'credicorp.co.uk,.credicorp.co.uk',
    });
    assert.equal(asked.length, before, 'NO_PROXY goes round it');
  } finally {
    proxy.close();
  }
});

test('a host without a certificate it could show: TLS is named', async () => {
  using home = freshHome();
  const server = createTlsServer({}, () => undefined);
  server.on('tlsClientError', () => undefined);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    const base = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const { check } = await doctor({
      ...baseEnvironment(home.path),
      ...credentials(),
      CC_BASE: base,
      CREDICORP_KEYCHAIN: 'memory',
    });
    assert.equal(check('tls').state, 'broken', check('tls').detail);
  } finally {
    server.close();
  }
});

test('a damaged config and folders that cannot be written are named', async () => {
  using home = freshHome();
  const folder = join(home.path, 'config', 'credicorp');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'config.json'), '{');
  const env = { ...baseEnvironment(home.path), CREDICORP_KEYCHAIN: 'memory', CREDICORP_STATE_DIR: '/dev/null/nowhere' };
  const { check } = await doctor(env);
  assert.match(check('config').detail, /is not JSON/);
  assert.equal(check('write rights').state, 'broken');
  assert.match(check('write rights').next ?? '', /CREDICORP_STATE_DIR/);
  assert.equal(check('store').state, 'broken');
  assert.equal(existsSync('/dev/null/nowhere'), false);
});

test('on a terminal: a word for each state, and the cure below it', async () => {
  using home = freshHome();
  const terminal = openTerminal(['doctor'], {
    ...baseEnvironment(home.path),
    ...credentials(),
    CREDICORP_KEYCHAIN: 'memory',
    CC_CLIENT_SECRET: 'csk_sbx_wrong',
  });
  assert.equal(await terminal.ended(), 9, terminal.text);
  assert.match(terminal.text, /^ok {7}node /m);
  assert.match(terminal.text, /^broken {3}token [^\n]*\n {24}\S/m);
});
