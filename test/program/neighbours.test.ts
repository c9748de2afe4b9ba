/** The program among other users of the machine: what it loads, what it opens. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { finish, freshHome, root, seen, start } from '../support/spawn.ts';

const program = join(root, 'bin', 'run.js');

/** Runs it with every file that it makes open to everybody. */
function underOpenUmask(env: Record<string, string>, ...args: string[]): string {
  const words = ['-c', 'umask 000; exec "$@"', 'sh', process.execPath, program, ...args];
  const { status, stdout, stderr } = spawnSync('/bin/sh', words, { env, encoding: 'utf8', timeout: 30_000 });
  assert.equal(status, 0, stderr);
  return stdout;
}

test('under umask 000 the compile cache is still closed to others', () => {
  using home = freshHome();
  const { XDG_CACHE_HOME: _, ...env } = home.env;
  underOpenUmask(env, '--version');
  const folder = join(home.path, '.cache', 'credicorp', 'compile');
  assert.equal(statSync(folder).mode & 0o777, 0o700);
  assert.equal(statSync(join(home.path, '.cache', 'credicorp')).mode & 0o777, 0o700);
  assert.notDeepEqual(readdirSync(folder), [], 'it is used');
});

test('a compile cache that others can write to is not used', () => {
  for (const open of ['compile', '.']) {
    using home = freshHome();
    const folder = join(home.path, 'cache', 'credicorp');
    mkdirSync(join(folder, 'compile'), { recursive: true });
    chmodSync(join(folder, open), 0o777);
    const said = underOpenUmask({ ...home.env, XDG_CACHE_HOME: join(home.path, 'cache') }, '--version');
    assert.match(said, /^credicorp /);
    assert.deepEqual(readdirSync(join(folder, 'compile')), [], open);
  }
});

test('SIGUSR1 opens no debugger', async () => {
  using home = freshHome();
  const child = start('bin/run.js', ['sandbox', 'start', '--port', '0', '--json'], home.env);
  const ended = finish(child);
  const { base_url: base } = JSON.parse(await seen(child.stdout, '\n')) as { base_url: string };
  child.kill('SIGUSR1');
  // Two answers later it would have been opened and said.
  for (let at = 0; at < 2; at += 1) assert.equal((await fetch(`${base}/_sandbox/health`)).status, 200);
  child.kill('SIGINT');
  const { status, stderr } = await ended;
  assert.deepEqual([status, /Debugger/i.test(stderr)], [0, false], stderr);
});
