/** Starting and ending the sandbox when things go wrong around it: nothing innocent is ended, nothing started is left behind. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { runInside } from '../support/inside.ts';
import { finish, freshHome, root, runScript, seen, start } from '../support/spawn.ts';

const program = 'bin/run.js';

test('a note that outlived its process ends nobody else', async () => {
  using home = freshHome();
  const state = join(home.path, '.local', 'state', 'credicorp');
  mkdirSync(state, { recursive: true });
  const innocent = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
  try {
    for (const pid of [innocent.pid, -1, 0, 1, 1.5, 'x']) {
      writeFileSync(
        join(state, 'sandbox.json'),
        JSON.stringify({ pid, base_url: 'http://127.0.0.1:9', started_at: '' }),
      );
      assert.equal((await runInside(['sandbox', 'status', '--field', 'running'], home.env)).stdout, 'false\n');
      assert.match((await runInside(['sandbox', 'stop'], home.env)).stderr, /no sandbox is running/);
    }
    assert.equal(innocent.exitCode, null);
    assert.equal(innocent.signalCode, null);
    const started = await runScript(
      program,
      ['sandbox', 'start', '-b', '--port', '0', '--field', 'base_url'],
      home.env,
    );
    assert.match(started.stdout, /^http:\/\/127\.0\.0\.1:\d+\n$/, started.stderr);
    await runInside(['sandbox', 'stop'], home.env);
  } finally {
    innocent.kill('SIGKILL');
  }
});

test('a sandbox that was killed does not keep the next from starting', async () => {
  using home = freshHome();
  const first = start(program, ['sandbox', 'start', '--port', '0'], home.env);
  await seen(first.stdout, /127\.0\.0\.1/);
  first.kill('SIGKILL');
  await finish(first);
  const next = await runScript(program, ['sandbox', 'start', '-b', '--port', '0', '--json'], home.env);
  assert.equal((JSON.parse(next.stdout) as Record<string, unknown>)['type'], 'ready', next.stderr);
  await runInside(['sandbox', 'stop'], home.env);
});

test('of several started at once, one runs and the others say where', async () => {
  using home = freshHome();
  const all = await Promise.all(
    Array.from({ length: 4 }, () => runScript(program, ['sandbox', 'start', '-b', '--port', '0', '--json'], home.env)),
  );
  for (const { status, stderr } of all) assert.equal(status, 0, stderr);
  const bases = new Set(all.map(({ stdout }) => (JSON.parse(stdout) as Record<string, unknown>)['base_url']));
  assert.equal(bases.size, 1);
  await runInside(['sandbox', 'stop'], home.env);
  await assert.rejects(fetch(`${[...bases][0]}/`), 'it is gone');
});

test('short flags in one word start one process, not a chain of them', async () => {
  using home = freshHome();
  const ended = await runScript(program, ['sandbox', 'start', '-bq', '--port', '0'], home.env);
  assert.equal(ended.status, 0, ended.stderr);
  const log = join(home.path, '.local', 'state', 'credicorp', 'sandbox.log');
  assert.equal(readFileSync(log, 'utf8'), '');
  assert.match((await runInside(['sandbox', 'stop'], home.env)).stderr, /stopped the sandbox/);
});

test('start --background reports the same errors as the foreground: same status, same messages, in both modes', async () => {
  using home = freshHome();
  for (const flags of [
    ['--speed', 'abc'],
    ['--clock-start', 'soon'],
    ['--companies', '/nonexistent'],
  ]) {
    const words = [
      ['sandbox', 'start'],
      ['sandbox', 'start', '-b'],
    ].flatMap((base) => [
      [...base, ...flags],
      [...base, ...flags, '--json'],
    ]);
    const ended = await Promise.all(words.map((args) => runScript(program, args, home.env)));
    assert.deepEqual(
      ended.map(({ status }) => status),
      [2, 2, 2, 2],
      flags.join(' '),
    );
    assert.equal(ended[0]?.stderr, ended[2]?.stderr);
    assert.equal(ended[1]?.stderr, ended[3]?.stderr);
  }
});

test('a ready file is written in either spelling, and a place that cannot be written is a usage error that leaves nothing', async () => {
  using home = freshHome();
  const file = join(home.path, 'ready.json');
  for (const spelling of [[`--ready-file=${file}`], ['--ready-file', file]]) {
    const ended = await runScript(program, ['sandbox', 'start', '-b', '--port', '0', ...spelling], home.env);
    assert.equal(ended.status, 0, ended.stderr);
    assert.equal((JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>)['type'], 'ready');
    await runInside(['sandbox', 'stop'], home.env);
  }
  for (const background of [[], ['-b']]) {
    const ended = await runScript(
      program,
      ['sandbox', 'start', '--port', '0', '--ready-file', '/nonexistent/x', ...background],
      home.env,
    );
    assert.equal(ended.status, 2, ended.stderr);
    assert.equal((await runInside(['sandbox', 'status', '--field', 'running'], home.env)).stdout, 'false\n');
  }
});

test('interrupted while starting: 130, and nothing keeps running', async () => {
  using home = freshHome();
  for (const after of [60, 120, 200]) {
    const child = start(program, ['sandbox', 'start', '--background', '--port', '0'], home.env);
    await new Promise((resolve) => setTimeout(resolve, after));
    child.kill('SIGINT');
    const ended = await finish(child);
    // The signal may come before the program listens for it, or after it is done.
    if (ended.stdout.includes('base_url')) await runInside(['sandbox', 'stop'], home.env);
    else assert.ok(ended.status === 130 || ended.signal === 'SIGINT', `${ended.status} ${ended.stderr}`);
    assert.equal((await runInside(['sandbox', 'status', '--field', 'running'], home.env)).stdout, 'false\n');
  }
});

test('a tour that is interrupted stops what it started', async () => {
  using home = freshHome();
  const tmp = join(home.path, 'tmp');
  mkdirSync(tmp);
  for (const word of ['start the embedded sandbox', 'listen for webhooks', 'wait for the decision']) {
    const child = start(program, ['demo'], { ...home.env, TMPDIR: tmp });
    await seen(child.stderr, word);
    child.kill('SIGINT');
    assert.equal((await finish(child)).status, 130, word);
    assert.deepEqual(
      readdirSync(tmp).filter((name) => name.startsWith('credicorp-demo-')),
      [],
      word,
    );
  }
  assert.deepEqual(processesWith(tmp), []);
});

/** Numbers of the processes whose environment names the folder. */
function processesWith(folder: string): string[] {
  if (!existsSync('/proc/self/environ')) return [];
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      return readFileSync(`/proc/${pid}/environ`, 'utf8').includes(folder);
    } catch {
      return false;
    }
  });
}

test('a full disk at stdout is reported, with its own exit status', { skip: !existsSync('/dev/full') }, async () => {
  using home = freshHome();
  for (const args of ['--version', 'sandbox status --json', 'sandbox status']) {
    const child = spawn('bash', ['-c', `'${process.execPath}' '${join(root, program)}' ${args} >/dev/full`], {
      env: home.env,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    const ended = await finish(child);
    assert.equal(ended.status, 6, args);
    assert.match(ended.stderr, /could not be written to stdout/);
    assert.ok(ended.stderr.length < 500);
  }
});

test('a reader that does not read cannot hold up the way out', async () => {
  using home = freshHome();
  const started = await runScript(program, ['sandbox', 'start', '-b', '--port', '0', '--field', 'base_url'], home.env);
  const base = started.stdout.trim();
  // Enough entries to fill any pipe several times over.
  await Promise.all(
    Array.from({ length: 40 }, (_, n) => fetch(`${base}/partner/v1/applications?n=${n}${'x'.repeat(2000)}`)),
  );
  const tail = start(program, ['logs', 'tail', '--since', '1h', '--json'], home.env);
  tail.stdout.pause();
  await once(tail.stdout, 'readable');
  tail.kill('SIGTERM');
  const [status] = (await once(tail, 'exit')) as [number | null];
  assert.equal(status, 0);
  tail.stdout.destroy();
  await runInside(['sandbox', 'stop'], home.env);
});
