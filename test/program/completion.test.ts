/** Completion as shells ask for it: from the manifest and the journal alone, and quiet whatever happens. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { KNOWN_VALUES } from '../../src/lib/cli/known-words.ts';
import { freshHome, root, runScript } from '../support/spawn.ts';

const home = freshHome();
let application = '';

before(async () => {
  const started = await runScript('bin/run.js', ['sandbox', 'start', '--background', '--port', '0', '-q'], home.env);
  assert.equal(started.status, 0, started.stderr);
  application = (
    await runScript('bin/run.js', ['apps', 'create', '--company', '16093826', '-q'], home.env)
  ).stdout.trim();
});
after(async () => {
  await runScript('bin/run.js', ['sandbox', 'stop'], home.env);
  home[Symbol.dispose]();
});

async function offered(...words: string[]): Promise<string[]> {
  const ended = await runScript('bin/run.js', ['__complete', 'zsh', ...words], home.env);
  assert.deepEqual([ended.status, ended.stderr], [0, '']);
  return ended.stdout.split('\n').flatMap((line) => (line === '' ? [] : [line.split('\t')[0] ?? '']));
}

test('commands, subcommands, flags, values', async () => {
  assert.ok((await offered('')).includes('apps'));
  assert.deepEqual(await offered('apps', 'cr'), ['create']);
  assert.deepEqual(await offered('payments', 'links', ''), ['get']);
  assert.deepEqual(await offered('apps', 'create', '--purp'), ['--purpose']);
  assert.deepEqual(await offered('apps', 'create', '--purpose', 'w'), ['working_capital']);
  assert.deepEqual(await offered('login', '--env=l'), ['--env=live', '--env=local']);
  assert.ok(!(await offered('apps', 'create', '--company', '16093826', '--')).includes('--company'), 'not twice');
  assert.deepEqual(await offered('autocomplete', 'f'), ['fish']);
  assert.deepEqual(await offered('nonsense', ''), []);
});

test('recent ids come from the journal, without network', async () => {
  await runScript('bin/run.js', ['sandbox', 'stop'], home.env);
  assert.deepEqual(await offered('apps', 'get', ''), [application]);
  assert.deepEqual(await offered('decisions', 'get', application.slice(0, 6)), [application]);
  assert.deepEqual(await offered('payments', 'get', ''), []);
});

test('a damaged store or a foreign word is met with silence', async () => {
  using other = freshHome();
  writeFileSync(join(other.path, 'store.db'), 'not a database');
  const env = { ...other.env, CREDICORP_STATE_DIR: other.path };
  for (const words of [
    ['apps', 'get', ''],
    ['apps', 'create', '--company', ''],
    ['--', '\u001b', '='],
  ]) {
    const ended = await runScript('bin/run.js', ['__complete', 'bash', ...words], env);
    assert.deepEqual([ended.status, ended.stdout, ended.stderr], [0, '', '']);
  }
});

test('bash takes the script and completes with it', () => {
  const script = `credicorp() { '${process.execPath}' '${join(root, 'bin/run.js')}' "$@"; }
eval "$(credicorp autocomplete bash)"
COMP_WORDS=(credicorp apps create --purpose = w); COMP_CWORD=5; _credicorp; printf '%s\\n' "\${COMPREPLY[@]}"
COMP_WORDS=(credicorp decisions get ""); COMP_CWORD=3; _credicorp; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const said = execFileSync('bash', ['-c', script], { env: home.env, encoding: 'utf8' });
  assert.equal(said, `working_capital\n${application}\n`);
});

test('every flag with known words exists', () => {
  const manifest = JSON.parse(readFileSync(join(root, 'oclif.manifest.json'), 'utf8')) as {
    commands: Record<string, { flags: Record<string, unknown> }>;
  };
  for (const name of Object.keys(KNOWN_VALUES)) {
    const [id = '', flag = ''] = name.split(' --');
    assert.ok(manifest.commands[id]?.flags[flag], name);
  }
});

test('an unknown flag gets the nearest one offered, and its value is not repeated', async () => {
  const ended = await runScript('bin/run.js', ['apps', 'create', '--compny=whatever'], home.env);
  assert.equal(ended.status, 2);
  assert.match(ended.stderr, /unknown flag --compny\n.*did you mean --company; see: credicorp apps create --help/s);
  assert.doesNotMatch(ended.stderr, /whatever/);
});
