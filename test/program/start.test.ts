/** How the program starts: which Node it asks for, how it is reached in a clone, what is in the built files. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
// @ts-expect-error plain JavaScript, so that an old Node can read it
import { supported } from '../../bin/prepare.js';
import { runInside } from '../support/inside.ts';
import { freshHome, root } from '../support/spawn.ts';

test('the Node versions of package.json, and no others', () => {
  const rows: [version: string, want: boolean][] = [
    ['18.20.0', false],
    ['20.20.2', false],
    ['22.22.1', false],
    ['22.22.2', true],
    ['22.23.0', true],
    ['23.11.0', false],
    ['24.14.1', false],
    ['24.15.0', true],
    ['25.9.0', false],
    ['26.0.0', true],
    ['27.1.0', true],
  ];
  for (const [version, want] of rows) assert.equal(supported(version), want, version);
  const { engines } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { engines: { node: string } };
  assert.equal(engines.node, '^22.22.2 || ^24.15.0 || >=26');
});

test('under an older Node it prints in one line which it needs, and exits with 2', () => {
  using home = freshHome();
  const older = join(home.path, 'older.cjs');
  writeFileSync(older, "Object.defineProperty(process.versions, 'node', { value: '20.19.4' });\n");
  const ended = spawnSync(process.execPath, ['--require', older, join(root, 'bin', 'run.js'), 'whoami'], {
    env: home.env,
    encoding: 'utf8',
  });
  assert.deepEqual([ended.status, ended.stdout], [2, '']);
  assert.equal(ended.stderr, 'credicorp needs Node ^22.22.2, ^24.15.0 or >=26; this is Node 20.19.4\n');
});

test('the files an old Node reads use only syntax it knows', () => {
  for (const file of ['bin/run.js', 'bin/prepare.js']) {
    const text = readFileSync(join(root, file), 'utf8');
    assert.doesNotMatch(text, /^await |\?\?=|\.ts'|#\w+\(/m, file);
  }
});

test('in a clone, npx finds it', () => {
  using home = freshHome();
  const env = { ...home.env, npm_config_update_notifier: 'false' };
  const ended = spawnSync('npx', ['--no-install', 'credicorp', '--version'], { cwd: root, env, encoding: 'utf8' });
  assert.match(ended.stdout, /^credicorp \d+\.\d+\.\d+\n$/, ended.stderr);
});

test('alone it shows a short start page; --help shows every topic; a topic shows its commands', async () => {
  using home = freshHome();
  const page = await runInside([], home.env);
  assert.deepEqual([page.status, page.stderr], [0, '']);
  assert.match(page.stdout, /credicorp demo/);
  assert.ok(page.stdout.split('\n').length < 12, 'short');
  const help = await runInside(['--help'], home.env);
  for (const word of [
    'apps',
    'decisions',
    'payments',
    'webhooks',
    'logs',
    'sandbox',
    'login',
    'logout',
    'whoami',
    'token',
    'demo',
  ]) {
    assert.match(help.stdout, new RegExp(`^  ${word}\\b`, 'm'), word);
  }
  const whole = await runInside(['login', '--help'], home.env);
  assert.match(
    whole.stdout,
    /DESCRIPTION\s+Asks the API for a token first[\s\S]*by\s+scrypt/,
    'a description of several lines is whole',
  );
  const topic = await runInside(['sandbox'], home.env);
  assert.match(topic.stdout, /sandbox start[\s\S]*sandbox status[\s\S]*sandbox stop/);
  for (const words of [
    ['help', 'apps', 'create'],
    ['apps', 'create', '--help'],
    ['apps', 'create', '-h'],
  ]) {
    assert.match((await runInside(words, home.env)).stdout, /\$ credicorp apps create --company 16093826/);
  }
});

test('the experimental warning of the database is not shown', async () => {
  using home = freshHome();
  const ended = await runInside(['logs', 'tail', '--no-follow'], home.env);
  assert.deepEqual(ended, { status: 0, signal: null, stdout: '', stderr: '' });
});
