/** Signing in with the built program against real keyrings, and against what takes their place on other machines. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { osVault } from '../../src/lib/auth/vaults/os-vault.ts';
import type { ExchangeRecord } from '../../src/lib/contract/exchange.ts';
import { type Served, serveSandbox } from '../../src/lib/sandbox/sandbox-server.ts';
import {
  baseEnvironment,
  keyringMissing,
  type Session,
  startSilentService,
  startKeyring,
  startSession,
} from '../support/keyring.ts';
import { type Ended, freshHome, root, runScript } from '../support/spawn.ts';

const skip = keyringMissing() ?? false;
const program = 'bin/run.js';
const SECRET = 'csk_sbx_launch';
const calls: ExchangeRecord[] = [];
let api: Served;

before(async () => {
  api = await serveSandbox({
    host: '127.0.0.1',
    port: 0,
    seed: 'keychain',
    version: '0',
    now: Date.now,
    record: (call) => void calls.push(call),
  });
});
after(() => api.close());

/** A hosted sandbox in all but its address: its secret belongs into the keychain. */
function login(env: Record<string, string>, ...more: string[]): Promise<Ended> {
  const args = [
    'login',
    '--env',
    'sandbox',
    '--api-base',
    api.url,
    '--client-id',
    'cid_sbx_launch',
    '--secret-stdin',
    ...more,
  ];
  return runScript(program, args, env, `${SECRET}\n`);
}

function textIn(folder: string): string {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'latin1'))
    .join('\n');
}

test('a real keyring: sign in, use, sign out; the secret is in the keyring and in no file', { skip }, async () => {
  const session = await startSession();
  const keyring = await startKeyring(session, 'correct horse');
  try {
    const signedIn = await login(session.env);
    assert.equal(signedIn.status, 0, signedIn.stderr);
    assert.doesNotMatch(signedIn.stdout + signedIn.stderr, new RegExp(SECRET));
    const mints = (): number =>
      calls.filter(({ path, status }) => path === '/partner/v1/oauth/token' && status === 200).length;
    const before = mints();
    assert.ok(before > 0);
    const used = await runScript(program, ['apps', 'create', '--company', '16093826', '--json'], session.env);
    assert.equal(used.status, 0, used.stderr);
    assert.equal(mints(), before, 'the token that proved the credential is used on');
    const who = await runScript(program, ['whoami', '--json'], session.env);
    assert.match((JSON.parse(who.stdout) as Record<string, string>)['secret_in'] ?? '', /keychain of this system/);
    const token = (await runScript(program, ['token'], session.env)).stdout.trim();
    assert.match(token, /^eyJ/);
    const vault = osVault({ command: [process.execPath, join(root, 'dist', 'keychain-helper.js')], env: session.env });
    assert.equal(await vault.remove('sandbox/access_token'), true);
    const cold = mints();
    const many = Array.from({ length: 12 }, () => runScript(program, ['apps', 'list', '--json'], session.env));
    for (const { status, stderr } of await Promise.all(many)) assert.equal(status, 0, stderr);
    assert.equal(mints() - cold, 1, 'one of them minted, for all of them');
    for (const folder of ['config/credicorp', '.local/state/credicorp']) {
      if (!existsSync(join(session.home, folder))) continue;
      const kept = textIn(join(session.home, folder));
      assert.equal(kept.includes(SECRET), false, `${folder} holds the secret`);
      assert.equal(kept.includes(token), false, `${folder} holds the token`);
    }
    const out = await runScript(program, ['logout'], session.env);
    assert.match(out.stderr, /forgot profile sandbox and 2 stored secrets/);
    const after = await runScript(program, ['apps', 'list'], session.env);
    assert.deepEqual([after.status, after.stdout], [4, '']);
    assert.match(after.stderr, /not signed in/);
  } finally {
    await keyring.stop();
    await session.stop();
  }
});

test(
  'a profile moves between keyring and encrypted file, and its old copy is removed or kept as asked',
  { skip },
  async () => {
    const session = await startSession();
    const keyring = await startKeyring(session, 'correct horse');
    const env = { ...session.env, CREDICORP_STORE_PASSPHRASE: 'a passphrase of some length' };
    try {
      assert.equal((await login(env)).status, 0);
      const moved = await login(env, '--store', 'file', '--json');
      assert.equal(moved.status, 0, moved.stderr);
      assert.match(moved.stderr, /the old copy of its secrets was removed from the keychain of this system/);
      assert.match(moved.stdout, /"moved_from":\{"store":"os","removed":true\}/);
      const back = await login(env, '--store', 'os', '--keep-old');
      assert.match(back.stderr, /the old copy of its secrets is still in an encrypted file/);
      const who = await runScript(program, ['whoami', '--json'], env);
      assert.match(who.stdout, /"secret_in":"the keychain[^}]*"copies_in":\["encrypted file/);
      const out = await runScript(program, ['logout'], env);
      assert.match(out.stderr, /forgot profile sandbox and 4 stored secrets/);
      assert.equal(existsSync(join(session.home, 'config', 'credicorp', 'secrets.enc.json')), false);
    } finally {
      await keyring.stop();
      await session.stop();
    }
  },
);

/** A keyring that was made and used before, and is locked again as after a restart. */
async function startLocked(session: Session): Promise<{ stop(): Promise<void> }> {
  const unlocked = await startKeyring(session, 'correct horse');
  assert.equal((await login(session.env)).status, 0);
  await runScript(program, ['logout'], session.env);
  await unlocked.stop();
  return startKeyring(session, null);
}

const CAUSES: [
  name: string,
  code: string,
  words: RegExp,
  start: (session: Session) => Promise<{ stop(): Promise<void> }>,
][] = [
  ['a locked keyring', 'keychain_locked', /the keychain is locked/, startLocked],
  [
    'a service that never answers',
    'keychain_timeout',
    /did not answer in 3 s/,
    async (session) => {
      await startSilentService(session);
      return { stop: async () => undefined };
    },
  ],
];

for (const [name, code, words, startService] of CAUSES) {
  test(`${name}: its own words, status 4, a clean end in time, nothing stored`, { skip }, async () => {
    const session = await startSession();
    const service = await startService(session);
    try {
      const began = performance.now();
      const ended = await login(session.env, '--json');
      const took = performance.now() - began;
      assert.equal(ended.status, 4, ended.stderr);
      assert.equal(ended.stdout, '');
      const { error } = JSON.parse(ended.stderr.trim().split('\n').at(-1) ?? '') as { error: Record<string, string> };
      assert.equal(error['code'], code);
      assert.match(error['message'] ?? '', words);
      assert.match(error['next'] ?? '', /--store file/);
      // Start of the program and the call that proves the credential come on top of the keychain's 3.5 s.
      assert.ok(took < 5500, `took ${Math.round(took)} ms`);
      assert.equal(
        existsSync(join(session.home, 'config', 'credicorp', 'config.json')) &&
          /"sandbox"/.test(textIn(join(session.home, 'config', 'credicorp'))),
        false,
      );
    } finally {
      await service.stop();
      await session.stop();
    }
  });
}

test('no D-Bus: no keychain on this machine, and the way on', async () => {
  using home = freshHome();
  const ended = await login(baseEnvironment(home.path));
  assert.equal(ended.status, 4);
  assert.match(ended.stderr, /no keychain on this machine/);
  assert.match(ended.stderr, /--store file/);
});

test('without a keychain, an encrypted file does', async () => {
  using home = freshHome();
  const env = { ...baseEnvironment(home.path), CREDICORP_STORE_PASSPHRASE: 'a passphrase of some length' };
  const signedIn = await login(env, '--store', 'file');
  assert.equal(signedIn.status, 0, signedIn.stderr);
  const listed = await runScript(program, ['apps', 'list', '--json'], env);
  assert.equal(listed.status, 0, listed.stderr);
  // The compile cache holds the program itself, in which this made-up secret is a constant.
  for (const folder of ['config/credicorp', '.local/state/credicorp']) {
    assert.equal(textIn(join(home.path, folder)).includes(SECRET), false, folder);
  }
  const wrong = await runScript(program, ['apps', 'list'], { ...env, CREDICORP_STORE_PASSPHRASE: 'another' });
  assert.equal(wrong.status, 4);
  assert.match(wrong.stderr, /passphrase/);
});

test('credentials in the environment need no keychain and leave nothing', async () => {
  using home = freshHome();
  const env = {
    ...baseEnvironment(home.path),
    CC_CLIENT_ID: 'cid_sbx_launch',
    CC_CLIENT_SECRET: SECRET,
    CC_BASE: api.url,
  };
  const listed = await runScript(program, ['apps', 'list', '--json'], env);
  assert.equal(listed.status, 0, listed.stderr);
  assert.equal(existsSync(join(home.path, 'config', 'credicorp', 'config.json')), false);
  const twins = await runScript(program, ['apps', 'list'], { ...env, CREDICORP_CLIENT_SECRET: 'csk_sbx_other' });
  assert.equal(twins.status, 2);
  assert.match(twins.stderr, /CC_CLIENT_SECRET and CREDICORP_CLIENT_SECRET/);
  assert.doesNotMatch(twins.stderr, /csk_sbx_(other|launch)/);
});

test('a credential the API refuses is not stored', async () => {
  using home = freshHome();
  const env = { ...baseEnvironment(home.path), CREDICORP_STORE_PASSPHRASE: 'a passphrase of some length' };
  const args = [
    'login',
    '--env',
    'sandbox',
    '--api-base',
    api.url,
    '--client-id',
    'cid_sbx_launch',
    '--secret-stdin',
    '--store',
    'file',
  ];
  const refused = await runScript(program, args, env, 'csk_sbx_WRONGWRONGWRONG\n');
  assert.equal(refused.status, 4);
  assert.match(refused.stderr, /invalid_client/);
  assert.doesNotMatch(refused.stderr, /WRONGWRONG/);
  assert.equal(existsSync(join(home.path, 'config', 'credicorp', 'config.json')), false);
});

test('no flag takes a secret, and what is missing is named', async () => {
  using home = freshHome();
  const missing = await runScript(
    program,
    ['login', '--env', 'sandbox', '--client-id', 'cid_sbx_launch'],
    baseEnvironment(home.path),
  );
  assert.equal(missing.status, 2);
  assert.match(missing.stderr, /--secret-stdin/);
  const given = await runScript(program, ['login', '--client-secret', SECRET], baseEnvironment(home.path));
  assert.equal(given.status, 2);
  assert.doesNotMatch(given.stderr, new RegExp(SECRET));
});
