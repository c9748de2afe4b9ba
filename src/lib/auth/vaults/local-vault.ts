/**
 * A plain file, mode 0600, for tokens and webhook secrets of the embedded sandbox, which give access only to a
 * server on this machine. It refuses any other client secret or key, so that none is stored in plain text.
 */
import { existsSync, renameSync } from 'node:fs';
import { dirname } from 'node:path';
import { Failure } from '../../failure.ts';
import { withLock } from '../../files/lock.ts';
import { readPrivate, writePrivate, makePrivateFolder } from '../../files/private-files.ts';
import { isLocalCredential } from '../credentials/profiles.ts';
import type { Vault } from './vault.ts';

/** Methods throw Failure `usage` when the file cannot be read or written. */
export function localVault(path: string): Vault {
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
