/** The live secrets that pass through a session, so that they are taken by value out of everything it writes. */
import type { Identity } from '../auth/identity.ts';
import type { Vault } from '../auth/vault.ts';

/** Those that the identity holds itself. What rests in a vault becomes known when it is read (`watched`). */
export function secretsOf({ secret, webhookSecret }: Identity): string[] {
  const own = secret.where === 'vault' ? [] : [secret.secret.reveal()];
  return webhookSecret === null ? own : [...own, webhookSecret.secret.reveal()];
}

/** The same vault; `hide` is told what is read from it or written to it, before anybody can use it. */
export function watched(vault: Vault, hide: (secret: string) => void): Vault {
  // A token rests as a document; its token is told by whoever reads the document.
  const tell = (value: string): void => {
    if (!value.startsWith('{')) hide(value);
  };
  return {
    kind: vault.kind,
    prefetch: (accounts) => vault.prefetch(accounts),
    get: async (account, options) => {
      const value = await vault.get(account, options);
      if (value !== null) tell(value);
      return value;
    },
    set: (account, secret) => {
      tell(secret);
      return vault.set(account, secret);
    },
    remove: (account) => vault.remove(account),
    removeUnder: (prefix) => vault.removeUnder(prefix),
  };
}
