import assert from 'node:assert/strict';
import { test } from 'node:test';
import { memoryVault } from '../../src/lib/auth/vaults/open-vault.ts';
import type { Vault } from '../../src/lib/auth/vaults/vault.ts';
import { withHiding } from '../../src/lib/cli/session.ts';
import { Failure } from '../../src/lib/failure.ts';

test('what is read from a vault or written to it is known before anybody can use it', async () => {
  const known: string[] = [];
  const inner = memoryVault();
  await inner.set('live/client_secret', 'csk_live_1');
  const vault = withHiding(
    inner,
    { stderr: process.stderr, env: {}, signal: new AbortController().signal },
    (secret) => void known.push(secret),
  );
  assert.equal(await vault.get('live/client_secret'), 'csk_live_1');
  await vault.set('live/webhook/we_1', 'whsec_1');
  await vault.set('live/access_token', '{"token":"t"}');
  assert.equal(await vault.get('nobody/secret_key'), null);
  assert.deepEqual(known, ['csk_live_1', 'whsec_1']);
  assert.equal(vault.kind, 'memory');
  assert.deepEqual([await vault.remove('live/access_token'), await vault.removeUnder('live/')], [true, 2]);
});

test('a keychain that does not answer keeps nobody who wants to stop', async () => {
  const controller = new AbortController();
  const silent: Vault = { ...memoryVault(), kind: 'os', get: () => new Promise(() => undefined) };
  const vault = withHiding(silent, { stderr: process.stderr, env: {}, signal: controller.signal }, () => undefined);
  const asked = vault.get('live/client_secret');
  controller.abort('SIGINT');
  await assert.rejects(asked, (error: unknown) => error instanceof Failure && error.kind === 'interrupted');
  const tidying = withHiding(
    { ...silent, remove: async () => true },
    { stderr: process.stderr, env: {}, signal: controller.signal },
    () => undefined,
  );
  assert.equal(await tidying.remove('live/webhook/we_1'), true, 'what is tidied up after the stop is done');
});
