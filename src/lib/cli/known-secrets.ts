/** The live secrets that pass through a session, so that they are taken by value out of everything it writes. */
import type { Identity } from '../auth/identity.ts';
import type { Vault } from '../auth/vault.ts';
import type { Context } from './context.ts';
import { during } from './progress.ts';

/** Those that the identity holds itself. What rests in a vault becomes known when it is read (`watched`). */
export function secretsOf({ secret, webhookSecret }: Identity): string[] {
  const own = secret.where === 'vault' ? [] : [secret.secret.reveal()];
  return webhookSecret === null ? own : [...own, webhookSecret.secret.reveal()];
}

/**
 * The same vault; `hide` is told what is read from it or written to it, before anybody can use it. What takes long shows, but for the
 * encrypted file, which asks for its passphrase.
 */
export function watched(vault: Vault, context: Pick<Context, 'stderr' | 'env'>, hide: (secret: string) => void): Vault {
  const shown = <T>(work: Promise<T>): Promise<T> =>
    vault.kind === 'os' ? during(context, 'waiting for the keychain', work) : work;
  // A token rests as a document; its token is told by whoever reads the document.
  const tell = (value: string): void => {
    if (!value.startsWith('{')) hide(value);
  };
  return {
    kind: vault.kind,
    prefetch: (accounts) => vault.prefetch(accounts),
    get: async (account, options) => {
      const value = await shown(vault.get(account, options));
      if (value !== null) tell(value);
      return value;
    },
    set: (account, secret) => {
      tell(secret);
      return shown(vault.set(account, secret));
    },
    remove: (account) => shown(vault.remove(account)),
    removeUnder: (prefix) => shown(vault.removeUnder(prefix)),
  };
}
