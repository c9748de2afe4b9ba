/** What another user of this machine could have written is neither loaded nor believed. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { readConfig } from '../../src/lib/auth/credentials/profiles.ts';
import { findProvider } from '../../src/lib/auth/providers/provider.ts';
import { hasOtherUsers, makeOwnFolder, whyNotOurs } from '../../src/lib/files/ownership.ts';
import { makePrivateFolder, readPrivate } from '../../src/lib/files/private-files.ts';
import { openStore } from '../../src/lib/store/store.ts';
import { Failure } from '../../src/lib/failure.ts';
import { freshHome } from '../support/spawn.ts';

/** Nobody, as most systems number it: the other user. */
const OTHER = 65_534;
const skip = process.geteuid?.() === 0 ? false : 'only root can act as a second user';

/** Writes a file as the other user, as far as the rights of the folder let him. @returns whether he could */
function plant(path: string, text: string): boolean {
  const write = 'require("fs").writeFileSync(process.argv[1], process.argv[2])';
  return spawnSync(process.execPath, ['-e', write, path, text], { uid: OTHER, gid: OTHER }).status === 0;
}

describe('whose a file is', () => {
  it('ours: a private folder, a sticky one above, a link between folders of ours', () => {
    using home = freshHome();
    const real = join(home.path, 'real');
    mkdirSync(real, { mode: 0o700 });
    symlinkSync(real, join(home.path, 'link'));
    assert.equal(whyNotOurs(join(home.path, 'link', 'not', 'there', 'yet')), null);
    chmodSync(home.path, 0o1777);
    assert.equal(whyNotOurs(real), null, 'nobody can replace it there');
    assert.equal(whyNotOurs('/etc/hostname'), null, 'root counts as ours');
  });

  it('not ours: it or a folder above can be written by the group or by others', () => {
    using home = freshHome();
    const file = join(home.path, 'a', 'b', 'file');
    mkdirSync(join(home.path, 'a', 'b'), { recursive: true });
    writeFileSync(file, '');
    for (const [path, mode] of [
      [file, 0o602],
      [file, 0o620],
      [join(home.path, 'a', 'b'), 0o777],
      [join(home.path, 'a'), 0o770],
    ] as const) {
      chmodSync(path, mode);
      const why = whyNotOurs(file);
      const ownGroup = mode !== 0o602 && mode !== 0o777 && process.geteuid?.() !== 0;
      if (!ownGroup) assert.deepEqual([why?.path, why?.fault], [path, 'mode'], mode.toString(8));
      chmodSync(path, 0o700);
    }
    assert.equal(whyNotOurs(file), null);
  });

  it('not ours: where a link leads, and a circle of links', () => {
    using home = freshHome();
    const open = join(home.path, 'open');
    mkdirSync(open);
    chmodSync(open, 0o777);
    symlinkSync(join(open, 'file'), join(home.path, 'link'));
    assert.equal(whyNotOurs(join(home.path, 'link'))?.path, open);
    symlinkSync(join(home.path, 'y'), join(home.path, 'x'));
    symlinkSync(join(home.path, 'x'), join(home.path, 'y'));
    assert.equal(whyNotOurs(join(home.path, 'x'))?.fault, 'link');
  });

  it('a folder is made with mode 0700 whatever the umask', () => {
    using home = freshHome();
    const before = process.umask(0);
    try {
      assert.equal(makeOwnFolder(join(home.path, 'cache', 'credicorp')), true);
    } finally {
      process.umask(before);
    }
    for (const part of ['cache', 'cache/credicorp']) {
      assert.equal(statSync(join(home.path, part)).mode & 0o777, 0o700);
    }
  });
});

const refused = (fault: RegExp) => (error: unknown) =>
  error instanceof Failure && error.facts.code === 'not_ours' && fault.test(`${error.message}; ${error.facts.next}`);

it('knows whether other people have a home folder here', { skip }, () => {
  using home = freshHome();
  for (const [name, uid] of [
    ['root', 0],
    ['service', 99],
    ['nobody', OTHER],
  ] as const) {
    mkdirSync(join(home.path, name));
    chownSync(join(home.path, name), uid, uid);
  }
  assert.equal(hasOtherUsers([home.path, join(home.path, 'not-there')]), false);
  mkdirSync(join(home.path, 'mallory'));
  chownSync(join(home.path, 'mallory'), 1001, 1001);
  assert.equal(hasOtherUsers([home.path]), true);
});

describe('files of a second user', { skip }, () => {
  it('configuration and provider files that he wrote are refused, and so is the folder, with the way to close it', () => {
    using home = freshHome();
    const folder = join(home.path, 'credicorp');
    mkdirSync(join(folder, 'providers'), { recursive: true });
    chmodSync(home.path, 0o711);
    chmodSync(folder, 0o777);
    chmodSync(join(folder, 'providers'), 0o777);
    const config = join(folder, 'config.json');
    assert.ok(plant(config, '{"version":1,"active":null,"profiles":[]}'));
    assert.ok(plant(join(folder, 'providers', 'evil.json'), '{}'));
    assert.throws(() => readConfig(folder), refused(/config\.json belongs to another user \(number 65534\)/));
    assert.throws(() => findProvider('evil', folder), refused(/evil\.json belongs to another user/));
    assert.throws(() => makePrivateFolder(folder), refused(/mode 777.*; .*chmod go-w/));
    rmSync(config);
    writeFileSync(config, '{"version":1,"active":null,"profiles":[]}');
    assert.throws(() => readConfig(folder), refused(/can be written by other users/));
    chmodSync(folder, 0o700);
    assert.deepEqual(readConfig(folder).profiles, []);
  });

  it('state and store too; a file of root is believed', () => {
    using home = freshHome();
    chmodSync(home.path, 0o711);
    const state = join(home.path, 'state');
    mkdirSync(state);
    chmodSync(state, 0o777);
    assert.ok(plant(join(state, 'store.db'), ''));
    const path = join(state, 'store.db');
    assert.throws(() => openStore({ path, now: Date.now, tables: [] }), refused(/store\.db belongs to another user/));
    assert.equal(readFileSync(path, 'utf8'), '', 'it was left as it was');
    chownSync(path, 0, 0);
    chmodSync(path, 0o600);
    assert.throws(() => readPrivate(path), refused(/mode 777/), 'its folder is still open');
    chmodSync(state, 0o755);
    assert.equal(readPrivate(path), '');
  });
});
