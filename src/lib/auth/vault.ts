/**
 * Where secrets rest: the OS keychain, an encrypted file, the plain file of the embedded sandbox's public credentials, or memory.
 * Accounts are `<profile>/client_secret`, `<profile>/secret_key`, `<profile>/access_token`, `<profile>/webhook/<endpoint id>`.
 */

import { join } from 'node:path';
import { fileVault } from './file-vault.ts';
import type { VaultKind } from './identity.ts';
import { localVault } from './local-vault.ts';
import { memoryVault } from './memory-vault.ts';
import { osVault, type OsVaultOptions } from './os-vault.ts';

export interface Vault {
  readonly kind: VaultKind;
  /** Begins to fetch what will be asked for, while the program does something else. Fails in silence: `get` tells. */
  prefetch(accounts: readonly string[]): void;
  /** The secret, null when nothing is stored. `fresh`: not what was fetched before, but what stands there now. */
  get(account: string, options?: { fresh?: boolean }): Promise<string | null>;
  set(account: string, secret: string): Promise<void>;
  /** True when there was one. */
  remove(account: string): Promise<boolean>;
  /** Removes every account that begins with `prefix`; how many there were. */
  removeUnder(prefix: string): Promise<number>;
}

export interface VaultPlaces {
  keychain: OsVaultOptions;
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
