import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { inspect } from 'node:util';
import type { Identity, Source, Sources } from '../../src/lib/auth/credentials/client-identity.ts';
import { resolveIdentity } from '../../src/lib/auth/credentials/resolve-identity.ts';
import { Failure } from '../../src/lib/failure.ts';
import { profile, sources } from './sources.ts';

const failure = (kind: string, code: string) => (error: unknown) =>
  error instanceof Failure && error.kind === kind && error.facts.code === code;

const PAIR = { CC_CLIENT_ID: 'cid_sbx_env', CC_CLIENT_SECRET: 'csk_sbx_env' };
const LIVE_PAIR = { CC_CLIENT_ID: 'cid_live_env', CC_CLIENT_SECRET: 'csk_live_env' };
const LOCAL_PAIR = {
  CC_CLIENT_ID: 'cid_sbx_local',
  CC_CLIENT_SECRET: 'csk_sbx_local',
  CC_BASE: 'http://127.0.0.1:4010',
};
const LIVE = profile('live', { environment: 'live', base: 'https://api.credicorp.co.uk', clientId: 'cid_live_a' });

/** One way to say something; `value` is what counts when it wins. */
interface Voice {
  name: string;
  say: (all: Sources) => Sources;
  value: string;
  source: Source;
}

/** Every voice in order of precedence, and what each says. For each pair the earlier one has to win. */
const MATRIX: {
  what: string;
  read: (identity: Identity) => { value: string; source: Source } | null;
  voices: Voice[];
}[] = [
  {
    what: 'profile',
    read: (identity) => identity.profile,
    voices: [
      {
        name: 'flag',
        say: (all) => ({ ...all, flags: { ...all.flags, profile: 'flagged' } }),
        value: 'flagged',
        source: { from: 'flag', name: '--profile' },
      },
      {
        name: 'variable',
        say: (all) => ({ ...all, env: { ...all.env, CREDICORP_PROFILE: 'varied' } }),
        value: 'varied',
        source: { from: 'variable', name: 'CREDICORP_PROFILE' },
      },
      {
        name: 'pin',
        say: (all) => ({ ...all, pin: { path: '/r/.credicorp.json', profile: 'pinned' } }),
        value: 'pinned',
        source: { from: 'pin', name: '/r/.credicorp.json' },
      },
      {
        name: 'active',
        say: (all) => ({ ...all, config: { ...all.config, active: 'active' } }),
        value: 'active',
        source: { from: 'profile', name: 'active' },
      },
      {
        name: 'running sandbox',
        say: (all) => ({ ...all, runningSandbox: { base: 'http://127.0.0.1:4999' } }),
        value: 'local',
        source: { from: 'sandbox', name: '' },
      },
    ],
  },
  {
    what: 'base',
    read: (identity) => identity.base,
    voices: [
      {
        name: 'flag',
        say: (all) => ({ ...all, flags: { ...all.flags, base: 'http://127.0.0.1:1/' } }),
        value: 'http://127.0.0.1:1',
        source: { from: 'flag', name: '--api-base' },
      },
      {
        name: 'profile named by flag',
        say: (all) => ({ ...all, flags: { ...all.flags, profile: 'flagged' } }),
        value: 'https://sandbox.credicorp.co.uk',
        source: { from: 'profile', name: 'flagged' },
      },
      {
        name: 'CC_BASE',
        say: (all) => ({ ...all, env: { ...all.env, CC_BASE: 'http://127.0.0.1:2/partner/v1' } }),
        value: 'http://127.0.0.1:2',
        source: { from: 'variable', name: 'CC_BASE' },
      },
      {
        name: 'CREDICORP_BASE',
        say: (all) => ({
          ...all,
          env: all.env['CC_BASE'] === undefined ? { ...all.env, CREDICORP_BASE: 'http://127.0.0.1:3' } : all.env,
        }),
        value: 'http://127.0.0.1:3',
        source: { from: 'variable', name: 'CREDICORP_BASE' },
      },
      {
        name: 'pin',
        say: (all) => ({
          ...all,
          env: { ...all.env, ...PAIR },
          pin: { path: '/r/p', base: 'https://sandbox.api.credicorp.co.uk' },
        }),
        value: 'https://sandbox.api.credicorp.co.uk',
        source: { from: 'pin', name: '/r/p' },
      },
      {
        name: 'active profile',
        say: (all) => ({ ...all, config: { ...all.config, active: 'active' } }),
        value: 'https://sandbox.credicorp.co.uk',
        source: { from: 'profile', name: 'active' },
      },
      {
        name: 'running sandbox',
        say: (all) => ({ ...all, runningSandbox: { base: 'http://127.0.0.1:4999' } }),
        value: 'http://127.0.0.1:4999',
        source: { from: 'sandbox', name: '' },
      },
    ],
  },
  {
    what: 'token URL',
    read: (identity) => identity.tokenUrl,
    voices: [
      {
        name: 'flag',
        say: (all) => ({ ...all, flags: { ...all.flags, tokenUrl: 'http://127.0.0.1:1/t' } }),
        value: 'http://127.0.0.1:1/t',
        source: { from: 'flag', name: '--token-url' },
      },
      {
        name: 'profile named by flag',
        say: (all) => ({ ...all, flags: { ...all.flags, profile: 'tokened' } }),
        value: 'https://sso.credicorp.co.uk/own',
        source: { from: 'profile', name: 'tokened' },
      },
      {
        name: 'CC_TOKEN_URL',
        say: (all) => ({ ...all, env: { ...all.env, CC_TOKEN_URL: 'https://sso.credicorp.co.uk/t' } }),
        value: 'https://sso.credicorp.co.uk/t',
        source: { from: 'variable', name: 'CC_TOKEN_URL' },
      },
      {
        name: 'CREDICORP_TOKEN_URL',
        say: (all) => ({
          ...all,
          env:
            all.env['CC_TOKEN_URL'] === undefined
              ? { ...all.env, CREDICORP_TOKEN_URL: 'https://b.example/t' }
              : all.env,
        }),
        value: 'https://b.example/t',
        source: { from: 'variable', name: 'CREDICORP_TOKEN_URL' },
      },
      {
        name: 'pin',
        say: (all) => ({
          ...all,
          pin: { path: '/r/p', tokenUrl: 'https://sandbox.credicorp.co.uk/partner/v1/oauth/token' },
        }),
        value: 'https://sandbox.credicorp.co.uk/partner/v1/oauth/token',
        source: { from: 'pin', name: '/r/p' },
      },
      {
        name: 'profile',
        say: (all) => ({ ...all, config: { ...all.config, active: 'tokened' } }),
        value: 'https://sso.credicorp.co.uk/own',
        source: { from: 'profile', name: 'tokened' },
      },
    ],
  },
  {
    what: 'client id',
    read: (identity) => identity.clientId,
    voices: [
      {
        name: 'flag',
        say: (all) => ({
          ...all,
          flags: { ...all.flags, clientId: 'cid_sbx_flag' },
          env: { CC_CLIENT_SECRET: 'csk_sbx_env', ...all.env },
        }),
        value: 'cid_sbx_flag',
        source: { from: 'flag', name: '--client-id' },
      },
      {
        name: 'profile named by flag',
        say: (all) => ({
          ...all,
          flags: { ...all.flags, profile: 'flagged' },
          env: { CC_CLIENT_ID: 'cid_sbx_other', CC_CLIENT_SECRET: 'csk_sbx_other', ...all.env },
        }),
        value: 'cid_sbx_flagged',
        source: { from: 'profile', name: 'flagged' },
      },
      {
        name: 'CC_CLIENT_ID',
        say: (all) => ({ ...all, env: { ...all.env, ...PAIR } }),
        value: 'cid_sbx_env',
        source: { from: 'variable', name: 'CC_CLIENT_ID' },
      },
      {
        name: 'CREDICORP_CLIENT_ID',
        say: (all) => ({
          ...all,
          env:
            all.env['CC_CLIENT_ID'] === undefined
              ? { CREDICORP_CLIENT_SECRET: 'csk_sbx_env', ...all.env, CREDICORP_CLIENT_ID: 'cid_sbx_twin' }
              : all.env,
        }),
        value: 'cid_sbx_twin',
        source: { from: 'variable', name: 'CREDICORP_CLIENT_ID' },
      },
      {
        name: 'profile',
        say: (all) => ({ ...all, config: { ...all.config, active: 'active' } }),
        value: 'cid_sbx_active',
        source: { from: 'profile', name: 'active' },
      },
      {
        name: 'running sandbox',
        say: (all) => ({ ...all, runningSandbox: { base: 'http://127.0.0.1:4999' } }),
        value: 'cid_sbx_local',
        source: { from: 'profile', name: 'local' },
      },
    ],
  },
];

const PROFILES = [
  ...['flagged', 'varied', 'pinned', 'active'].map((name) => profile(name)),
  profile('tokened', { tokenUrl: 'https://sso.credicorp.co.uk/own' }),
  LIVE,
];

function base(): Sources {
  return sources({ config: { active: null, profiles: PROFILES } });
}

for (const { what, read, voices } of MATRIX) {
  describe(`precedence of the ${what}`, () => {
    voices.forEach((first, index) => {
      it(`${first.name} alone`, () => {
        const said = first.say(base());
        const signedIn = said.config.active === null && said.runningSandbox === null && what === 'token URL';
        const all = signedIn ? { ...said, config: { ...said.config, active: 'active' } } : said;
        const withCredential =
          what === 'base' && !all.config.active && !all.runningSandbox ? { ...all, env: { ...PAIR, ...all.env } } : all;
        assert.deepEqual(pick(read(resolveIdentity(withCredential))), { value: first.value, source: first.source });
      });
      for (const second of voices.slice(index + 1)) {
        it(`${first.name} before ${second.name}`, () => {
          let all = second.say(first.say(base()));
          if (what !== 'client id' && all.config.active === null && all.runningSandbox === null)
            all = { ...all, env: { ...PAIR, ...all.env } };
          assert.deepEqual(pick(read(resolveIdentity(all))), { value: first.value, source: first.source });
        });
      }
    });
  });
}

function pick(found: { value: string; source: Source } | null) {
  return found === null ? null : { value: found.value, source: found.source };
}

describe('twins', () => {
  for (const name of ['CLIENT_ID', 'CLIENT_SECRET', 'SECRET_KEY', 'WEBHOOK_SECRET', 'BASE', 'TOKEN_URL']) {
    const value = name === 'BASE' || name === 'TOKEN_URL' ? 'http://127.0.0.1:1' : 'csk_sbx_one';
    it(`CC_${name} and CREDICORP_${name} that differ are a usage error without values`, () => {
      const env = { [`CC_${name}`]: value, [`CREDICORP_${name}`]: `${value}2` };
      assert.throws(
        () => resolveIdentity({ ...base(), env }),
        (error: unknown) =>
          failure('usage', 'conflicting_variables')(error) &&
          error instanceof Failure &&
          error.message.includes(`CC_${name} and CREDICORP_${name}`) &&
          !inspect(error).includes(value),
      );
    });
    it(`CC_${name} and CREDICORP_${name} that agree are fine`, () => {
      const env = { ...PAIR, [`CC_${name}`]: value, [`CREDICORP_${name}`]: value };
      if (name === 'CLIENT_ID') Object.assign(env, { CC_CLIENT_ID: 'cid_sbx_x', CREDICORP_CLIENT_ID: 'cid_sbx_x' });
      resolveIdentity({ ...base(), env });
    });
  }

  it('an empty variable is not set', () => {
    const identity = resolveIdentity({ ...base(), env: { ...PAIR, CREDICORP_CLIENT_ID: '', CC_BASE: '  ' } });
    assert.equal(identity.clientId?.value, 'cid_sbx_env');
    assert.equal(identity.base.source.from, 'default');
  });
});

describe('an id and its secret stay together', () => {
  const active = { ...base(), config: { active: 'active', profiles: PROFILES } };

  it('an id without its secret is not completed from another profile', () => {
    const env = { CC_CLIENT_ID: 'cid_sbx_other' };
    assert.throws(() => resolveIdentity({ ...active, env }), failure('usage', 'incomplete_credential'));
  });
  it("the profile's own id in a variable finds the profile's secret", () => {
    const identity = resolveIdentity({ ...active, env: { CC_CLIENT_ID: 'cid_sbx_active' } });
    assert.deepEqual(identity.secret, { where: 'vault', store: 'os', account: 'active/client_secret' });
  });
  it('a secret without an id, and no profile to give one, is refused', () => {
    assert.throws(
      () => resolveIdentity({ ...base(), env: { CC_CLIENT_SECRET: 'csk_sbx_x' } }),
      failure('usage', 'incomplete_credential'),
    );
  });
  it('a secret in a variable takes the id of the profile', () => {
    const identity = resolveIdentity({ ...active, env: { CC_CLIENT_SECRET: 'csk_sbx_x' } });
    assert.equal(identity.clientId?.value, 'cid_sbx_active');
    assert.equal(identity.secret.where, 'variable');
    assert.equal(identity.vault, 'os');
  });
  it('a profile named by flag takes a secret for its own client, and no other', () => {
    const flags = { profile: 'active' };
    const own = resolveIdentity({
      ...base(),
      flags,
      env: { CC_CLIENT_ID: 'cid_sbx_active', CC_CLIENT_SECRET: 'csk_sbx_x' },
    });
    assert.equal(own.secret.where, 'variable');
    assert.equal(
      resolveIdentity({ ...base(), flags, env: { CC_CLIENT_SECRET: 'csk_sbx_x' } }).secret.where,
      'variable',
    );
    assert.equal(resolveIdentity({ ...base(), flags, env: PAIR }).secret.where, 'vault');
    assert.equal(resolveIdentity({ ...base(), flags, env: { CC_SECRET_KEY: 'sk_test_x' } }).secret.where, 'vault');
  });
  it('halves of two environments are refused', () => {
    const env = { CC_CLIENT_ID: 'cid_live_x', CC_CLIENT_SECRET: 'csk_sbx_x' };
    assert.throws(() => resolveIdentity({ ...base(), env }), failure('usage', 'mixed_credential'));
  });
  it('client credentials come before a secret key', () => {
    assert.equal(resolveIdentity({ ...base(), env: { ...PAIR, CC_SECRET_KEY: 'sk_test_x' } }).mode, 'oauth');
  });
  it('a secret key is a bearer of its own', () => {
    const identity = resolveIdentity({ ...base(), env: { CC_SECRET_KEY: 'sk_live_x' } });
    assert.equal(identity.mode, 'secret_key');
    assert.equal(identity.clientId, null);
    assert.equal(identity.base.value, 'https://api.credicorp.co.uk');
  });
  it('nothing at all is "not signed in"', () => {
    assert.throws(() => resolveIdentity(base()), failure('auth', 'not_signed_in'));
  });
});

describe('guards', () => {
  const refused: [what: string, said: Partial<Sources>, code: string][] = [
    [
      'live pair to the sandbox',
      { env: { ...LIVE_PAIR, CC_BASE: 'https://sandbox.credicorp.co.uk' } },
      'environment_mismatch',
    ],
    ['live pair to loopback', { env: LIVE_PAIR, flags: { base: 'http://localhost:1' } }, 'environment_mismatch'],
    ['sandbox pair to live', { env: PAIR, flags: { base: 'https://hub.credicorp.co.uk' } }, 'environment_mismatch'],
    ['live profile to loopback', { flags: { profile: 'live', base: 'http://127.0.0.1:1' } }, 'environment_mismatch'],
    [
      'sandbox profile to live',
      { flags: { profile: 'active', base: 'https://api.credicorp.co.uk' } },
      'environment_mismatch',
    ],
    [
      'sandbox profile, live token URL',
      { flags: { profile: 'active', tokenUrl: 'https://api.credicorp.co.uk/t' } },
      'environment_mismatch',
    ],
    [
      'live profile, loopback token URL',
      { flags: { profile: 'live', tokenUrl: 'http://127.0.0.1/t' } },
      'environment_mismatch',
    ],
    [
      'local profile, token URL elsewhere',
      { flags: { profile: 'local', tokenUrl: 'https://x.example/t' } },
      'environment_mismatch',
    ],
    [
      'local pair, hosted token URL',
      { env: { ...LOCAL_PAIR, CC_TOKEN_URL: 'https://sso.credicorp.co.uk/t' } },
      'environment_mismatch',
    ],
    ['stored secret to an unknown host', { flags: { profile: 'active', base: 'https://evil.example' } }, 'bad_base'],
    ['pair to an unknown host', { env: { ...PAIR, CC_BASE: 'https://127.0.0.1.evil.example' } }, 'bad_base'],
    ['unmarked pair, no host', { env: { CC_CLIENT_ID: 'cc_client_x', CC_CLIENT_SECRET: 'x' } }, 'no_environment'],
    [
      'unmarked pair, a sandbox happens to run',
      {
        env: { CC_CLIENT_ID: 'cc_client_x', CC_CLIENT_SECRET: 'x' },
        runningSandbox: { base: 'http://127.0.0.1:4010' },
      },
      'no_environment',
    ],
    [
      "the sandbox's own pair to a hosted one",
      {
        env: {
          CC_CLIENT_ID: 'cid_sbx_local',
          CC_CLIENT_SECRET: 'csk_sbx_local',
          CC_BASE: 'https://sandbox.credicorp.co.uk',
        },
      },
      'environment_mismatch',
    ],
    [
      'environment and host that differ',
      { env: PAIR, flags: { base: 'https://sandbox.credicorp.co.uk', environment: 'live' } },
      'bad_base',
    ],
    ['a website', { env: { ...PAIR, CC_BASE: 'https://beta.credicorp.co.uk' } }, 'bad_base'],
    ['unknown profile', { flags: { profile: 'nobody' } }, 'unknown_profile'],
    ['odd keychain', { env: { ...PAIR, CREDICORP_KEYCHAIN: 'usb' } }, 'bad_keychain'],
  ];
  for (const [what, said, code] of refused) {
    it(`refuses: ${what}`, () => {
      assert.throws(() => resolveIdentity({ ...base(), ...said }), failure('usage', code));
    });
  }

  it('an unmarked profile keeps the environment it was stored for', () => {
    const unmarked = profile('plain', {
      clientId: 'cc_client_1',
      environment: 'live',
      base: 'https://api.credicorp.co.uk',
    });
    const all = sources({ config: { active: 'plain', profiles: [unmarked] } });
    assert.equal(resolveIdentity(all).environment.value, 'live');
    assert.throws(
      () => resolveIdentity({ ...all, flags: { base: 'http://127.0.0.1:1' } }),
      failure('usage', 'environment_mismatch'),
    );
  });

  it('a profile on a host of its own needs no further word', () => {
    const own = profile('gateway', { base: 'https://gateway.example' });
    const identity = resolveIdentity(sources({ config: { active: 'gateway', profiles: [own] } }));
    assert.deepEqual(identity.environment, { value: 'sandbox', source: { from: 'profile', name: 'gateway' } });
  });
});

describe('a hostile pin', () => {
  const active = { ...base(), config: { active: 'active', profiles: PROFILES } };
  const pin = { path: '/repo/.credicorp.json' };
  const hosts = [
    'https://evil.example',
    'http://127.0.0.1:6666',
    'https://api.credicorp.co.uk',
    'https://sandbox.api.credicorp.co.uk',
    'https://sandbox.credicorp.co.uk:8443',
    'https://sandbox.credicorp.co.uk/elsewhere',
  ];
  for (const host of hosts) {
    it(`does not send a stored secret to ${host}`, () => {
      assert.throws(() => resolveIdentity({ ...active, pin: { ...pin, base: host } }), failure('usage', 'pin_refused'));
      const both = { ...active, pin: { ...pin, profile: 'pinned', base: host } };
      assert.throws(() => resolveIdentity(both), failure('usage', 'pin_refused'));
    });
  }
  for (const host of ['https://evil.example', 'http://127.0.0.1:6666', 'https://sandbox.credicorp.co.uk:8443']) {
    it(`does not send a secret from the environment to ${host}`, () => {
      assert.throws(
        () => resolveIdentity({ ...base(), env: PAIR, pin: { ...pin, base: host } }),
        failure('usage', 'pin_refused'),
      );
    });
  }
  const tokenUrls = [
    'https://evil.example/t',
    'http://127.0.0.1:6666/t',
    'https://sso.credicorp.co.uk/t',
    // The right host, and a path that is not its token route: one that echoes, say, or stores what it gets.
    'https://sandbox.credicorp.co.uk/partner/v1/applications',
    'https://sandbox.credicorp.co.uk/',
    'https://sandbox.credicorp.co.uk:8443/partner/v1/oauth/token',
  ];
  for (const tokenUrl of tokenUrls) {
    it(`does not mint at ${tokenUrl}`, () => {
      assert.throws(() => resolveIdentity({ ...active, pin: { ...pin, tokenUrl } }), failure('usage', 'pin_refused'));
      assert.throws(
        () => resolveIdentity({ ...base(), env: PAIR, pin: { ...pin, tokenUrl } }),
        failure('usage', 'pin_refused'),
      );
    });
  }
  it('may repeat where the profile goes anyway', () => {
    const identity = resolveIdentity({ ...active, pin: { ...pin, base: 'https://sandbox.credicorp.co.uk' } });
    assert.equal(identity.base.source.from, 'pin');
  });
  it('does not apply when another profile was chosen', () => {
    const identity = resolveIdentity({
      ...active,
      flags: { profile: 'live' },
      pin: { ...pin, profile: 'active', base: 'https://sandbox.credicorp.co.uk' },
    });
    assert.equal(identity.base.value, 'https://api.credicorp.co.uk');
  });
});

describe('the embedded sandbox', () => {
  const running = { base: 'http://127.0.0.1:4999' };
  it('needs no sign-in and no keychain', () => {
    const identity = resolveIdentity(sources({ runningSandbox: running }));
    assert.equal(identity.secret.where, 'built_in');
    assert.equal(identity.vault, 'local');
    assert.equal(identity.environment.value, 'local');
  });
  it('is meant by its own credential in variables', () => {
    const env = { CC_CLIENT_ID: 'cid_sbx_launch', CC_CLIENT_SECRET: 'csk_sbx_launch' };
    assert.equal(resolveIdentity(sources({ env, runningSandbox: running })).base.value, running.base);
    assert.equal(resolveIdentity(sources({ env })).base.value, 'http://127.0.0.1:4010');
  });
  it('is not meant by a hosted credential', () => {
    const identity = resolveIdentity(sources({ env: PAIR, runningSandbox: running }));
    assert.equal(identity.base.value, 'https://sandbox.credicorp.co.uk');
    assert.equal(identity.profile, null);
    assert.equal(identity.vault, 'memory');
  });
  it('is --profile local even before it was ever started', () => {
    assert.equal(resolveIdentity(sources({ flags: { profile: 'local' } })).base.value, 'http://127.0.0.1:4010');
  });
});

describe('providers', () => {
  const other = profile('pay', {
    provider: 'acountpay',
    environment: 'live',
    base: 'https://api.acountpay.com',
    clientId: 'partner_1',
  });
  const all = sources({ config: { active: 'pay', profiles: [other] } });
  it('a profile of a second provider works', () => {
    const identity = resolveIdentity(all);
    assert.equal(identity.provider.name, 'acountpay');
    assert.equal(identity.environment.value, 'live');
  });
  it("another provider's credential is not shown to it", () => {
    assert.throws(() => resolveIdentity({ ...all, env: LIVE_PAIR }), failure('usage', 'provider_mismatch'));
    assert.throws(
      () => resolveIdentity({ ...all, env: { CC_SECRET_KEY: 'sk_live_x' } }),
      failure('usage', 'provider_mismatch'),
    );
  });
  it('credentials as headers are a mode of their own', () => {
    const second = profile('two', {
      ...other,
      name: 'two',
      provider: 'acountpay-v2',
      base: 'https://api.acountpay.com/v1',
    });
    assert.equal(resolveIdentity(sources({ config: { active: 'two', profiles: [second] } })).mode, 'headers');
  });
});

it('shows no secret when printed', () => {
  const identity = resolveIdentity(sources({ env: { ...PAIR, CC_WEBHOOK_SECRET: 'whsec_hush' } }));
  const shown =
    inspect(identity, { depth: 9, showHidden: true }) +
    JSON.stringify(identity) +
    String(identity.webhookSecret?.secret);
  assert.ok(!shown.includes('csk_sbx_env') && !shown.includes('whsec_hush'));
  assert.ok(identity.secret.where === 'variable' && identity.secret.secret.reveal() === 'csk_sbx_env');
});

it('CREDICORP_KEYCHAIN speaks for the keychain', () => {
  const all = sources({ config: { active: 'a', profiles: [profile('a')] }, env: { CREDICORP_KEYCHAIN: 'memory' } });
  assert.deepEqual(resolveIdentity(all).secret, { where: 'vault', store: 'memory', account: 'a/client_secret' });
});
