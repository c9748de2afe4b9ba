/** Which vault is which: the one place that knows all four. */
import { join } from 'node:path';
import { fileVault } from './file-vault.ts';
import type { VaultKind } from './identity.ts';
import { localVault } from './local-vault.ts';
import { memoryVault } from './memory-vault.ts';
import type { KeychainOptions } from './keychain.ts';
import { osVault } from './os-vault.ts';
import type { Vault } from './vault.ts';

export interface VaultPlaces {
  keychain: KeychainOptions;
  /** Folder of the files. */
  folder: string;
  /** Asked at most once, and only when the encrypted file is opened. */
  passphrase: () => Promise<string>;
}

/** Opens a vault. Nothing is read, started or asked before its first use. */
export function openVault(kind: VaultKind, places: VaultPlaces): Vault {
  switch (kind) {
    case 'os':
      return osVault(places.keychain);
    case 'file':
      return fileVault(vaultPath('file', places.folder), places.passphrase);
    case 'local':
      return localVault(vaultPath('local', places.folder));
    case 'memory':
      return memoryVault();
  }
}

/** Where a vault that is a file lies, for `whoami` to say. */
export function vaultPath(kind: 'file' | 'local', folder: string): string {
  return join(folder, kind === 'file' ? 'secrets.enc.json' : 'local-sandbox.json');
}
