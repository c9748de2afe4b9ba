/** Types for the identity of the client (credential, host, token URL) and for the sources that it is resolved from. */
import type { Environment } from '../../contract/environments.ts';
import type { Secret } from '../../contract/secrets.ts';
import type { Provider } from '../providers/provider.ts';
import type { Pin } from './directory-pin.ts';
import type { Config, SecretStore } from './profiles.ts';

/** Where a value came from. `name` is the flag, the variable, the pin's path or the profile; empty for a default. */
export interface Source {
  from: 'flag' | 'variable' | 'pin' | 'profile' | 'sandbox' | 'default';
  name: string;
}

export interface Sourced<T> {
  value: T;
  source: Source;
}

/** Values from the command line. Bases and token URLs may have any spelling that `parseBase` accepts. */
export interface Flags {
  profile?: string;
  base?: string;
  tokenUrl?: string;
  clientId?: string;
  environment?: Environment;
  scopes?: readonly string[];
}

/** Everything that the identity is resolved from. */
export interface Sources {
  flags: Flags;
  env: Readonly<Record<string, string | undefined>>;
  pin: Pick<Pin, 'path' | 'profile' | 'base' | 'tokenUrl'> | null;
  config: Config;
  /** The embedded sandbox that is running; null for none. */
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
  /** The profile in use; null when everything comes from environment variables. */
  profile: Sourced<string> | null;
  provider: Provider;
  environment: Sourced<Environment>;
  base: Sourced<string>;
  /** null: found by discovery, else the provider's default. */
  tokenUrl: Sourced<string> | null;
  /** `headers`: id and secret are sent with each call, and there is no token. */
  mode: 'oauth' | 'secret_key' | 'headers';
  /** null with a secret key. */
  clientId: Sourced<string> | null;
  /** Empty: all scopes that the client is granted (partner-api.md#scopes). */
  scopes: Sourced<readonly string[]>;
  secret: SecretPlace;
  /** The environment the credential was issued for: from its prefix, else from its profile; null when neither names one. */
  credentialEnvironment: Environment | null;
  /** Where the access token is stored, and the prefix of its account name (`<account>/access_token`). */
  vault: VaultKind;
  account: string;
  /** The webhook secret from an environment variable; a profile's own webhook secrets are in its vault. */
  webhookSecret: { name: string; secret: Secret } | null;
}
