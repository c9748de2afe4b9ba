import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { findPin, writePin } from '../../src/lib/auth/credentials/directory-pin.ts';
import {
  configPath,
  findProfile,
  readConfig,
  updateConfig,
  withActive,
  withoutProfile,
  withProfile,
} from '../../src/lib/auth/credentials/profiles.ts';
import { Failure } from '../../src/lib/failure.ts';
import { freshFolder } from '../support/folder.ts';
import { profile } from './sources.ts';

const folder = freshFolder;
const usageWith =
  (code: string, part = '') =>
  (error: unknown) =>
    error instanceof Failure &&
    error.kind === 'usage' &&
    error.facts.code === code &&
    error.message.includes(part) &&
    error.facts.next !== undefined;
const mode = (path: string) => (statSync(path).mode & 0o777).toString(8);
const posix = process.platform !== 'win32';
/** root writes wherever it likes, so a read-only folder is imitated by a file where the folder should be. */
const isRoot = posix && process.getuid?.() === 0;

describe('profiles', () => {
  it('starts empty, stores profiles in a private file, written atomically', async () => {
    const config = join(folder(), 'deep', 'credicorp');
    assert.deepEqual(readConfig(config), { active: null, profiles: [] });
    const full = profile('b', { tokenUrl: 'https://sso.credicorp.co.uk/t', scopes: ['applications:read'] });
    await updateConfig(config, (old) => withProfile(withProfile(old, full), profile('a', { mode: 'secret_key' })));
    const read = readConfig(config);
    assert.equal(read.active, 'b');
    assert.deepEqual(findProfile(read, 'b'), full);
    assert.deepEqual(
      read.profiles.map(({ name }) => name),
      ['a', 'b'],
    );
    if (posix) {
      assert.equal(mode(configPath(config)), '600');
      assert.equal(mode(config), '700');
    }
    assert.ok(!readdirSync(config).some((name) => name.endsWith('.tmp')));
  });

  it('loses no profile when many write at once', async () => {
    const config = folder();
    const names = Array.from({ length: 20 }, (_, index) => `p${index}`);
    await Promise.all(names.map((name) => updateConfig(config, (old) => withProfile(old, profile(name)))));
    assert.equal(readConfig(config).profiles.length, 20);
  });

  it('uses and removes', () => {
    const two = withProfile(withProfile({ active: null, profiles: [] }, profile('a')), profile('b'));
    assert.equal(withActive(two, 'b').active, 'b');
    assert.throws(() => withActive(two, 'c'), usageWith('unknown_profile', 'c'));
    assert.deepEqual(withoutProfile(two, 'a').active, null);
    assert.equal(withoutProfile(two, 'b').active, 'a');
    assert.equal(withProfile(two, profile('b'), true).active, 'b');
  });

  for (const name of ['', '../x', 'a/b', '.hidden', '-x', 'a b', 'ü', 'x'.repeat(65), '__proto__', 'a\n']) {
    it(`refuses the profile name ${JSON.stringify(name)}`, () => {
      assert.throws(
        () => withProfile({ active: null, profiles: [] }, profile(name)),
        (error: unknown) => error instanceof Failure && error.facts.code === 'bad_profile_name',
      );
    });
  }

  const good = { version: 1, active: 'a', profiles: [profile('a')] };
  const damaged: [what: string, text: string][] = [
    ['half a file', JSON.stringify(good).slice(0, 40)],
    ['empty', ''],
    ['a list', '[]'],
    ['no profiles', '{"version":1}'],
    ['active no text', '{"active":1,"profiles":[]}'],
    ['profile no object', '{"profiles":[1]}'],
    ['two of one name', JSON.stringify({ profiles: [profile('a'), profile('a')] })],
    ...Object.entries({
      name: '../x',
      provider: 7,
      environment: 'prod',
      base: 'http://evil.example',
      mode: 'magic',
      store: 'clear',
      clientId: 1,
      scopes: [1],
      tokenUrl: 'ftp://x',
    }).map(([key, value]): [string, string] => [
      `bad ${key}`,
      JSON.stringify({ profiles: [{ ...profile('a'), [key]: value }] }),
    ]),
    ['plain store beyond this machine', JSON.stringify({ profiles: [profile('a', { store: 'local' })] })],
  ];
  for (const [what, text] of damaged) {
    it(`names the damaged file and leaves it: ${what}`, async () => {
      const config = folder();
      writeFileSync(configPath(config), text);
      assert.throws(() => readConfig(config), usageWith('config_corrupt', configPath(config)));
      await assert.rejects(
        updateConfig(config, (old) => withProfile(old, profile('z'))),
        usageWith('config_corrupt'),
      );
      assert.equal(readFileSync(configPath(config), 'utf8'), text);
    });
  }

  it('does not touch what a newer version wrote', () => {
    const config = folder();
    writeFileSync(configPath(config), '{"version":2,"accounts":{}}');
    assert.throws(() => readConfig(config), usageWith('config_newer'));
  });

  it('says so when it cannot write', async () => {
    const parent = folder();
    let config = join(parent, 'config');
    if (isRoot || !posix) {
      writeFileSync(config, '');
      config = join(config, 'below');
    } else {
      mkdirSync(config, { mode: 0o500 });
    }
    await assert.rejects(
      updateConfig(config, (old) => withProfile(old, profile('a'))),
      usageWith('not_writable', 'config'),
    );
    assert.ok(!existsSync(configPath(config)));
  });

  it('writes through a symbolic link', { skip: !posix }, async () => {
    const [config, elsewhere] = [folder(), folder()];
    symlinkSync(join(elsewhere, 'mine.json'), configPath(config));
    writeFileSync(join(elsewhere, 'mine.json'), '{"version":1,"profiles":[]}');
    await updateConfig(config, (old) => withProfile(old, profile('a')));
    assert.match(readFileSync(join(elsewhere, 'mine.json'), 'utf8'), /cid_sbx_a/);
  });

  it('leaves the mode of a folder alone that was there before', { skip: !posix }, async () => {
    const config = folder();
    chmodSync(config, 0o755);
    await updateConfig(config, (old) => withProfile(old, profile('a')));
    assert.equal(mode(config), '755');
  });
});

describe('the directory pin', () => {
  it('is found upwards, the nearest first', () => {
    const home = folder();
    const repo = join(home, 'repo');
    const deep = join(repo, 'a', 'b');
    mkdirSync(deep, { recursive: true });
    assert.equal(findPin(deep, home), null);
    writePin(home, { profile: 'home' }, home);
    assert.equal(findPin(deep, home)?.profile, 'home');
    const base = 'https://sandbox.credicorp.co.uk';
    const path = writePin(repo, { profile: 'repo', base, tokenUrl: `${base}/t` }, home);
    const hash = createHash('sha256').update(readFileSync(path)).digest('hex');
    const found = { path, profile: 'repo', base, tokenUrl: `${base}/t`, hash };
    assert.deepEqual({ ...findPin(deep, home) }, { ...found, allowed: false });
    assert.deepEqual(
      { ...findPin(deep, home, { state: home }) },
      { ...found, allowed: true },
      'who writes it allows it',
    );
    writeFileSync(path, readFileSync(path, 'utf8').replace('repo', 'else'));
    assert.equal(findPin(deep, home, { state: home })?.allowed, false, 'with these contents only');
  });

  it('is not looked for above the home folder', () => {
    const above = folder();
    const home = join(above, 'home');
    mkdirSync(join(home, 'x'), { recursive: true });
    writePin(above, { profile: 'above' }, above);
    assert.equal(findPin(join(home, 'x'), home), null);
    assert.equal(findPin(join(above), home)?.profile, 'above');
  });

  const refused: [what: string, text: string][] = [
    ['not JSON', 'profile: x'],
    ['a list', '[]'],
    ['a secret by its name', '{"profile":"a","client_secret":"x"}'],
    ['a secret by its name, camel case', '{"clientSecret":"x"}'],
    ['an api key', '{"apiKey":"x"}'],
    ['a secret by its look', '{"profile":"a","base":"https://x.example/csk_sbx_Abcdef123456"}'],
    ['a webhook secret', '{"$schema":"whsec_Abcdef1234567890"}'],
    ['a secret key in no JSON', 'sk_live_Abcdef123456'],
    ['an unknown member', '{"profil":"a"}'],
    ['nothing text', '{"profile":1}'],
    ['a profile name that is a path', '{"profile":"../../x"}'],
    ['a base that is none', '{"base":"http://evil.example"}'],
    ['a base with user-info', '{"base":"https://api.credicorp.co.uk@evil.example"}'],
    ['a token URL that is none', '{"token_url":"nope"}'],
    ['too large', `{"profile":"${'a'.repeat(70_000)}"}`],
  ];
  for (const [what, text] of refused) {
    it(`is refused: ${what}`, () => {
      const home = folder();
      writeFileSync(join(home, '.credicorp.json'), text);
      assert.throws(
        () => findPin(home, home),
        (error: unknown) => usageWith('pin_refused', '.credicorp.json')(error) && !String(error).includes('Abcdef'),
      );
    });
  }

  it('is refused when it is no file', () => {
    const home = folder();
    mkdirSync(join(home, '.credicorp.json'));
    assert.throws(() => findPin(home, home), usageWith('pin_refused'));
  });
});
