import assert from 'node:assert/strict';
import { test } from 'node:test';
import { memoryVault } from '../../src/lib/auth/memory-vault.ts';
import { watched } from '../../src/lib/cli/known-secrets.ts';

test('what is read from a vault or written to it is known before anybody can use it', async () => {
  const known: string[] = [];
  const inner = memoryVault();
  await inner.set('live/client_secret', 'csk_live_1');
  const vault = watched(inner, { stderr: process.stderr, env: {} }, (secret) => void known.push(secret));
  assert.equal(await vault.get('live/client_secret'), 'csk_live_1');
  await vault.set('live/webhook/we_1', 'whsec_1');
  await vault.set('live/access_token', '{"token":"t"}');
  assert.equal(await vault.get('nobody/secret_key'), null);
  assert.deepEqual(known, ['csk_live_1', 'whsec_1']);
  assert.equal(vault.kind, 'memory');
  assert.deepEqual([await vault.remove('live/access_token'), await vault.removeUnder('live/')], [true, 2]);
});
