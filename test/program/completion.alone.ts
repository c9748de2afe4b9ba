/** A Tab must feel instant: less than 100 ms more than it takes to start Node at all. Nothing else may run beside it. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { freshHome, root, runScript } from '../support/spawn.ts';

test('completing an id takes less than 100 ms more than a bare start', async () => {
  using home = freshHome();
  const started = await runScript('bin/run.js', ['sandbox', 'start', '-b', '--port', '0', '-q'], home.env);
  assert.equal(started.status, 0, started.stderr);
  const id = (await runScript('bin/run.js', ['apps', 'create', '--company', '16093826', '-q'], home.env)).stdout;
  await runScript('bin/run.js', ['sandbox', 'stop'], home.env);
  const took = (...args: string[]): number => {
    const began = performance.now();
    const { stdout } = spawnSync(process.execPath, args, { env: home.env, encoding: 'utf8' });
    if (args.length > 2) assert.equal(stdout, id);
    return performance.now() - began;
  };
  const program = join(root, 'bin', 'run.js');
  const rounds = Array.from({ length: 9 }, () => [
    took('-e', '0'),
    took(program, '__complete', 'zsh', 'apps', 'get', ''),
  ]);
  const [bare = 0, tab = 0] = [0, 1].map((n) => Math.min(...rounds.map((round) => round[n] ?? Infinity)));
  assert.ok(tab - bare < 100, `${Math.round(tab)} ms, where Node alone takes ${Math.round(bare)}`);
});
