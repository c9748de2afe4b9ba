/**
 * Where secrets are stored: the OS keychain, an encrypted file, the plain file of the embedded sandbox's public credentials, or memory.
 * Accounts are `<profile>/client_secret`, `<profile>/secret_key`, `<profile>/access_token`, `<profile>/webhook/<endpoint id>`.
 */
import type { VaultKind } from '../credentials/client-identity.ts';

export interface Vault {
  readonly kind: VaultKind;
  /** Starts to fetch accounts that will be needed soon. Never throws; `get` then throws the failure. */
  prefetch(accounts: readonly string[]): void;
  /** The secret, null when nothing is stored. `fresh`: ignores a prefetched value and reads again. */
  get(account: string, options?: { fresh?: boolean }): Promise<string | null>;
  set(account: string, secret: string): Promise<void>;
  /** True when there was one. */
  remove(account: string): Promise<boolean>;
  /** Removes every account that begins with `prefix`. @returns how many there were */
  removeUnder(prefix: string): Promise<number>;
}
