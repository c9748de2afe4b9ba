/** Secrets in the OS keychain. Every method throws the failures of `askKeychain`. */
import { createHelperPool } from '../keychain/helper-pool.ts';
import {
  askKeychain,
  type KeychainAnswer,
  type KeychainOptions,
  type KeychainOperation,
  type KeychainResult,
} from '../keychain/keychain.ts';
import type { Vault } from './vault.ts';

export function osVault(keychain: KeychainOptions): Vault {
  const options: KeychainOptions = { ...keychain, pool: createHelperPool() };
  /** Prefetched accounts: the request that fetches each, and its index in the answer. */
  const fetched = new Map<string, { answer: KeychainAnswer; index: number }>();
  const one = async (operation: KeychainOperation): Promise<KeychainResult> => {
    const [result = null] = await askKeychain([operation], options).results();
    return result;
  };
  return {
    kind: 'os',
    prefetch(accounts) {
      const answer = askKeychain(
        accounts.map((account) => ({ do: 'get', account })),
        options,
      );
      accounts.forEach((account, index) => fetched.set(account, { answer, index }));
    },
    async get(account, { fresh = false } = {}) {
      const prefetched = fresh ? undefined : fetched.get(account);
      const found = prefetched
        ? (await prefetched.answer.results())[prefetched.index]
        : await one({ do: 'get', account });
      return typeof found === 'string' ? found : null;
    },
    async set(account, secret) {
      fetched.delete(account);
      await one({ do: 'set', account, secret });
    },
    async remove(account) {
      fetched.delete(account);
      return (await one({ do: 'remove', account })) === true;
    },
    async removeUnder(prefix) {
      fetched.clear();
      return Number(await one({ do: 'remove_under', prefix }));
    },
  };
}
