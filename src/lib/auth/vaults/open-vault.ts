/** Opens the vault of a kind: the OS keychain, the encrypted file, the plain file of the embedded sandbox, or memory. */
import { join } from 'node:path';
import type { VaultKind } from '../credentials/client-identity.ts';
import type { KeychainOptions } from '../keychain/keychain.ts';
import { fileVault } from './file-vault.ts';
import { localVault } from './local-vault.ts';
import { osVault } from './os-vault.ts';
import type { Vault } from './vault.ts';

export interface VaultPlaces {
  keychain: KeychainOptions;
  /** Folder of the vaults that are files. */
  folder: string;
  /** Asked at most once, and only when the encrypted file is opened. */
  passphrase: () => Promise<string>;
}

/** Opens a vault. Before its first use, nothing is read or started and the user is not asked for a passphrase. */
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

/** The path of a vault that is a file, as `whoami` shows it. */
export function vaultPath(kind: 'file' | 'local', folder: string): string {
  return join(folder, kind === 'file' ? 'secrets.enc.json' : 'local-sandbox.json');
}

export function memoryVault(): Vault {
  const secrets = new Map<string, string>();
  return {
    kind: 'memory',
    prefetch: () => undefined,
    get: async (account) => secrets.get(account) ?? null,
    set: async (account, secret) => void secrets.set(account, secret),
    remove: async (account) => secrets.delete(account),
    removeUnder: async (prefix) =>
      [...secrets.keys()].filter((account) => account.startsWith(prefix)).map((account) => secrets.delete(account))
        .length,
  };
}
