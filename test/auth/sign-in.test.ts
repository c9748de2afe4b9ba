import assert from 'node:assert/strict';
import { existsSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { localProfile } from '../../src/lib/auth/credentials/choose-credential.ts';
import {
  configPath,
  findProfile,
  type Profile,
  readConfig,
  type SecretStore,
} from '../../src/lib/auth/credentials/profiles.ts';
import { resolveIdentity } from '../../src/lib/auth/credentials/resolve-identity.ts';
import { findProvider } from '../../src/lib/auth/providers/provider.ts';
import { signIn, type SignInOptions, signOut } from '../../src/lib/auth/sign-in.ts';
import { tokenSource } from '../../src/lib/auth/token/access-token.ts';
import { introspect } from '../../src/lib/auth/token/introspect.ts';
import { memoryVault } from '../../src/lib/auth/vaults/open-vault.ts';
import type { Vault } from '../../src/lib/auth/vaults/vault.ts';
import { Failure } from '../../src/lib/failure.ts';
import { serveSandbox } from '../../src/lib/sandbox/sandbox-server.ts';
import { freshFolder } from '../support/folder.ts';
import { profile, sources } from './sources.ts';
import { grant, say, send, tokenPlane } from './token-plane.ts';

const newFolder = freshFolder;
const failure = (kind: string, code: string) => (error: unknown) =>
  error instanceof Failure && error.kind === kind && error.facts.code === code;

interface Desk extends SignInOptions {
  vaults: Record<SecretStore, Vault>;
}

function desk(said: Partial<SignInOptions> & { profile: Profile }): Desk {
  const vaults = { os: memoryVault(), file: memoryVault(), local: memoryVault() };
  return {
    secret: 'csk_sbx_mine',
    provider: findProvider(said.profile.provider, '/nonexistent'),
    configFolder: newFolder(),
    vault: (store) => vaults[store],
    vaults,
    send,
    now: Date.now,
    notice: () => undefined,
    activate: false,
    prove: async () => assert.fail('nothing to prove by a call'),
    ...said,
  };
}

async function here(t: TestContext, ...args: Parameters<typeof tokenPlane>): Promise<Profile & { asked: number[] }> {
  const server = await tokenPlane(...args);
  t.after(() => server.close());
  return { ...profile('p', { base: server.base }), asked: [] };
}

const plain = ({ asked: _asked, ...rest }: Profile & { asked: number[] }): Profile => rest;

describe('signing in', () => {
  it('proves, stores, and is what the next command finds', async (t) => {
    const options = desk({ profile: plain(await here(t, grant({ scope: 'applications:read' }))) });
    const outcome = await signIn(options);
    assert.equal(outcome.active, true);
    assert.equal(outcome.secretStored, true);
    assert.equal(outcome.token?.granted, 'applications:read');
    assert.equal(await options.vaults.os.get('p/client_secret'), 'csk_sbx_mine');
    assert.ok(!readFileSync(configPath(options.configFolder), 'utf8').includes('csk_sbx'));
    const identity = resolveIdentity(sources({ config: readConfig(options.configFolder) }));
    const rest = {
      send: async () => assert.fail('the token is there'),
      now: Date.now,
      lockFolder: newFolder(),
      notice: () => undefined,
    };
    assert.equal(await tokenSource({ identity, vault: options.vaults.os, ...rest }).get({ refused: null }), 'token-1');
  });

  it('stores nothing when the credential is rejected', async (t) => {
    const rejecting = await here(t, (_asked, response) => say(response, 401, { error: 'invalid_client' }));
    const options = desk({ profile: plain(rejecting) });
    await assert.rejects(signIn(options), failure('auth', 'invalid_client'));
    assert.equal(await options.vaults.os.get('p/client_secret'), null);
    assert.ok(!existsSync(configPath(options.configFolder)));
  });

  it('sends nothing when the configuration is damaged', async (t) => {
    const options = desk({ profile: plain(await here(t, () => assert.fail('nothing to send'))) });
    writeFileSync(configPath(options.configFolder), '{');
    await assert.rejects(signIn(options), failure('usage', 'config_corrupt'));
  });

  it('leaves no secret behind when the profile cannot be listed', async (t) => {
    // Nothing can be read there, and no folder can be made there either.
    const dangling = join(newFolder(), 'config');
    symlinkSync('/nonexistent/elsewhere', dangling);
    const options = desk({ profile: plain(await here(t)), configFolder: dangling });
    await assert.rejects(signIn(options), (error: unknown) => error instanceof Failure && error.kind === 'usage');
    assert.equal(await options.vaults.os.get('p/client_secret'), null);
  });

  it('proves a secret key by a call', async () => {
    const proved: string[] = [];
    const options = desk({
      profile: profile('k', { mode: 'secret_key' }),
      secret: 'sk_test_mine',
      prove: async (identity, secret) => void proved.push(`${identity.mode} ${secret}`),
    });
    const outcome = await signIn(options);
    assert.deepEqual(proved, ['secret_key sk_test_mine']);
    assert.equal(outcome.token, null);
    assert.equal(await options.vaults.os.get('k/secret_key'), 'sk_test_mine');
  });

  it('moves to another store and leaves nothing in the old one', async (t) => {
    const own = plain(await here(t));
    const options = desk({ profile: own });
    await signIn(options);
    const outcome = await signIn({ ...options, profile: { ...own, store: 'file' } });
    assert.deepEqual(outcome.former, { store: 'os', removed: true });
    assert.equal(await options.vaults.os.get('p/client_secret'), null);
    assert.equal(await options.vaults.file.get('p/client_secret'), 'csk_sbx_mine');
  });

  it('keeps the copy in the old store when told to, and signing out finds it there', async (t) => {
    const own = plain(await here(t));
    const options = desk({ profile: own });
    await signIn(options);
    const outcome = await signIn({ ...options, profile: { ...own, store: 'file' }, keepFormer: true });
    assert.deepEqual(outcome.former, { store: 'os', removed: false });
    assert.equal(await options.vaults.os.get('p/client_secret'), 'csk_sbx_mine');
    const listed = findProfile(readConfig(options.configFolder), 'p');
    assert.ok(listed);
    assert.deepEqual(listed.keptIn, ['os']);
    assert.equal(await signOut(listed, { vault: options.vault, configFolder: options.configFolder }), 4);
    for (const vault of [options.vaults.os, options.vaults.file])
      assert.equal(await vault.get('p/client_secret'), null);
  });

  it('keeps the active profile unless asked to change it', async (t) => {
    const own = plain(await here(t));
    const options = desk({ profile: own });
    await signIn(options);
    assert.equal((await signIn({ ...options, profile: { ...own, name: 'q' } })).active, false);
    assert.equal((await signIn({ ...options, profile: { ...own, name: 'r' }, activate: true })).active, true);
    assert.equal(readConfig(options.configFolder).active, 'r');
  });

  const refused: [what: string, said: Partial<Profile>, secret: string, code: string][] = [
    ['live secret for the sandbox', {}, 'csk_live_x', 'environment_mismatch'],
    ['live id for the sandbox', { clientId: 'cid_live_x' }, 'x', 'environment_mismatch'],
    [
      'sandbox secret for live',
      { environment: 'live', base: 'https://api.credicorp.co.uk', clientId: 'c' },
      'csk_sbx_x',
      'environment_mismatch',
    ],
    ['live base called sandbox', { base: 'https://api.credicorp.co.uk' }, 'x', 'bad_base'],
    ['token URL of live', { tokenUrl: 'https://hub.credicorp.co.uk/t' }, 'x', 'environment_mismatch'],
    ['no client id', { clientId: undefined as never }, 'x', 'incomplete_credential'],
    ['an empty secret', {}, '', 'bad_secret'],
    ['a secret with a line break', {}, 'a\nb', 'bad_secret'],
    [
      'a real secret in the plain file',
      { store: 'local', environment: 'local', base: 'http://127.0.0.1:1' },
      'csk_sbx_real',
      'bad_store',
    ],
    ["the sandbox's secret for a hosted host", { store: 'local' }, 'csk_sbx_local', 'environment_mismatch'],
    ['a bad name', { name: '../x' }, 'x', 'bad_profile_name'],
    [
      'a secret key for a provider without',
      { provider: 'acountpay', mode: 'secret_key', environment: 'live', base: 'https://api.acountpay.com' },
      'x',
      'provider_mismatch',
    ],
  ];
  for (const [what, said, secret, code] of refused) {
    it(`refuses before sending: ${what}`, async () => {
      const options = desk({ profile: profile('p', said), secret, send: async () => assert.fail('sent') });
      await assert.rejects(signIn(options), failure('usage', code));
    });
  }
});

describe('signing out', () => {
  it('leaves nothing', async (t) => {
    const options = desk({ profile: plain(await here(t)) });
    await signIn(options);
    await options.vaults.os.set('p/webhook/whend_1', 'whsec_1');
    await options.vaults.os.set('pp/client_secret', 'of another');
    const removed = await signOut(options.profile, { vault: options.vault, configFolder: options.configFolder });
    assert.equal(removed, 3);
    assert.equal(findProfile(readConfig(options.configFolder), 'p'), null);
    assert.equal(readConfig(options.configFolder).active, null);
    assert.equal(await options.vaults.os.get('pp/client_secret'), 'of another');
  });

  it('can leave the profile listed', async (t) => {
    const options = desk({ profile: plain(await here(t)) });
    await signIn(options);
    await signOut(options.profile, { vault: options.vault, configFolder: options.configFolder, keepProfile: true });
    assert.equal(readConfig(options.configFolder).active, 'p');
    assert.equal(await options.vaults.os.get('p/client_secret'), null);
  });
});

describe('introspection', () => {
  for (const [methods, basic] of [
    [['client_secret_basic'], true],
    [['client_secret_post', 'client_secret_basic'], false],
  ] as const) {
    it(`authenticates by ${basic ? 'HTTP Basic' : 'the form'} where discovery knows ${methods.join(' and ')}`, async (t) => {
      const plane = await tokenPlane(
        (_asked, response) => say(response, 200, { active: true }),
        (base) => ({ introspection_endpoint: `${base}/ask`, token_endpoint_auth_methods_supported: methods }),
      );
      t.after(() => plane.close());
      const own = profile('p', { base: plane.base });
      const identity = resolveIdentity(sources({ config: { active: 'p', profiles: [own] } }));
      await introspect('token', { identity, secret: 's', send, notice: () => undefined });
      assert.equal(plane.asked[0]?.path, '/ask');
      assert.equal(plane.asked[0]?.headers.authorization?.startsWith('Basic ') ?? false, basic);
      assert.equal(plane.asked[0]?.form['client_secret'], basic ? undefined : 's');
    });
  }
});

describe('against the embedded sandbox', () => {
  it('signs in, gives a token, introspects', async (t) => {
    const served = await serveSandbox({ host: '127.0.0.1', port: 0, version: '0', seed: 'auth', now: Date.now });
    t.after(() => served.close());
    const options = desk({ profile: localProfile(served.url), secret: 'csk_sbx_local' });
    const outcome = await signIn(options);
    assert.equal(outcome.secretStored, false);
    assert.match(outcome.token?.granted ?? '', /applications:read/);
    const identity = resolveIdentity(sources({ config: readConfig(options.configFolder) }));
    const asking = { identity, secret: 'csk_sbx_local', send, notice: () => undefined };
    const active = await introspect(outcome.token?.token ?? '', asking);
    assert.equal(active.active, true);
    assert.equal(active['client_id'], 'cid_sbx_local');
    assert.deepEqual(await introspect('rubbish', asking), { active: false });
    await assert.rejects(introspect('x', { ...asking, secret: 'wrong' }), failure('auth', 'invalid_client'));
    await assert.rejects(
      signIn({ ...options, profile: localProfile(served.url), secret: 'csk_sbx_scale' }),
      failure('auth', 'invalid_client'),
    );
  });
});
