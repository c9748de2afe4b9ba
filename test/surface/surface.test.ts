/** The recorded surface: what changes here changes for users, and is recorded on purpose with `npm run surface`. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Surface, surface, surfaceFile, withTable } from '../../scripts/surface.ts';
import { readManifest } from '../../src/lib/cli/manifest.ts';
import { root } from '../support/spawn.ts';

const recorded = JSON.parse(readFileSync(surfaceFile(), 'utf8')) as Surface;
const now = await surface();

for (const part of ['commands', 'variables', 'statuses', 'resources', 'error', 'documents'] as const) {
  test(`${part} are as recorded, or: npm run surface`, () => {
    assert.deepEqual(JSON.parse(JSON.stringify(now[part])), recorded[part]);
  });
}

test('the record knows what it should', () => {
  assert.ok(Object.keys(recorded.commands).length > 40);
  for (const name of [
    'CC_CLIENT_SECRET',
    'CREDICORP_CLIENT_SECRET',
    'CC_BASE',
    'CREDICORP_PROFILE',
    'CREDICORP_STATE_DIR',
  ])
    assert.ok(recorded.variables.includes(name), name);
  assert.equal(recorded.statuses['unmet'], 9);
});

test('every command says with which lines its JSON is recorded', async () => {
  for (const { id, recorded: lines } of Object.values(await readManifest(root))) {
    assert.ok(lines, `${id} has no static \`recorded\``);
    const name = id.replaceAll(':', ' ');
    for (const { args = '' } of lines) assert.ok(`${name} ${args}`.trim() in recorded.documents, `${name} ${args}`);
  }
});

test('the README’s table of commands is the recorded one', () => {
  const readme = readFileSync(join(root, 'README.md'), 'utf8');
  assert.equal(readme, withTable(readme, recorded));
});
