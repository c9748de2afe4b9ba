/** Secrets that end with the process. */

import type { Vault } from './vault.ts';

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
