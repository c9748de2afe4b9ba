/** The tarball as users get it: installed globally into a prefix of its own, run outside the clone. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { freshHome, root } from '../support/spawn.ts';

const home = freshHome();
const program = join(home.path, 'prefix', 'bin', 'credicorp');

before(() => {
  // The build is there already: the test command makes it. Packing again would take it away under other tests.
  const env = { ...process.env, npm_config_ignore_scripts: 'true', npm_config_update_notifier: 'false' };
  // What npm does around packing, without the build.
  execFileSync(process.execPath, ['scripts/shrinkwrap.ts'], { cwd: root });
  const [{ filename }] = JSON.parse(
    execFileSync('npm', ['pack', '--json', '--pack-destination', home.path], {
      cwd: root,
      env,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }),
  ) as [{ filename: string }];
  execFileSync(process.execPath, ['scripts/shrinkwrap.ts', '--remove'], { cwd: root });
  const install = [
    'install',
    '-g',
    '--prefix',
    join(home.path, 'prefix'),
    '--prefer-offline',
    '--no-audit',
    '--no-fund',
    join(home.path, filename),
  ];
  execFileSync('npm', install, { cwd: home.path, env, stdio: 'ignore' });
});
after(() => home[Symbol.dispose]());

function credicorp(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(program, args, { cwd: home.path, env: home.env, encoding: 'utf8', timeout: 30_000 });
}

test('it runs outside the clone and says its version', () => {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
  assert.deepEqual(credicorp('--version').stdout, `credicorp ${version}\n`);
});

test('the whole tour works from the package', () => {
  const ended = credicorp('demo', '--json');
  assert.equal(ended.status, 0, ended.stderr);
  const report = JSON.parse(ended.stdout) as Record<string, unknown>;
  assert.equal(report['decision'], 'approved');
  assert.match(String(report['application_id']), /^app_/);
  assert.deepEqual([...(report['webhooks'] as string[])].sort(), [
    'application.submitted',
    'application.updated',
    'application.updated',
    'application.updated',
    'decision.completed',
  ]);
  assert.ok(Number(report['took_ms']) < 20_000);
});

test('the tour leaves nothing behind in the user’s folders', () => {
  assert.equal(existsSync(join(home.path, '.config', 'credicorp')), false);
  assert.equal(existsSync(join(home.path, '.local', 'state', 'credicorp')), false);
});

test('the package carries what it needs and nothing of the workshop', () => {
  const inside = join(home.path, 'prefix', 'lib', 'node_modules', 'credicorp-cli');
  const names = readdirSync(inside).sort();
  for (const name of [
    'README.md',
    'LICENSE',
    'CHANGELOG.md',
    'SECURITY.md',
    'npm-shrinkwrap.json',
    'assets',
    'bin',
    'dist',
    'docs',
    'oclif.manifest.json',
    'package.json',
  ]) {
    assert.ok(names.includes(name), name);
  }
  for (const name of ['src', 'test', 'scripts', 'bench', '.ci', 'tsconfig.json'])
    assert.equal(names.includes(name), false, name);
  assert.match(readFileSync(join(inside, 'dist', 'THIRD-PARTY-LICENCES.txt'), 'utf8'), /undici/);
  assert.ok(existsSync(join(inside, 'dist', 'sbom.cdx.json')));
  const security = readFileSync(join(inside, 'SECURITY.md'), 'utf8');
  for (const who of ['another user of this machine', 'a web page', 'the network', 'an agent', "a stranger's data"])
    assert.ok(security.includes(`| **${who}`), who);
  const manifest = JSON.parse(readFileSync(join(inside, 'oclif.manifest.json'), 'utf8')) as { commands: object };
  assert.ok('apps:create' in manifest.commands);
});

test('keytar is the only package that comes with it', () => {
  const modules = join(home.path, 'prefix', 'lib', 'node_modules', 'credicorp-cli', 'node_modules');
  assert.deepEqual(
    readdirSync(modules)
      .filter((name) => !name.startsWith('.'))
      .sort(),
    ['keytar', 'node-addon-api'],
  );
});
