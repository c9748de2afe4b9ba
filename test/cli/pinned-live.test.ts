/** A pin that would make live of sandbox needs to be allowed once; who a running server acts as does not change. */
import assert from 'node:assert/strict';
import { chmodSync, chownSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { describe, it } from 'node:test';
import { findPin } from '../../src/lib/auth/credentials/directory-pin.ts';
import { type Profile, updateConfig, withProfile } from '../../src/lib/auth/credentials/profiles.ts';
import { run } from '../../src/lib/cli/program.ts';
import { openSession } from '../../src/lib/cli/session.ts';
import { freshHome } from '../support/spawn.ts';
import { command, type Said, worldOf } from '../support/world.ts';

const common = { provider: 'credicorp', mode: 'oauth', store: 'file' } as const;
const SANDBOX: Profile = {
  ...{ ...common, name: 'test', environment: 'sandbox', clientId: 'cid_sbx_a' },
  base: 'https://sandbox.credicorp.co.uk',
};
const LIVE: Profile = {
  ...{ ...common, name: 'shop', environment: 'live', clientId: 'cid_live_a' },
  base: 'https://api.credicorp.co.uk',
};

/** A home with a sandbox profile, which is active, and a live one. */
async function homeWithBoth(): Promise<ReturnType<typeof freshHome> & { pin: (text: string) => string }> {
  const home = freshHome();
  await updateConfig(join(home.path, '.config', 'credicorp'), (config) =>
    withProfile(withProfile(config, SANDBOX, true), LIVE),
  );
  return Object.assign(home, {
    pin: (text: string) => {
      const path = join(home.path, '.credicorp.json');
      writeFileSync(path, text);
      return path;
    },
  });
}

const env = { CREDICORP_STORE_PASSPHRASE: 'x' };
const environmentOf = ({ stdout }: Said): unknown => (JSON.parse(stdout) as Record<string, unknown>)['environment'];

describe('a pin that makes live of sandbox', () => {
  it('is refused with words until this file with these contents is allowed; --yes is no substitute', async () => {
    using home = await homeWithBoth();
    const world = { home: home.path, env };
    const who = (...flags: string[]): Promise<Said> => command(world, 'whoami', '--json', ...flags);
    const path = home.pin('{"profile":"shop"}');
    const refused = await who();
    assert.deepEqual([refused.status, refused.stdout], [2, '']);
    assert.match(refused.stderr, /pin_not_allowed.*credicorp profiles allow/);
    const write = await command(world, 'apps', 'submit', 'app_1', '--yes', '--json');
    assert.deepEqual([write.status, /pin_not_allowed/.test(write.stderr)], [2, true], write.stderr);
    assert.equal(environmentOf(await who('--profile', 'shop')), 'live', 'a flag is a choice of the user');

    const allowed = await command(world, 'profiles', 'allow', '--json');
    assert.equal(allowed.status, 0, allowed.stderr);
    assert.equal((JSON.parse(allowed.stdout) as Record<string, unknown>)['path'], path);
    const live = await who();
    assert.equal(environmentOf(live), 'live');
    assert.deepEqual(live.stderr.match(/LIVE by/g)?.length, 1, 'said once');

    home.pin('{"profile":"shop" }');
    assert.equal((await who()).status, 2, 'other contents, another question');
    home.pin('{"profile":"test"}');
    assert.equal(environmentOf(await who()), 'sandbox', 'what does not raise needs nothing');
  });

  it('is allowed by writing it with profiles pin; nothing is asked when live is active anyway', async () => {
    using home = await homeWithBoth();
    const world = { home: home.path, env };
    assert.equal((await command(world, 'profiles', 'pin', 'shop')).status, 0);
    assert.equal(environmentOf(await command(world, 'whoami', '--json')), 'live');
    assert.equal((await command(world, 'profiles', 'use', 'shop')).status, 0);
    home.pin('{"profile":"shop","base":"https://api.credicorp.co.uk"}');
    assert.equal(environmentOf(await command(world, 'whoami', '--json')), 'live');
  });
});

it(
  'a pin that another user wrote is ignored with a note, until it is allowed',
  { skip: process.geteuid?.() === 0 ? false : 'only root can act as a second user' },
  async () => {
    using home = await homeWithBoth();
    await updateConfig(join(home.path, '.config', 'credicorp'), (config) =>
      withProfile(config, { ...SANDBOX, name: 'other' }),
    );
    const world = { home: home.path, env };
    const path = home.pin('{"profile":"other"}');
    chownSync(path, 65_534, 65_534);
    const ignored = await command(world, 'whoami', '--field', 'profile');
    assert.equal(ignored.stdout, 'test\n');
    assert.match(ignored.stderr, /\.credicorp\.json is ignored: .* belongs to another user.*profiles allow/);
    assert.equal((await command(world, 'profiles', 'allow')).status, 0);
    assert.equal((await command(world, 'whoami', '--field', 'profile')).stdout, 'other\n');
    mkdirSync(join(home.path, 'open'));
    chmodSync(join(home.path, 'open'), 0o777);
    writeFileSync(join(home.path, 'open', '.credicorp.json'), 'this is not even JSON');
    assert.equal(findPin(join(home.path, 'open'), home.path), null, 'nor can he stop the program with a broken one');
  },
);

it('one session, as listen and proxy have it, keeps the identity that it began with', async () => {
  using home = await homeWithBoth();
  const { context } = worldOf({ home: home.path, env });
  const session = await openSession(
    context,
    { timeoutMs: 1, maxRetries: 0, maxWaitMs: 1, debug: false, mayAsk: false },
    '0',
  );
  assert.equal(session.identity.environment.value, 'sandbox');
  home.pin('{"profile":"shop"}');
  assert.equal(session.identity.base.value, SANDBOX.base);
  await session.close();
});

it('mcp acts as the one it was started as: a pin written later is refused with words, with --yes too', async () => {
  using home = await homeWithBoth();
  const { context, said } = worldOf({ home: home.path, env });
  const stdin = Object.assign(new PassThrough(), { isTTY: false });
  const ended = run(['mcp', '--yes'], { ...context, stdin });
  const call = async (id: number, name: string): Promise<string> => {
    stdin.write(`${JSON.stringify({ jsonrpc: '2.0', id, method: 'tools/call', params: { name } })}\n`);
    while (!said().stdout.includes(`"id":${id},`)) await new Promise((resolve) => setImmediate(resolve));
    return said().stdout.split('\n')[id - 1] ?? '';
  };
  assert.match(await call(1, 'whoami'), /"environment":"sandbox"/);
  home.pin('{"profile":"shop"}');
  assert.match(await call(2, 'whoami'), /"isError":true.*/);
  // Even one that the user has allowed: this server was started for the sandbox.
  assert.equal((await command({ home: home.path, env }, 'profiles', 'allow')).status, 0);
  const refused = await call(3, 'whoami');
  assert.match(refused, /identity_changed/);
  assert.match(refused, /started as profile test on sandbox .*profile shop on live .*restart the server/);
  home.pin('{"profile":"test"}');
  assert.match(await call(4, 'whoami'), /"environment":"sandbox"/);
  stdin.end();
  assert.equal(await ended, 0);
});
