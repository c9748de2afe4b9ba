/** The pipeline of docs/ci.md, step by step, each in a shell of its own as a runner does it. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { finish, freshHome, root } from '../support/spawn.ts';

const home = freshHome();
const page = readFileSync(join(root, 'docs', 'ci.md'), 'utf8');
const block = (language: string): string => new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``).exec(page)?.[1] ?? '';

interface Step {
  name: string;
  run: string;
  env: Record<string, string>;
}

/** The steps that run something: `name`, `env` and `run`, which is all the page uses. */
function stepsOf(yaml: string): Step[] {
  return yaml.split(/^ {6}- /m).flatMap((text) => {
    const block = /^ *run: \|\n((?: {10}.*\n|\n)+)/m.exec(text)?.[1];
    const run = block?.replaceAll(/^ {10}/gm, '') ?? /^ *run: ([^|\n].*)$/m.exec(text)?.[1];
    if (run === undefined) return [];
    const env = Object.fromEntries(
      [...text.matchAll(/^ {10}([A-Z_]+): (\S+)$/gm)].map(([, key, value]) => [key, value]),
    );
    return [{ name: /^name: (.*)$/m.exec(text)?.[1] ?? run, run, env }];
  });
}

const steps = stepsOf(block('yaml'));
let port = 0;

before(async () => {
  const bin = join(home.path, 'bin');
  mkdirSync(bin);
  writeFileSync(join(bin, 'credicorp'), `#!/bin/sh\nexec '${process.execPath}' '${join(root, 'bin/run.js')}' "$@"\n`);
  chmodSync(join(bin, 'credicorp'), 0o755);
  writeFileSync(join(bin, 'node'), `#!/bin/sh\nexec '${process.execPath}' "$@"\n`);
  chmodSync(join(bin, 'node'), 0o755);
  home.env['PATH'] = `${bin}:${process.env['PATH'] ?? ''}`;
  const taken = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => taken.once('listening', resolve));
  ({ port } = taken.address() as AddressInfo);
  await new Promise((resolve) => taken.close(resolve));
  writeFileSync(join(home.path, 'app.mjs'), real(block('js')));
});
after(async () => {
  await shell('credicorp sandbox stop', {});
  home[Symbol.dispose]();
});

test('the page has the steps it speaks of', () => {
  assert.deepEqual(
    steps.map(({ name }) => name),
    [
      'npm install --global credicorp-cli',
      'Start the sandbox',
      'Try the handler',
      'One application, end to end',
      'Three days later',
      'Stop the sandbox',
    ],
  );
  for (const word of ['--ready-file', 'webhooks expect', 'webhooks test'])
    assert.ok(block('yaml').includes(word), word);
});

for (const { name, run, env } of steps.filter(({ run }) => !run.startsWith('npm '))) {
  test(name, async () => {
    const ended = await shell(real(run), env);
    assert.equal(ended.status, 0, `${ended.stdout}\n${ended.stderr}`);
  });
}

test('the report is there', () => assert.ok(existsSync(join(home.path, 'handler.xml'))));

test('every flag that docs/webhooks.md names is one', () => {
  const text = readFileSync(join(root, 'docs', 'webhooks.md'), 'utf8');
  const manifest = readFileSync(join(root, 'oclif.manifest.json'), 'utf8');
  const flags = new Set([...text.matchAll(/(?<=[\s`])--([a-z][a-z-]+)/g)].map(([, flag = '']) => flag));
  const foreign = new Set(['data-binary']);
  const known = (flag: string): boolean =>
    manifest.includes(`"${flag}":{`) || manifest.includes(`"aliases":["${flag}"]`);
  for (const flag of flags) assert.ok(foreign.has(flag) || known(flag), flag);
  assert.ok(flags.size > 10);
});

/** Port 3000 may be somebody's here. */
function real(text: string): string {
  return text.replaceAll('localhost:3000', `localhost:${port}`).replaceAll('.listen(3000)', `.listen(${port})`);
}

function shell(script: string, env: Record<string, string>): ReturnType<typeof finish> {
  const flags = ['--noprofile', '--norc', '-e', '-o', 'pipefail', '-c', script];
  return finish(
    spawn('bash', flags, { cwd: home.path, env: { ...home.env, ...env }, stdio: ['pipe', 'pipe', 'pipe'] }),
  );
}
