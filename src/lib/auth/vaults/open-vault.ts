/** Opens the vault of a kind: the OS keychain, the encrypted file, the plain file of the embedded sandbox, or memory; the last two are here. */
import { existsSync, renameSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Failure } from '../../failure.ts';
import { withLock } from '../../files/lock.ts';
import { readPrivate, writePrivate, makePrivateFolder } from '../../files/private-files.ts';
import type { VaultKind } from '../credentials/client-identity.ts';
import { isLocalCredential } from '../credentials/profiles.ts';
import type { KeychainOptions } from '../keychain/keychain.ts';
import { fileVault } from './file-vault.ts';
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

/**
 * A plain file, mode 0600, for tokens and webhook secrets of the embedded sandbox, which give access only to a
 * server on this machine. It refuses any other client secret or key, so that none is stored in plain text.
 * Methods throw Failure `usage` when the file cannot be read or written.
 */
function localVault(path: string): Vault {
  const change = async <T>(act: (secrets: Map<string, string>) => T): Promise<T> => {
    makePrivateFolder(dirname(path));
    return withLock(`${path}.lock`, { patienceMs: 5000 }, async () => {
      const secrets = read(path);
      const before = JSON.stringify([...secrets]);
      const result = act(secrets);
      if (JSON.stringify([...secrets]) !== before) {
        if (isDamaged(path)) setAside(path);
        writePrivate(path, `${JSON.stringify(Object.fromEntries(secrets), undefined, 2)}\n`);
      }
      return result;
    });
  };
  return {
    kind: 'local',
    prefetch: () => undefined,
    get: async (account) => read(path).get(account) ?? null,
    async set(account, secret) {
      if (/\/(?:client_secret|secret_key)$/.test(account) && !isLocalCredential(secret)) {
        throw new Failure('bug', 'a secret must not be stored in plain text', { code: 'plain_secret' });
      }
      await change((secrets) => secrets.set(account, secret));
    },
    remove: (account) => change((secrets) => secrets.delete(account)),
    removeUnder: (prefix) =>
      change((secrets) => {
        const under = [...secrets.keys()].filter((account) => account.startsWith(prefix));
        for (const account of under) secrets.delete(account);
        return under.length;
      }),
  };
}

/** Reads the file. A damaged file is treated as empty, and is renamed before the first write. */
function read(path: string): Map<string, string> {
  const secrets = new Map<string, string>();
  const text = readPrivate(path);
  if (text === null) return secrets;
  try {
    const document: unknown = JSON.parse(text);
    if (typeof document !== 'object' || document === null) return secrets;
    for (const [account, secret] of Object.entries(document)) {
      if (typeof secret === 'string') secrets.set(account, secret);
    }
  } catch {
    return secrets;
  }
  return secrets;
}

function isDamaged(path: string): boolean {
  const text = readPrivate(path);
  if (text === null) return false;
  try {
    const document: unknown = JSON.parse(text);
    return typeof document !== 'object' || document === null;
  } catch {
    return true;
  }
}

/** Renames a damaged file to the first free name, because the user may still need its content. */
function setAside(path: string): void {
  for (let n = 1; n < 1000; n += 1) {
    if (existsSync(`${path}.corrupt-${n}`)) continue;
    renameSync(path, `${path}.corrupt-${n}`);
    return;
  }
}
