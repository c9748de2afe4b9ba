/** The keychain against real keyrings: an open one, none, a locked one, and one that never answers. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { osVault } from '../../src/lib/auth/vaults/os-vault.ts';
import type { Vault } from '../../src/lib/auth/vaults/vault.ts';
import { Failure } from '../../src/lib/failure.ts';
import { freshFolder } from '../support/folder.ts';
import {
  baseEnvironment,
  keyringMissing,
  type Session,
  startKeyring,
  startSession,
  startSilentService,
} from '../support/keyring.ts';

interface Said {
  result?: unknown;
  kind?: string;
  message?: string;
  facts?: { code?: string; next?: string };
}

const HELPER = join(import.meta.dirname, '../../src/lib/auth/keychain/keychain-helper.ts');

/** A vault of this process; only its helpers live in the session. */
function vaultIn(env: Record<string, string>, helper = HELPER): Vault {
  return osVault({ command: [process.execPath, helper], env });
}

/** What an act on the keychain comes to. */
async function saidBy(act: Promise<unknown>): Promise<Said> {
  try {
    return { result: await act };
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return error;
  }
}

/** Runs the program to its end. */
async function use(
  env: Record<string, string>,
  ...args: string[]
): Promise<{ said: Said; ms: number; code: number | null }> {
  const started = performance.now();
  const program = join(import.meta.dirname, 'keychain-user.ts');
  const child = spawn(process.execPath, [program, ...args], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  const [output, [code]] = await Promise.all([text(child.stdout), once(child, 'exit')]);
  return { said: JSON.parse(output) as Said, ms: performance.now() - started, code: code as number | null };
}

function assertFailure(said: Said, code: string, words: RegExp): void {
  assert.equal(said.kind, 'auth');
  assert.equal(said.facts?.code, code);
  assert.match(said.message ?? '', words);
  assert.match(said.facts?.next ?? '', /--store file/);
}

/** Helper processes that run with that home. */
function helpersOf(home: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        const environ = readFileSync(`/proc/${pid}/environ`, 'utf8');
        return (
          environ.includes(`HOME=${home}\0`) && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('keychain-helper')
        );
      } catch {
        return false;
      }
    });
}

const missing = keyringMissing();
if (missing !== null) process.stderr.write(`${missing}\n`);

describe('an open keyring', { skip: missing ?? false }, () => {
  let session: Session;
  let keyring: { stop(): Promise<void> };
  before(async () => {
    session = await startSession();
    keyring = await startKeyring(session, 'open sesame');
  });
  after(async () => {
    await keyring.stop();
    await session.stop();
  });

  it('keeps, gives and forgets', async () => {
    const vault = vaultIn(session.env);
    assert.equal(await vault.get('a/client_secret'), null);
    await vault.set('a/client_secret', 'csk_sbx_ü"\n1');
    assert.equal(await vault.get('a/client_secret'), 'csk_sbx_ü"\n1');
    await vault.set('a/client_secret', 'second');
    assert.equal((await use(session.env, 'get', 'a/client_secret')).said.result, 'second');
    assert.equal(await vault.remove('a/client_secret'), true);
    assert.equal(await vault.remove('a/client_secret'), false);
  });

  it('fetches several ahead in one go, and removes by prefix', async () => {
    const vault = vaultIn(session.env);
    const accounts = ['b/client_secret', 'b/webhook/whend_1', 'bb/client_secret'];
    await Promise.all(accounts.map((account) => vault.set(account, `secret of ${account}`)));
    const { said } = await use(session.env, 'prefetch', 'b/client_secret', 'b/access_token', 'bb/client_secret');
    assert.deepEqual(said.result, ['secret of b/client_secret', null, 'secret of bb/client_secret']);
    assert.equal(await vault.removeUnder('b/'), 2);
    assert.equal(await vault.get('b/webhook/whend_1'), null);
    assert.equal(await vault.get('bb/client_secret'), 'secret of bb/client_secret');
  });

  it('holds a token of 4 kB, and what was fetched ahead gives way to what is fresh', async () => {
    const [vault, other] = [vaultIn(session.env), vaultIn(session.env)];
    await vault.set('c/access_token', 'x'.repeat(4096));
    other.prefetch(['c/access_token']);
    assert.equal(await other.get('c/access_token'), 'x'.repeat(4096));
    await vault.set('c/access_token', 'new');
    assert.equal(await other.get('c/access_token', { fresh: true }), 'new');
  });
});

describe('no keychain', { skip: missing ?? false }, () => {
  it('no D-Bus session', async () => {
    const home = freshFolder();
    const { said, ms, code } = await use(baseEnvironment(home), 'get', 'a/client_secret');
    assertFailure(said, 'keychain_missing', /^no keychain on this machine: there is no D-Bus session$/);
    assert.ok(ms < 3500 && code === 0, `${ms} ms, status ${code}`);
  });

  it('a D-Bus address nobody listens at', async () => {
    const env = { ...baseEnvironment('/nonexistent'), DBUS_SESSION_BUS_ADDRESS: 'unix:path=/nonexistent/bus' };
    assertFailure(await saidBy(vaultIn(env).get('a/client_secret')), 'keychain_missing', /no D-Bus session/);
  });

  it('no secret service', async () => {
    const session = await startSession();
    const said = await saidBy(vaultIn(session.env).get('a/client_secret'));
    assertFailure(said, 'keychain_missing', /no secret service answers/);
    await session.stop();
  });

  it('a secret service without a keyring', async () => {
    const session = await startSession();
    const keyring = await startKeyring(session, null);
    const said = await saidBy(vaultIn(session.env).set('a/client_secret', 'x'));
    assertFailure(said, 'keychain_missing', /has no keyring/);
    await keyring.stop();
    await session.stop();
  });

  it('no libsecret, or no library for this platform', async () => {
    const session = await startSession();
    const keyring = await startKeyring(session, 'open sesame');
    // Beside these copies there is no node_modules, so the library cannot be loaded.
    const auth = join(import.meta.dirname, '../../src/lib/auth');
    cpSync(auth, join(session.home, 'auth'), { recursive: true });
    const vault = vaultIn(session.env, join(session.home, 'auth', 'keychain', 'keychain-helper.ts'));
    const said = await saidBy(vault.get('a/client_secret'));
    assertFailure(said, 'keychain_missing', /libsecret/);
    await keyring.stop();
    await session.stop();
  });
});

describe('a locked keyring', { skip: missing ?? false }, () => {
  it('is distinguished from an empty one', async () => {
    const session = await startSession();
    const open = await startKeyring(session, 'open sesame');
    await vaultIn(session.env).set('a/client_secret', 'csk_sbx_locked_away');
    await open.stop();
    const locked = await startKeyring(session, null);
    const { said, ms, code } = await use(session.env, 'get', 'a/client_secret');
    assertFailure(said, 'keychain_locked', /^the keychain is locked$/);
    assert.ok(ms < 3500 && code === 0, `${ms} ms, status ${code}`);
    const vault = vaultIn(session.env);
    const acts = [
      () => vault.set('a/client_secret', 'x'),
      () => vault.remove('a/client_secret'),
      () => vault.removeUnder('a/'),
    ];
    for (const act of acts) assertFailure(await saidBy(act()), 'keychain_locked', /^the keychain is locked$/);
    await locked.stop();
    const again = await startKeyring(session, 'open sesame');
    assert.equal(await vault.get('a/client_secret'), 'csk_sbx_locked_away');
    await again.stop();
    await session.stop();
  });
});

describe('a secret service that never answers', { skip: missing ?? false, concurrency: true }, () => {
  let session: Session;
  before(async () => {
    session = await startSession();
    await startSilentService(session);
  });
  after(() => session.stop());

  for (const act of ['get', 'set']) {
    it(`${act} gives up after 3 s and the program ends`, async () => {
      // Half a second is for starting two processes; a machine busy with other tests gets a second chance.
      let ms = Infinity;
      for (let tries = 0; tries < 3 && ms >= 3500; tries += 1) {
        const outcome = await use(session.env, act, 'a/client_secret', 'x');
        assertFailure(outcome.said, 'keychain_timeout', /^the keychain did not answer in 3 s$/);
        assert.equal(outcome.code, 0);
        ms = outcome.ms;
      }
      assert.ok(ms >= 3000 && ms < 3500, `${ms} ms`);
    });
  }

  it('a prefetch nobody asks about does not hold the program', async () => {
    const { said, ms, code } = await use(session.env, 'prefetch-and-leave', 'a/client_secret');
    assert.equal(said.result, 'left');
    assert.ok(ms < 2000 && code === 0, `${ms} ms, status ${code}`);
  });
});

describe('helpers', { skip: missing ?? false }, () => {
  it('do not outlive their callers', async () => {
    const session = await startSession();
    await startSilentService(session);
    await use(session.env, 'prefetch-and-leave', 'a/client_secret');
    for (let tries = 0; tries < 100 && helpersOf(session.home).length > 0; tries += 1) await pause(20);
    assert.deepEqual(helpersOf(session.home), []);
    await session.stop();
  });
});
