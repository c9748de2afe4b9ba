/** Who the program acts as, and what that was decided from: types only. */
import type { Environment } from '../../contract/environments.ts';
import type { Secret } from '../../contract/secrets.ts';
import type { Provider } from '../providers/provider.ts';
import type { Pin } from './directory-pin.ts';
import type { Config, SecretStore } from './profiles.ts';

/** Where a value came from. `name` is the flag, the variable, the pin's path or the profile; empty where there is nothing to name. */
export interface Source {
  from: 'flag' | 'variable' | 'pin' | 'profile' | 'sandbox' | 'default';
  name: string;
}

export interface Sourced<T> {
  value: T;
  source: Source;
}

/** What was said on the command line. Bases and token URLs may be in any spelling `parseBase` reads. */
export interface Flags {
  profile?: string;
  base?: string;
  tokenUrl?: string;
  clientId?: string;
  environment?: Environment;
  scopes?: readonly string[];
}

/** Everything that may say who I am. */
export interface Sources {
  flags: Flags;
  env: Readonly<Record<string, string | undefined>>;
  pin: Pin | null;
  config: Config;
  /** The embedded sandbox that runs now. */
  runningSandbox: { base: string } | null;
  provider: (name: string) => Provider;
}

/** Where the secret is stored. */
export type SecretPlace =
  | { where: 'variable'; name: string; secret: Secret }
  | { where: 'vault'; store: VaultKind; account: string }
  | { where: 'built_in'; secret: Secret };

export type VaultKind = SecretStore | 'memory';

export interface Identity {
  /** The profile in use, null when the environment variables say everything. */
  profile: Sourced<string> | null;
  provider: Provider;
  environment: Sourced<Environment>;
  base: Sourced<string>;
  /** null: discovery and the provider's default decide. */
  tokenUrl: Sourced<string> | null;
  /** `headers`: id and secret travel on each call, there is no token. */
  mode: 'oauth' | 'secret_key' | 'headers';
  /** null with a secret key. */
  clientId: Sourced<string> | null;
  /** Empty: whatever the client is granted (partner-api.md#scopes). */
  scopes: Sourced<readonly string[]>;
  secret: SecretPlace;
  /** The environment the credential was issued for: its marker, else what its profile says; null when nobody says. */
  credentialEnvironment: Environment | null;
  /** Where the access token is kept, and under which account name's beginning (`<account>/access_token`). */
  vault: VaultKind;
  account: string;
  /** From a variable; a profile's own webhook secrets are in its vault. */
  webhookSecret: { name: string; secret: Secret } | null;
}
