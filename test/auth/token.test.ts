import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, it, type TestContext } from 'node:test';
import type { Sources } from '../../src/lib/auth/credentials/client-identity.ts';
import { resolveIdentity } from '../../src/lib/auth/credentials/resolve-identity.ts';
import { type TokenOptions, tokenSource, tokenAccount } from '../../src/lib/auth/token/access-token.ts';
import { memoryVault } from '../../src/lib/auth/vaults/open-vault.ts';
import type { Vault } from '../../src/lib/auth/vaults/vault.ts';
import { Failure } from '../../src/lib/failure.ts';
import { freshFolder } from '../support/folder.ts';
import { profile, sources } from './sources.ts';
import { type Asked, grant, say, send, type TokenPlane, tokenPlane } from './token-plane.ts';

const newFolder = freshFolder;

async function plane(t: TestContext, ...args: Parameters<typeof tokenPlane>): Promise<TokenPlane> {
  const server = await tokenPlane(...args);
  t.after(() => server.close());
  return server;
}

/** A vault that others can share, so that locks and looks at it are real. */
function sharedVault(): Vault {
  return { ...memoryVault(), kind: 'os' };
}

/** The options of a command with a stored sandbox profile against that base. */
async function options(
  base: string,
  said: Partial<Sources> = {},
  rest: Partial<TokenOptions> = {},
): Promise<TokenOptions> {
  const own = profile('p', { base, environment: 'local', clientId: 'cid_sbx_mine' });
  const identity = resolveIdentity(sources({ config: { active: 'p', profiles: [own] }, ...said }));
  const vault = rest.vault ?? sharedVault();
  if (identity.secret.where === 'vault') await vault.set(identity.secret.account, 'csk_sbx_mine');
  return { identity, vault, send, now: Date.now, lockFolder: newFolder(), notice: () => undefined, ...rest };
}

const ANY = { refused: null };

const ONLY_BASIC = { token_endpoint_auth_methods_supported: ['client_secret_basic'] };
const BOTH = { token_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post'] };

describe('behind the mint of another process', () => {
  it('waits, says so after two seconds, and no longer than one call may take', async (t) => {
    const server = await plane(t);
    const shared = { vault: sharedVault(), lockFolder: newFolder() };
    const stuck = Promise.withResolvers<never>();
    const asked = Promise.withResolvers<void>();
    const hanging = (): Promise<never> => {
      asked.resolve();
      return stuck.promise;
    };
    const first = tokenSource(await options(server.base, {}, { ...shared, send: hanging })).get(ANY);
    await asked.promise;
    const notices: string[] = [];
    const began = performance.now();
    const notice = (text: string): void => void notices.push(text);
    const second = tokenSource(await options(server.base, {}, { ...shared, notice, timeoutMs: 2500 }));
    assert.equal(await second.get(ANY), 'token-1');
    assert.ok(performance.now() - began >= 2400);
    assert.deepEqual(notices, ['another credicorp process is getting an access token; waiting for it, up to 3 s']);
    stuck.reject(new Failure('unavailable', 'over'));
    await assert.rejects(first);
  });
});

describe('minting', () => {
  it('sends a form with the credentials and no scope', async (t) => {
    const server = await plane(t);
    assert.equal(await tokenSource(await options(server.base)).get(ANY), 'token-1');
    const [asked] = server.asked as [Asked];
    assert.equal(`${asked.method} ${asked.path}`, 'POST /partner/v1/oauth/token');
    assert.equal(asked.headers['content-type'], 'application/x-www-form-urlencoded');
    assert.equal(asked.headers.authorization, undefined);
    assert.deepEqual(asked.form, {
      grant_type: 'client_credentials',
      client_id: 'cid_sbx_mine',
      client_secret: 'csk_sbx_mine',
    });
  });

  it('sends scopes only when the user narrowed them', async (t) => {
    const server = await plane(t);
    const narrowed = await options(server.base, { flags: { scopes: ['decisions:read', 'applications:write'] } });
    await tokenSource(narrowed).get(ANY);
    assert.equal(server.asked[0]?.form['scope'], 'decisions:read applications:write');
  });

  it('goes where discovery says, on the same origin', async (t) => {
    const server = await plane(t, grant(), (base) => ({ token_endpoint: `${base}/oauth2/token` }));
    await tokenSource(await options(server.base)).get(ANY);
    assert.equal(server.asked[0]?.path, '/oauth2/token');
  });

  it('uses HTTP Basic when discovery knows nothing else, each half encoded', async (t) => {
    const server = await plane(t, grant(), (base) => ({
      token_endpoint: `${base}/oauth2/token`,
      token_endpoint_auth_methods_supported: ['client_secret_basic'],
    }));
    const all = await options(server.base, { env: { CC_CLIENT_ID: 'cid_sbx_a:b', CC_CLIENT_SECRET: 'csk_sbx_ü %' } });
    await tokenSource(all).get(ANY);
    const [asked] = server.asked as [Asked];
    assert.equal(
      Buffer.from(asked.headers.authorization?.slice(6) ?? '', 'base64').toString(),
      'cid_sbx_a%3Ab:csk_sbx_%C3%BC+%25',
    );
    assert.deepEqual(asked.form, { grant_type: 'client_credentials' });
  });

  it('uses the form when both are known', async (t) => {
    const server = await plane(t, grant(), (base) => ({
      token_endpoint: `${base}/t`,
      token_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post'],
    }));
    await tokenSource(await options(server.base)).get(ANY);
    assert.equal(server.asked[0]?.form['client_secret'], 'csk_sbx_mine');
  });

  const explicit: [what: string, document: (base: string) => unknown, basic: boolean][] = [
    ['knows only Basic there', (base) => ({ token_endpoint: `${base}/mine`, ...ONLY_BASIC }), true],
    ['knows both there', (base) => ({ token_endpoint: `${base}/mine`, ...BOTH }), false],
    ['speaks of another endpoint', (base) => ({ token_endpoint: `${base}/other`, ...ONLY_BASIC }), false],
    ['names none', () => ONLY_BASIC, false],
    ['is no JSON', () => '<html>', false],
  ];
  for (const [what, document, basic] of explicit) {
    it(`keeps to the explicit token URL where discovery of its host ${what}`, async (t) => {
      const server = await plane(t, grant(), document);
      await tokenSource(await options(server.base, { flags: { tokenUrl: `${server.base}/mine` } })).get(ANY);
      const [asked] = server.asked as [Asked];
      assert.deepEqual([asked.path, asked.headers.authorization !== undefined], ['/mine', basic]);
      assert.equal(asked.form['client_secret'] === undefined, basic);
    });
  }

  it('asks the explicit host about itself, and the API host about nothing', async (t) => {
    const asked: string[] = [];
    const [api, sso] = [
      await plane(t, grant(), () => asked.push('api')),
      await plane(t, grant(), () => asked.push('sso')),
    ];
    await tokenSource(await options(api.base, { flags: { tokenUrl: `${sso.base}/t` } })).get(ANY);
    assert.deepEqual([asked, sso.asked.length, api.asked.length], [['sso'], 1, 0]);
  });

  const hostile: [what: string, document: (base: string) => unknown, told: boolean][] = [
    ['another host', () => ({ token_endpoint: 'https://evil.example/token' }), true],
    ['a look-alike domain', () => ({ token_endpoint: 'https://evilcredicorp.co.uk/token' }), true],
    ['a hosted server, from this machine', () => ({ token_endpoint: 'https://sso.credicorp.co.uk/token' }), true],
    ['the live host', () => ({ token_endpoint: 'https://api.credicorp.co.uk/partner/v1/oauth/token' }), true],
    ['another port', (base) => ({ token_endpoint: base.replace(/\d+$/, '1') + '/t' }), true],
    ['user-info', (base) => ({ token_endpoint: base.replace('//', '//user@') + '/t' }), true],
    ['no URL', () => ({ token_endpoint: 'token' }), true],
    ['no endpoint', () => ({ issuer: 'x' }), true],
    ['no JSON', () => '<html>', false],
    ['a list', () => [], false],
  ];
  for (const [what, document, told] of hostile) {
    it(`does not follow a discovery document with ${what}`, async (t) => {
      const server = await plane(t, grant(), document);
      const notices: string[] = [];
      const source = tokenSource(await options(server.base, {}, { notice: (line) => notices.push(line) }));
      assert.equal(await source.get(ANY), 'token-1');
      assert.equal(server.asked[0]?.path, '/partner/v1/oauth/token');
      assert.equal(notices.length, told ? 1 : 0);
    });
  }
});

describe('keeping', () => {
  it('uses one token for many calls, and for the next command', async (t) => {
    const server = await plane(t);
    const all = await options(server.base);
    const source = tokenSource(all);
    const tokens = await Promise.all(Array.from({ length: 30 }, () => source.get(ANY)));
    assert.deepEqual(new Set(tokens), new Set(['token-1']));
    assert.equal(await tokenSource(all).get(ANY), 'token-1');
    assert.equal(server.asked.length, 1);
  });

  it('mints once for many calls in memory too', async (t) => {
    const server = await plane(t);
    const source = tokenSource(await options(server.base, {}, { vault: memoryVault() }));
    await Promise.all(Array.from({ length: 30 }, () => source.get(ANY)));
    assert.equal(server.asked.length, 1);
  });

  const lives: [what: string, answer: Record<string, unknown>, usedFor: number][] = [
    ['3600 s, 30 s early', { expires_in: 3600 }, 3570],
    ['no word about its life', { expires_in: undefined }, 3570],
    ['a life as text', { expires_in: '600' }, 570],
    ['a life of nonsense', { expires_in: 'soon' }, 3570],
  ];
  for (const [what, answer, usedFor] of lives) {
    it(`mints again when the life is over: ${what}`, async (t) => {
      const server = await plane(t, grant(answer));
      let now = 1_800_000_000_000;
      const all = await options(server.base, {}, { now: () => now });
      const token = () => tokenSource(all).get(ANY);
      await token();
      now += usedFor * 1000 - 1;
      assert.equal(await token(), 'token-1');
      now += 1;
      assert.equal(await token(), 'token-2');
    });
  }

  it('does not keep a token alive by setting the clock back', async (t) => {
    const server = await plane(t);
    let now = 1_800_000_000_000;
    const all = await options(server.base, {}, { now: () => now });
    await tokenSource(all).get(ANY);
    now -= 86_400_000;
    assert.equal(await tokenSource(all).get(ANY), 'token-2');
  });

  it('keeps tokens apart by scopes, client, base and token URL', async (t) => {
    const [one, two] = [await plane(t), await plane(t)];
    const vault = sharedVault();
    const token = async (base: string, said: Partial<Sources> = {}) =>
      tokenSource(await options(base, said, { vault })).get(ANY);
    await token(one.base);
    await token(one.base, { flags: { scopes: ['a'] } });
    await token(one.base, { flags: { scopes: ['b', 'a'] } });
    await token(one.base, { flags: { scopes: ['a', 'b'] } });
    await token(one.base);
    assert.equal(one.asked.length, 3);
    await token(two.base);
    assert.equal(two.asked.length, 1);
    await token(two.base, { flags: { tokenUrl: `${two.base}/other` } });
    assert.deepEqual(
      two.asked.map(({ path }) => path),
      ['/partner/v1/oauth/token', '/other'],
    );
  });

  it('mints for itself when the vault fails to keep, and says so', async (t) => {
    const server = await plane(t);
    const vault: Vault = {
      ...sharedVault(),
      get: async () => Promise.reject(new Failure('auth', 'the keychain is locked', { code: 'keychain_locked' })),
      set: async () => Promise.reject(new Failure('auth', 'the keychain is locked', { code: 'keychain_locked' })),
    };
    const notices: string[] = [];
    const env = { CC_CLIENT_ID: 'cid_sbx_x', CC_CLIENT_SECRET: 'csk_sbx_x', CREDICORP_KEYCHAIN: 'os' };
    const all = await options(server.base, { env }, { vault, notice: (line) => notices.push(line) });
    assert.equal(await tokenSource(all).get(ANY), 'token-1');
    assert.match(notices.join(), /could not be stored/);
  });

  it('mints where neither lock nor stamp can be written', async (t) => {
    const server = await plane(t);
    const file = join(newFolder(), 'a-file');
    writeFileSync(file, '');
    const all = await options(server.base, {}, { lockFolder: join(file, 'state') });
    assert.equal(await tokenSource(all).get(ANY), 'token-1');
    assert.equal(await tokenSource(all).get(ANY), 'token-1', 'kept all the same');
  });

  it('stops at a vault that cannot be opened when the secret is in it', async (t) => {
    const server = await plane(t);
    let looks = 0;
    const all = await options(server.base);
    const vault: Vault = {
      ...all.vault,
      get: async () => {
        looks += 1;
        throw new Failure('auth', 'the keychain did not answer in 3 s', { code: 'keychain_timeout' });
      },
    };
    await assert.rejects(tokenSource({ ...all, vault }).get(ANY), /did not answer/);
    assert.equal(looks, 1);
  });

  it('says what to do when nothing is stored', async (t) => {
    const server = await plane(t);
    const all = await options(server.base);
    await all.vault.remove('p/client_secret');
    await assert.rejects(
      tokenSource(all).get(ANY),
      (error: unknown) =>
        error instanceof Failure &&
        error.facts.code === 'nothing_stored' &&
        /login --profile p/.test(error.facts.next ?? ''),
    );
    assert.equal(server.asked.length, 0);
  });
});

describe('a refused token', () => {
  it('is replaced once, for all that hold it', async (t) => {
    const server = await plane(t);
    const all = await options(server.base);
    const source = tokenSource(all);
    const first = await source.get(ANY);
    const again = await Promise.all(Array.from({ length: 10 }, () => source.get({ refused: first })));
    assert.deepEqual(new Set(again), new Set(['token-2']));
    assert.equal(server.asked.length, 2);
  });

  it('is not minted again when another process did', async (t) => {
    const server = await plane(t);
    const all = await options(server.base);
    const [mine, other] = [tokenSource(all), tokenSource(all)];
    const first = await mine.get(ANY);
    await other.get({ refused: first });
    assert.equal(await mine.get({ refused: first }), 'token-2');
    assert.equal(server.asked.length, 2);
  });

  it('is a secret key: there is no other', async (t) => {
    const server = await plane(t);
    const all = await options(server.base, { env: { CC_SECRET_KEY: 'sk_test_mine' } });
    const source = tokenSource(all);
    assert.equal(await source.get(ANY), 'sk_test_mine');
    assert.equal(await source.get({ refused: 'sk_test_mine' }), 'sk_test_mine');
    assert.equal(await source.current(), null);
    assert.equal(server.asked.length, 0);
  });
});

/** As the keychain: what was fetched ahead is what stood there then. */
function fetchingAhead(vault: Vault): Vault {
  const fetched = new Map<string, Promise<string | null>>();
  return {
    ...vault,
    prefetch: (accounts) => accounts.forEach((account) => fetched.set(account, vault.get(account))),
    get: async (account, { fresh = false } = {}) =>
      fresh ? vault.get(account) : (fetched.get(account) ?? vault.get(account)),
  };
}

it('a token that somebody minted after the vault was read ahead is found, not minted again', async (t) => {
  const server = await plane(t);
  const all = await options(server.base);
  const early = tokenSource({ ...all, vault: fetchingAhead(all.vault) });
  early.prefetch();
  assert.equal(await tokenSource(all).get(ANY), 'token-1');
  assert.equal(await early.get(ANY), 'token-1');
  assert.equal(server.asked.length, 1);
});

describe('many processes', () => {
  const program = join(import.meta.dirname, 'token-user.ts');
  const start = (...args: string[]): ChildProcess & { said: Promise<string> } => {
    const child = spawn(process.execPath, [program, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
    return Object.assign(child, { said: text(child.stdout) });
  };

  it('with a cold cache mint once', async (t) => {
    const server = await plane(t, (_asked, response, count) => {
      setTimeout(() => say(response, 200, { access_token: `token-${count}`, expires_in: 3600 }), 150);
    });
    const folder = newFolder();
    const said = await Promise.all(Array.from({ length: 10 }, () => start(folder, server.base).said));
    assert.deepEqual(
      said,
      Array.from({ length: 10 }, () => 'token-1'),
    );
    assert.equal(server.asked.length, 1);
    const again = await Promise.all(Array.from({ length: 4 }, () => start(folder, server.base, 'token-1').said));
    assert.deepEqual(new Set(again), new Set(['token-2']));
    assert.equal(server.asked.length, 2);
  });

  it('are not held up by one that was killed while it minted', async (t) => {
    const reached = Promise.withResolvers<void>();
    const server = await plane(t, (asked, response, count) => {
      if (count === 1) reached.resolve();
      else grant()(asked, response, count);
    });
    const folder = newFolder();
    const doomed = start(folder, server.base);
    await reached.promise;
    const waiting = start(folder, server.base);
    const gone = once(doomed, 'exit');
    doomed.kill('SIGKILL');
    await gone;
    const started = performance.now();
    assert.equal(await waiting.said, 'token-2');
    assert.ok(performance.now() - started < 5000);
  });
});

describe('the clock', () => {
  for (const [what, offset, words] of [
    ['ahead', 120_000, /120 s ahead of/],
    ['behind', -90_000, /90 s behind/],
    ['right', 1000, null],
  ] as const) {
    it(`${what} of the server's Date is ${words === null ? 'nothing to tell' : 'told'}`, async (t) => {
      const at = 1_800_000_000_000;
      const server = await plane(t, (_asked, response) =>
        say(response, 200, { access_token: 'x' }, { date: new Date(at).toUTCString() }),
      );
      const notices: string[] = [];
      const all = await options(server.base, {}, { now: () => at + offset, notice: (line) => notices.push(line) });
      await tokenSource(all).get(ANY);
      if (words === null) assert.deepEqual(notices, []);
      else assert.match(notices.join(), words);
    });
  }
});

describe('a second provider', () => {
  it('is asked at its own path, without discovery, and refreshed 300 s early', async (t) => {
    const server = await plane(t, grant({ expires_in: 3600 }), () => assert.fail('no discovery'));
    let now = 1_800_000_000_000;
    const own = profile('pay', {
      provider: 'acountpay',
      environment: 'local',
      base: server.base,
      clientId: 'partner_x',
    });
    const all = await options(server.base, { config: { active: 'pay', profiles: [own] } }, { now: () => now });
    await tokenSource(all).get(ANY);
    assert.equal(server.asked[0]?.path, '/oauth/token');
    now += 3299_999;
    assert.equal(await tokenSource(all).get(ANY), 'token-1');
    now += 1;
    assert.equal(await tokenSource(all).get(ANY), 'token-2');
  });

  it('half the life of a short token', async (t) => {
    const server = await plane(t, grant({ expires_in: 400 }));
    let now = 1_800_000_000_000;
    const own = profile('pay', {
      provider: 'acountpay',
      environment: 'local',
      base: server.base,
      clientId: 'partner_x',
    });
    const all = await options(server.base, { config: { active: 'pay', profiles: [own] } }, { now: () => now });
    await tokenSource(all).get(ANY);
    now += 199_999;
    assert.equal(await tokenSource(all).get(ANY), 'token-1');
    now += 1;
    assert.equal(await tokenSource(all).get(ANY), 'token-2');
  });
});

it('prefetches token and secret in one request', async (t) => {
  const server = await plane(t);
  const all = await options(server.base);
  const asked: string[][] = [];
  const vault = { ...all.vault, prefetch: (accounts: readonly string[]) => void asked.push([...accounts]) };
  tokenSource({ ...all, vault }).prefetch();
  assert.deepEqual(asked, [[tokenAccount(all.identity), 'p/client_secret']]);
});
