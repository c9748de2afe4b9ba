import assert from 'node:assert/strict';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { VaultKind } from '../../src/lib/auth/credentials/client-identity.ts';
import { fileVault } from '../../src/lib/auth/vaults/file-vault.ts';
import { openVault, vaultPath } from '../../src/lib/auth/vaults/open-vault.ts';
import type { Vault } from '../../src/lib/auth/vaults/vault.ts';
import { Failure } from '../../src/lib/failure.ts';
import { freshFolder } from '../support/folder.ts';

const newFolder = () => join(freshFolder(), 'state');
const failure = (kind: string, code: string) => (error: unknown) =>
  error instanceof Failure && error.kind === kind && error.facts.code === code;

/** The encrypted file with a cheap key, unless a test is about the real one. */
function open(kind: VaultKind, folder: string, passphrase: string | (() => Promise<string>) = 'correct horse'): Vault {
  const ask = typeof passphrase === 'string' ? async () => passphrase : passphrase;
  if (kind === 'file') return fileVault(vaultPath('file', folder), ask, { N: 2, r: 8, p: 1 });
  return openVault(kind, { keychain: { command: ['/nonexistent'], env: {} }, folder, passphrase: ask });
}

for (const kind of ['memory', 'local', 'file'] as const) {
  describe(`the ${kind} vault`, () => {
    it('keeps, gives and forgets', async () => {
      const folder = newFolder();
      const vault = open(kind, folder);
      assert.equal(vault.kind, kind);
      assert.equal(await vault.get('a/access_token'), null);
      assert.equal(await vault.remove('a/access_token'), false);
      assert.equal(await vault.removeUnder('a/'), 0);
      await vault.set('a/access_token', 'one "ü" \n two');
      await vault.set('a/webhook/whend_1', 'whsec_1');
      await vault.set('ab/access_token', 'other');
      const again = kind === 'memory' ? vault : open(kind, folder);
      assert.equal(await again.get('a/access_token'), 'one "ü" \n two');
      await again.set('a/access_token', 'new');
      assert.equal(await vault.get('a/access_token', { fresh: true }), 'new');
      assert.equal(await again.remove('a/access_token'), true);
      assert.equal(await again.removeUnder('a/'), 1);
      assert.equal(await again.get('a/webhook/whend_1'), null);
      assert.equal(await again.get('ab/access_token'), 'other');
      vault.prefetch(['ab/access_token']);
    });
  });
}

for (const kind of ['local', 'file'] as const) {
  describe(`the ${kind} vault's file`, () => {
    it('is private', { skip: process.platform === 'win32' }, async () => {
      const folder = newFolder();
      await open(kind, folder).set('a/access_token', 'x');
      assert.equal(statSync(vaultPath(kind, folder)).mode & 0o777, 0o600);
      assert.equal(statSync(folder).mode & 0o777, 0o700);
    });
    it('loses nothing when many write at once', async () => {
      const folder = newFolder();
      const names = Array.from({ length: 8 }, (_, index) => `p${index}/access_token`);
      await Promise.all(names.map((name) => open(kind, folder).set(name, name)));
      for (const name of names) assert.equal(await open(kind, folder).get(name), name);
    });
  });
}

describe('the encrypted file', () => {
  it('shows neither secrets nor accounts', async () => {
    const folder = newFolder();
    await open('file', folder).set('acme/client_secret', 'csk_sbx_visible');
    const text = readFileSync(vaultPath('file', folder), 'utf8');
    assert.ok(!text.includes('visible') && !text.includes('acme'));
    assert.ok(
      !Buffer.from((JSON.parse(text) as { data: string }).data, 'base64')
        .toString('latin1')
        .includes('acme'),
    );
  });

  it('makes guessing the passphrase cost something', async () => {
    const folder = newFolder();
    const places = { keychain: { command: ['/nonexistent'] as const, env: {} }, folder, passphrase: async () => 'p' };
    await openVault('file', places).set('a/client_secret', 'x');
    const { kdf } = JSON.parse(readFileSync(vaultPath('file', folder), 'utf8')) as {
      kdf: Record<'N' | 'r' | 'p', number>;
    };
    assert.ok(kdf.N * kdf.r * kdf.p >= 2 ** 15 * 8 * 3);
    assert.equal(await openVault('file', places).get('a/client_secret'), 'x');
  });

  it('opens for its passphrase only, and is not written over by another', async () => {
    const folder = newFolder();
    await open('file', folder).set('a/client_secret', 'x');
    const before = readFileSync(vaultPath('file', folder), 'utf8');
    await assert.rejects(open('file', folder, 'wrong').get('a/client_secret'), failure('auth', 'wrong_passphrase'));
    await assert.rejects(
      open('file', folder, 'wrong').set('a/client_secret', 'y'),
      failure('auth', 'wrong_passphrase'),
    );
    await assert.rejects(open('file', folder, '').get('a/client_secret'), failure('usage', 'no_passphrase'));
    assert.equal(readFileSync(vaultPath('file', folder), 'utf8'), before);
  });

  it('is the same passphrase however the keyboard composes it', async () => {
    const folder = newFolder();
    await open('file', folder, 'caf\u00e9').set('a/client_secret', 'x');
    assert.equal(await open('file', folder, 'cafe\u0301').get('a/client_secret'), 'x');
  });

  it('asks for the passphrase once, and not at all while there is no file', async () => {
    const folder = newFolder();
    let asked = 0;
    const vault = open('file', folder, async () => {
      asked += 1;
      return 'p';
    });
    await vault.get('a/client_secret');
    await vault.removeUnder('a/');
    assert.equal(asked, 0);
    await vault.set('a/client_secret', 'x');
    await vault.get('a/client_secret');
    await vault.remove('a/client_secret');
    assert.equal(asked, 1);
  });

  it('notices every change to it', async () => {
    const folder = newFolder();
    const path = vaultPath('file', folder);
    await open('file', folder).set('a/client_secret', 'x');
    const sealed = JSON.parse(readFileSync(path, 'utf8')) as Record<'iv' | 'tag' | 'data', string> & { kdf: object };
    const changed = [
      { ...sealed, iv: flipped(sealed.iv) },
      { ...sealed, tag: flipped(sealed.tag) },
      { ...sealed, tag: '' },
      { ...sealed, data: flipped(sealed.data) },
      { ...sealed, data: '' },
      { ...sealed, kdf: { ...sealed.kdf, p: 2 } },
    ];
    for (const document of changed) {
      writeFileSync(path, JSON.stringify(document));
      await assert.rejects(open('file', folder).get('a/client_secret'), failure('auth', 'wrong_passphrase'));
    }
  });

  for (const [what, kdf] of Object.entries({
    'that fills the memory': { N: 2 ** 20, r: 8, p: 1, salt: '' },
    'that runs for minutes': { N: 2 ** 15, r: 8, p: 100_000, salt: '' },
    'that is no power of two': { N: 1000, r: 8, p: 1, salt: '' },
    'that is missing': null,
  })) {
    it(`refuses a key derivation ${what}`, async () => {
      const folder = newFolder();
      await open('file', folder).set('a/client_secret', 'x');
      const sealed = JSON.parse(readFileSync(vaultPath('file', folder), 'utf8')) as object;
      const text = JSON.stringify({ ...sealed, kdf });
      writeFileSync(vaultPath('file', folder), text);
      await assert.rejects(open('file', folder).get('a/client_secret'), failure('usage', 'store_corrupt'));
      await assert.rejects(open('file', folder).set('a/client_secret', 'y'), failure('usage', 'store_corrupt'));
      assert.equal(readFileSync(vaultPath('file', folder), 'utf8'), text);
    });
  }
});

describe('the plain file', () => {
  it('takes no secret but the public ones', async () => {
    const vault = open('local', newFolder());
    await vault.set('local/client_secret', 'csk_sbx_local');
    await assert.rejects(vault.set('a/client_secret', 'csk_sbx_mine'), failure('bug', 'plain_secret'));
    await assert.rejects(vault.set('a/secret_key', 'sk_test_mine'), failure('bug', 'plain_secret'));
  });
  it('is empty when damaged', async () => {
    const folder = newFolder();
    const vault = open('local', folder);
    await vault.set('a/access_token', 'x');
    writeFileSync(vaultPath('local', folder), '{"a/access_to');
    assert.equal(await vault.get('a/access_token'), null);
    await vault.set('a/access_token', 'y');
    assert.equal(await vault.get('a/access_token'), 'y');
  });
});

/** The same bytes but for one bit. */
function flipped(text: string): string {
  const bytes = Buffer.from(text, 'base64');
  bytes.writeUInt8((bytes[0] ?? 0) ^ 1, 0);
  return bytes.toString('base64');
}
