/** Completion as shells ask for it: from the manifest and the journal alone, and quiet whatever happens. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { SCRIPTS } from '../../src/lib/cli/completion/shell-scripts.ts';
import { runInside } from '../support/inside.ts';
import { freshHome, root } from '../support/spawn.ts';
import { onTerminal } from '../support/terminal.ts';

const home = freshHome();
let application = '';

before(async () => {
  const started = await runInside(['sandbox', 'start', '--background', '--port', '0', '-q'], home.env);
  assert.equal(started.status, 0, started.stderr);
  application = (await runInside(['apps', 'create', '--company', '16093826', '-q'], home.env)).stdout.trim();
});
after(async () => {
  await runInside(['sandbox', 'stop'], home.env);
  home[Symbol.dispose]();
});

async function offered(...words: string[]): Promise<string[]> {
  const ended = await runInside(['__complete', 'zsh', ...words], home.env);
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
  assert.deepEqual(await offered('webhooks', 'trigger', 'decision.c'), ['decision.completed']);
  assert.deepEqual(await offered('webhooks', 'expect', '--type', 'decision.c'), ['decision.completed']);
  assert.deepEqual(await offered('errors', 'explain', 'parameter_m'), ['parameter_missing']);
  assert.deepEqual(await offered('nonsense', ''), []);
});

test('recent ids come from the journal, without network; ids that do not exist are not offered', async () => {
  assert.equal((await runInside(['apps', 'get', 'app_nowhere'], home.env)).status, 3);
  await runInside(['sandbox', 'stop'], home.env);
  assert.deepEqual(await offered('apps', 'get', ''), [application]);
  assert.deepEqual(await offered('decisions', 'get', application.slice(0, 6)), [application]);
  assert.deepEqual(await offered('payments', 'create', '--application', ''), [application]);
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
    const ended = await runInside(['__complete', 'bash', ...words], env);
    assert.deepEqual([ended.status, ended.stdout, ended.stderr], [0, '', '']);
  }
});

/** Whether a shell is not installed here. */
function without(name: string): string | false {
  return spawnSync(name, ['-c', ':']).error === undefined ? false : `${name} is not installed`;
}

/** A folder with the program under its name, first in the path. */
function installed(): Record<string, string> {
  const bin = join(home.path, 'bin');
  mkdirSync(bin, { recursive: true });
  writeFileSync(join(bin, 'credicorp'), `#!/bin/sh\nexec '${process.execPath}' '${join(root, 'bin/run.js')}' "$@"\n`, {
    mode: 0o755,
  });
  return { ...home.env, PATH: `${bin}:${home.env['PATH']}` };
}

const shell = (name: string, script: string): string =>
  execFileSync(name, [...(name === 'zsh' ? ['-f'] : []), '-c', script], {
    ...{ env: installed(), cwd: home.path, encoding: 'utf8', timeout: 20_000 },
    stdio: ['ignore', 'pipe', 'pipe'],
  });

test('bash takes the script and completes with it', () => {
  const script = `eval "$(credicorp autocomplete bash)"
COMP_WORDS=(credicorp apps create --purpose = w); COMP_CWORD=5; _credicorp; printf '%s\\n' "\${COMPREPLY[@]}"
COMP_WORDS=(credicorp decisions get ""); COMP_CWORD=3; _credicorp; printf '%s\\n' "\${COMPREPLY[@]}"`;
  assert.equal(shell('bash', script), `working_capital\n${application}\n`);
});

test(
  'fish takes the script from its folder and completes with it; where nothing is known, files',
  { skip: without('fish') },
  () => {
    const folder = join(home.path, '.config', 'fish', 'completions');
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'credicorp.fish'), SCRIPTS.fish);
    writeFileSync(join(home.path, 'companies.csv'), '');
    const lines = [
      'apps cr',
      'apps create --purpose w',
      'login --env=l',
      'decisions get ',
      'apps create --from comp',
      'payments links ',
    ];
    const said = shell('fish', lines.map((line) => `complete -C 'credicorp ${line}'; echo ==`).join('\n'));
    assert.deepEqual(
      said.split(/(?:^|\n)==\n/).map((found) => found.replaceAll(/\t.*/g, '')),
      ['create', 'working_capital', '--env=live\n--env=local', application, 'companies.csv', 'get', ''],
    );
  },
);

for (const [name, way, setUp] of [
  ['bash', 'as a line of ~/.bashrc', 'eval "$(credicorp autocomplete bash)"; bind "set enable-bracketed-paste off"'],
  ['zsh', 'as a line of ~/.zshrc', 'autoload -Uz compinit; compinit -u -D; eval "$(credicorp autocomplete zsh)"'],
  [
    'zsh',
    'as a file of $fpath',
    'mkdir -p f; credicorp autocomplete zsh > f/_credicorp; fpath=($PWD/f $fpath); autoload -Uz compinit; compinit -u -D',
  ],
] as const) {
  test(`${name} takes the script ${way} and completes with it on a terminal`, { skip: without(name) }, async () => {
    const words = name === 'zsh' ? ['zsh', '-f', '-i'] : ['bash', '--noprofile', '--norc', '-i'];
    const terminal = onTerminal(words, installed());
    terminal.type(`cd ~; PS1='rea''dy> '; ${setUp}\r`);
    await terminal.shows('ready> ');
    for (const [typed, shown] of [
      ['credicorp apps cr', 'apps create '],
      ['--purpose=w', '--purpose=working_capital '],
      ['--compan', '--company '],
    ] as const) {
      terminal.type(`${typed}\t`);
      await terminal.shows(shown);
    }
    if (name === 'zsh') {
      terminal.type('16093826 --amount\t');
      await terminal.shows(/--amount +-- amount in pounds: 25000 or 25,000\.50\s+--amount-pence +-- amount in pence/);
    }
    // Ctrl-U takes the line away.
    terminal.type('\x15credicorp decisions get \t');
    await terminal.shows(`decisions get ${application} `);
    terminal.type('\x15exit\r');
    assert.equal(await terminal.ended(), 0);
  });
}

test('the PowerShell script: its signs pair up, and the words it sends are understood', async () => {
  // There is no PowerShell here to run it.
  const script = SCRIPTS.powershell.replaceAll(/^#.*$|"[^"]*"|'[^']*'/gm, '');
  for (const [open, close] of ['{}', '()', '[]'] as const)
    assert.equal(script.split(open ?? '').length, script.split(close ?? '').length, `${open}${close}`);
  const ended = await runInside(['__complete', 'powershell', 'apps', 'create', '--purpose', '=w'], home.env);
  assert.equal(ended.stdout, 'working_capital\n');
  const empty = await runInside(['__complete', 'powershell', 'decisions', 'get', '='], home.env);
  assert.equal(empty.stdout, `${application}\n`);
});

test('an unknown flag gets the nearest one offered, and its value is not repeated', async () => {
  const ended = await runInside(['apps', 'create', '--compny=whatever'], home.env);
  assert.equal(ended.status, 2);
  assert.match(ended.stderr, /unknown flag --compny\n.*did you mean --company; see: credicorp apps create --help/s);
  assert.doesNotMatch(ended.stderr, /whatever/);
});
