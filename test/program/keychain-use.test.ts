/** A command with its secret in the keychain: one helper process, asked once for all that is needed. */
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, readFileSync, rmSync, symlinkSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type Served, serveSandbox } from '../../src/lib/sandbox/sandbox-server.ts';
import { finish, freshHome, root, type Ended } from '../support/spawn.ts';
import { spawn } from 'node:child_process';

const home = freshHome();
let api: Served;

before(async () => {
  api = await serveSandbox({ host: '127.0.0.1', port: 0, seed: 'keychain', version: '0', now: Date.now });
  // The program as it is built, but for its helper: this one is a keychain of its own and writes down how it is used.
  for (const file of ['bin', 'package.json', 'oclif.manifest.json'])
    cpSync(join(root, file), join(home.path, 'program', file), { recursive: true });
  mkdirSync(join(home.path, 'program', 'dist'));
  for (const file of readdirSync(join(root, 'dist')))
    if (file !== 'keychain-helper.js') symlinkSync(join(root, 'dist', file), join(home.path, 'program', 'dist', file));
  writeFileSync(join(home.path, 'program', 'dist', 'keychain-helper.js'), HELPER);
  writeFileSync(join(home.path, 'ring.json'), '{}');
});
after(async () => {
  await api.close();
  home[Symbol.dispose]();
});

const HELPER = `
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
const home = process.env.HOME, ring = home + '/ring.json';
process.stdin.on('close', () => process.exit());
process.stdin.setEncoding('utf8').on('data', (line) => {
  const kept = JSON.parse(readFileSync(ring, 'utf8'));
  const results = JSON.parse(line).operations.map((operation) => {
    appendFileSync(home + '/asked', operation.do + ' ' + operation.account + '\\n');
    if (operation.do === 'get') return kept[operation.account] ?? null;
    kept[operation.account] = operation.secret;
    return true;
  });
  writeFileSync(ring, JSON.stringify(kept));
  process.stdout.write(JSON.stringify({ results }) + '\\n');
});
appendFileSync(home + '/started', process.pid + '\\n');
`;

/** Runs the program, and says how its keychain was used. */
async function used(args: string[], input = ''): Promise<Ended & { helpers: number; asked: string[] }> {
  for (const name of ['started', 'asked']) rmSync(join(home.path, name), { force: true });
  const program = join(home.path, 'program', 'bin', 'run.js');
  const child = spawn(process.execPath, [program, ...args], { env: home.env, stdio: ['pipe', 'pipe', 'pipe'] });
  const ended = await finish(child, input);
  const lines = (name: string): string[] => {
    try {
      return readFileSync(join(home.path, name), 'utf8').trim().split('\n');
    } catch {
      return [];
    }
  };
  return { ...ended, helpers: lines('started').length, asked: lines('asked') };
}

test('one helper, asked once for token and secret; nobody else starts one', async () => {
  const where = ['--env', 'sandbox', '--api-base', api.url, '--client-id', 'cid_sbx_launch'];
  const signedIn = await used(['login', ...where, '--secret-stdin'], 'csk_sbx_launch\n');
  assert.deepEqual([signedIn.status, signedIn.helpers], [0, 1], signedIn.stderr);
  const asked = ['get sandbox/access_token', 'get sandbox/client_secret'];
  const listed = await used(['apps', 'list', '--json']);
  assert.equal(listed.status, 0, listed.stderr);
  assert.deepEqual([listed.helpers, listed.asked], [1, asked]);
  const created = await used(['apps', 'create', '--company', '16093826', '--field', 'id']);
  assert.equal(created.status, 0, created.stderr);
  assert.deepEqual([created.helpers, created.asked], [1, asked]);
  const other = await used(['profiles', 'list']);
  assert.deepEqual([other.status, other.helpers], [0, 0]);
});
