/**
 * Where secrets are stored: the OS keychain, an encrypted file, the plain file of the embedded sandbox's public credentials, or memory.
 * Accounts are `<profile>/client_secret`, `<profile>/secret_key`, `<profile>/access_token`, `<profile>/webhook/<endpoint id>`.
 */
import type { VaultKind } from '../credentials/client-identity.ts';

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
