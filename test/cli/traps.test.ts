/**
 * What oclif does of itself under `--json`, at exits and at signals, measured on a plain program, and the frame's cure for each.
 * Where the plain twin stops misbehaving after an upgrade, its assertion says so and the cure may go.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { finish, freshHome, root as repository, runScript, seen, start } from '../support/spawn.ts';
import { command } from '../support/world.ts';

const frame = 'test/support/frame/run.ts';
const plain = 'test/support/frame/plain/run.ts';
/** The frame's program in this process, for what a process is not needed for. */
const inside = (home: { path: string }, args: string[], env = {}) =>
  command({ home: home.path, env, root: join(repository, 'test', 'support', 'frame') }, ...args);

test('1: the status is the same with and without --json', async () => {
  using home = freshHome();
  for (const [kind, status] of [
    ['auth', 4],
    ['usage', 2],
    ['refused', 1],
    ['pending', 8],
  ] as const) {
    const words = await inside(home, ['refuse', '--kind', kind]);
    const json = await inside(home, ['refuse', '--kind', kind, '--json']);
    assert.deepEqual([words.status, json.status], [status, status], kind);
  }
  // And the process ends with it.
  const [words, json] = await Promise.all([
    runScript(frame, ['refuse', '--kind', 'pending'], home.env),
    runScript(frame, ['refuse', '--kind', 'pending', '--json'], home.env),
  ]);
  assert.deepEqual([words.status, json.status], [8, 8]);
});

test('2: a flag mistake under --json prints our small error and nothing of the command', async () => {
  using home = freshHome();
  const bare = await runScript(plain, ['refuse', '--json', '--nope'], home.env);
  assert.match(bare.stdout + bare.stderr, /PLANTEDINAFIELD|"argv"/, 'the trap is still there');
  const cured = await inside(home, ['refuse', '--json', '--nope', '--token', 'sk_live_PLANTEDINARGV000001']);
  assert.equal(cured.status, 2);
  assert.equal(cured.stdout, '');
  const { error } = JSON.parse(cured.stderr) as { error: object };
  assert.deepEqual(Object.keys(error), ['kind', 'message', 'next']);
  assert.doesNotMatch(cured.stderr, /PLANTED/);
});

test('2b: a secret typed where it does not belong is not repeated', async () => {
  using home = freshHome();
  for (const args of [
    ['refuse', 'sk_live_PLANTEDINARGV000001'],
    ['refuse', '--kind'],
    ['sk_live_PLANTEDINARGV000001'],
    ['refuse', '--sk_live_PLANTEDINARGV000001'],
  ]) {
    const ended = await inside(home, args);
    assert.equal(ended.status, 2);
    assert.doesNotMatch(ended.stdout + ended.stderr, /PLANTED/, args.join(' '));
  }
});

test('3: a falsy or empty result is printed', async () => {
  using home = freshHome();
  const bare = await runScript(plain, ['empty', '--json'], home.env);
  assert.equal(bare.stdout, '', 'the trap is still there');
  assert.equal((await inside(home, ['empty', '--json'])).stdout, '0\n');
  assert.equal((await inside(home, ['empty', '--json'], { AS: 'page' })).stdout, '{"data":[]}\n');
});

test('4: notes reach people under --json too', async () => {
  using home = freshHome();
  const bare = await runScript(plain, ['empty', '--json'], home.env);
  assert.equal(bare.stderr, '', 'the trap is still there');
  assert.match((await inside(home, ['empty', '--json'])).stderr, /^a note for people$/m);
});

test('5: what was opened is tidied up on SIGINT and SIGTERM', async () => {
  using home = freshHome();
  const bare = start(plain, ['wait', '--tidy', join(home.path, 'plain')], home.env);
  await seen(bare.stdout, 'ready');
  bare.kill('SIGINT');
  await finish(bare);
  assert.throws(() => readFileSync(join(home.path, 'plain')), 'the trap is still there');
  for (const [command, signal, status] of [
    ['wait', 'SIGINT', 130],
    ['wait', 'SIGTERM', 143],
    ['serve', 'SIGINT', 0],
    ['serve', 'SIGTERM', 0],
  ] as const) {
    const tidy = join(home.path, `${command}-${signal}`);
    const child = start(frame, [command, '--tidy', tidy], home.env);
    await seen(child.stdout, 'ready');
    child.kill(signal);
    assert.equal((await finish(child)).status, status, `${command} ${signal}`);
    assert.equal(readFileSync(tidy, 'utf8'), 'tidied\n');
  }
});

test('6: a slow reader gets every byte of a large result, in every form', async () => {
  using home = freshHome();
  assert.ok((await slowly(plain, ['large'], home.env)).length < 300_000, 'the trap is still there');
  assert.equal((await slowly(frame, ['large'], { ...home.env, AS: 'text' })).length, 300_000);
  const json = await slowly(frame, ['large', '--json'], { ...home.env, AS: 'object' });
  assert.equal((JSON.parse(json) as { lines: string[] }).lines.length, 3000);
});

test('6b: a reader that leaves early ends the work quietly with 0', async () => {
  using home = freshHome();
  for (const args of [['large'], ['large', '--json'], ['large', '-q']]) {
    const child = start(frame, args, home.env);
    await seen(child.stdout, 'app_0');
    child.stdout.destroy();
    const ended = await finish(child);
    assert.deepEqual([ended.status, ended.stderr], [0, ''], args.join(' '));
  }
});

/** Reads nothing until the program had every chance to end. */
function slowly(script: string, args: string[], env: Record<string, string>): Promise<string> {
  const child = start(script, args, env);
  child.stdin.end();
  child.stdout.pause();
  let text = '';
  return new Promise((resolve) => {
    const exited = new Promise((left) => child.once('exit', left));
    // The plain program exits with the pipe full; the frame cannot exit before somebody reads.
    const reading = Promise.race([exited, new Promise((later) => setTimeout(later, 400))]);
    void reading.then(() => {
      child.stdout.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      child.stdout.resume();
    });
    child.on('close', () => resolve(text));
  });
}

test('7: several commands run in one process at once, each with its own streams and clock', async () => {
  const root = join(repository, 'test', 'support', 'frame');
  const documents = Array.from({ length: 8 }, (_, n) => `{"id":"app_${n}"}`);
  const said = await Promise.all(
    documents.map((document) => command({ home: '/nonexistent', root }, 'show', '--document', document, '--json')),
  );
  assert.deepEqual(
    said,
    documents.map((document) => ({ status: 0, stdout: `${document}\n`, stderr: '' })),
  );
  const mixed = await Promise.all([
    command({ home: '/nonexistent', root }, 'refuse', '--kind', 'auth'),
    command({ home: '/nonexistent', root }, 'show', '--document', '{"id":"x"}', '--quiet'),
  ]);
  assert.deepEqual(
    mixed.map(({ status }) => status),
    [4, 0],
  );
  assert.equal(process.exitCode, undefined, 'the process’s own status is not touched');
});

const HEAVY = /^(undici|zod|inquirer|cli-table3|chalk|hono|jose|keytar)(\/|$)|^node:sqlite$/;

test('8: what is heavy is imported only where it is used', async () => {
  // Statically reached from the start of the program, and from a command that needs none of it.
  for (const entry of [
    'src/lib/cli/program.ts',
    'src/lib/cli/dispatch.ts',
    'src/commands/sandbox/status.ts',
    'src/commands/whoami.ts',
    'src/lib/cli/session.ts',
    'src/commands/apps/get.ts',
  ]) {
    const reached = await staticImports(join(repository, entry));
    assert.deepEqual(
      [...reached].filter((name) => HEAVY.test(name)),
      [],
      entry,
    );
  }
  assert.ok(
    (await staticImports(join(repository, 'src/lib/contract/resources.ts'))).has('zod/mini'),
    'the walk sees what is there',
  );
});

/** Packages and files that loading a file loads with it. */
async function staticImports(entry: string): Promise<Set<string>> {
  const reached = new Set<string>();
  const waiting = [entry];
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    if (reached.has(file) || file.endsWith('.json')) continue;
    reached.add(file);
    const text = await readFile(file, 'utf8');
    for (const [, kind = '', target = ''] of text.matchAll(/^(?:import|export)\s+(type\s)?[^;]*?from\s+'([^']+)'/gm)) {
      if (kind !== '') continue;
      if (target.startsWith('.')) waiting.push(join(dirname(file), target));
      else reached.add(target);
    }
  }
  return reached;
}
