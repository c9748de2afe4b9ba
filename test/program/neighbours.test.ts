/** The program among other users of the machine: what it loads, what it opens. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { startSandbox } from '../support/embedded.ts';
import { receive } from '../support/receiving.ts';
import { finish, freshHome, root, seen, start } from '../support/spawn.ts';
import { command } from '../support/world.ts';

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

test('with --admin-token the CLI, the ready file and nobody else get at the admin routes', async () => {
  using home = freshHome();
  const world = { home: home.path };
  const readyFile = join(home.path, 'ready.json');
  const sandbox = await startSandbox(home.path, '--admin-token', '--ready-file', readyFile);
  try {
    const { admin_token: token } = JSON.parse(readFileSync(readyFile, 'utf8')) as { admin_token: string };
    assert.match(token, /^ccadmin_[\w-]{32}$/);
    const health = (headers = {}): Promise<Response> => fetch(`${sandbox.url}/_sandbox/health`, { headers });
    assert.equal((await health()).status, 401);
    assert.equal((await health({ authorization: `Bearer ${token}` })).status, 200);
    for (const words of [
      'sandbox clock',
      'sandbox companies',
      'api POST /_sandbox/reset',
      'logs tail --no-follow --since 1h',
    ]) {
      const from = words.startsWith('logs') ? ['--from', sandbox.url] : [];
      const { status, stdout, stderr } = await command(world, ...words.split(' '), ...from, '--debug');
      assert.equal(status, 0, `${words}: ${stderr}`);
      assert.ok(!(stdout + stderr).includes(token), words);
    }
    const listener = receive(world, '--no-forward');
    await listener.next('ready');
    assert.equal((await command(world, 'webhooks', 'trigger', 'payment.settled')).status, 0);
    assert.equal(await listener.stop(), 0);
    const shown = await command(world, 'sandbox', 'status', '--json');
    assert.deepEqual([shown.status, shown.stdout.includes(token)], [0, false]);
    // Another user has another state folder: the same command explains why.
    using other = freshHome();
    const stranger = await command({ home: other.path }, 'sandbox', 'clock', '--api-base', sandbox.url);
    assert.deepEqual(
      [stranger.status, /CREDICORP_SANDBOX_ADMIN_TOKEN/.test(stranger.stderr)],
      [4, true],
      stranger.stderr,
    );
    const env = { CREDICORP_SANDBOX_ADMIN_TOKEN: token };
    const result = await command({ home: other.path, env }, 'sandbox', 'clock', '--api-base', sandbox.url);
    assert.equal(result.status, 0, result.stderr);
  } finally {
    await sandbox.stop();
  }
});
