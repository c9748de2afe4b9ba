/** Signs in and out. A credential is checked against the API before it is stored; signing out removes it completely. */
import { assertCredentialFits, environmentOfBase, environmentOfCredential } from '../contract/environments.ts';
import type { Send } from '../contract/exchange.ts';
import { Failure, usage } from '../failure.ts';
import type { Identity } from './credentials/client-identity.ts';
import { Secret } from '../contract/secrets.ts';
import {
  isLocalCredential,
  assertProfileName,
  findProfile,
  type Profile,
  readConfig,
  type SecretStore,
  updateConfig,
  withoutProfile,
  withProfile,
} from './credentials/profiles.ts';
import type { Provider } from './providers/provider.ts';
import { tokenAccount, type TokenEntry, writeEntry } from './token/access-token.ts';
import { mint } from './token/mint.ts';
import type { Vault } from './vaults/vault.ts';

export interface SignInOptions {
  /** The profile to be stored. Base and token URL are already normalised by `parseBase` and `parseTokenUrl`. */
  profile: Profile;
  secret: string;
  provider: Provider;
  configFolder: string;
  vault: (store: SecretStore) => Vault;
  send: Send;
  /** Milliseconds since the epoch. */
  now: () => number;
  notice: (text: string) => void;
  /** Makes it the active profile even when another profile is active. */
  activate: boolean;
  /** When the profile moves to another store, the copy in the old store is kept. The profile lists it, and signing out removes it too. */
  keepFormer?: boolean;
  /** Checks a credential for which no token is minted (secret key, header credentials) by a harmless call that needs a valid one. */
  prove: (identity: Identity, secret: string) => Promise<void>;
  signal?: AbortSignal;
}

export interface SignedIn {
  profile: Profile;
  active: boolean;
  /** The minted token; null where none is minted. */
  token: TokenEntry | null;
  /** False for the embedded sandbox's public credential, which is built in and needs no storage. */
  secretStored: boolean;
  /** The store that the profile moved from, and whether its copy there was removed; null when it did not move. */
  former: { store: SecretStore; removed: boolean } | null;
}

/**
 * Checks the credential, then stores secret, token and profile, in this order, so that a listed profile always works.
 * @throws Failure `usage` for a credential that does not fit its host, `auth` when it is rejected or cannot be stored.
 */
export async function signIn(options: SignInOptions): Promise<SignedIn> {
  const { secret, configFolder, vault } = options;
  assertSound(options);
  const identity = provingIdentity(options);
  // Read before anything is sent: a damaged file should not cost a mint.
  const former = findProfile(readConfig(configFolder), options.profile.name);
  const token = await proved(options, identity);
  const profile = withKept(options, former);
  const isPublic = profile.store === 'local';
  const store = vault(profile.store);
  if (!isPublic) await store.set(secretAccount(profile), secret);
  if (token !== null) await store.set(tokenAccount(identity), writeEntry(token));
  const config = await saved({ ...options, profile }, store, former);
  const moved = await forgetFormer(former, options);
  return { profile, active: config.active === profile.name, token, secretStored: !isPublic, former: moved };
}

/**
 * Removes a profile: its secret, tokens and webhook secrets from every store, then the profile itself.
 * @returns how many secrets were removed @throws Failure when a vault cannot be opened; the profile then stays.
 */
export async function signOut(
  profile: Profile,
  options: { vault: (store: SecretStore) => Vault; configFolder: string; keepProfile?: boolean },
): Promise<number> {
  let removed = 0;
  for (const store of new Set([profile.store, ...(profile.keptIn ?? [])])) {
    removed += await options.vault(store).removeUnder(`${profile.name}/`);
  }
  if (options.keepProfile !== true)
    await updateConfig(options.configFolder, (old) => withoutProfile(old, profile.name));
  return removed;
}

function assertSound({ profile, secret, provider }: SignInOptions): void {
  assertProfileName(profile.name);
  environmentOfBase(profile.base, profile.environment, provider.hosts);
  if (secret === '' || /[\p{Cc}\s]/u.test(secret)) {
    throw usage('the secret is empty or contains white space', { code: 'bad_secret', next: 'copy it again' });
  }
  if (profile.mode === 'secret_key' && !provider.secretKeys) {
    throw usage(`${provider.title} has no secret keys`, {
      code: 'provider_mismatch',
      next: 'use a client id and secret',
    });
  }
  if (profile.mode === 'oauth' && profile.clientId === undefined) {
    throw usage('client credentials need a client id', {
      code: 'incomplete_credential',
      param: '--client-id',
      next: 'give --client-id',
    });
  }
  const local = isLocalCredential(secret);
  if (profile.store === 'local' && !local) {
    throw usage("only the embedded sandbox's public credential can be stored in the plain file", {
      code: 'bad_store',
      next: 'use --store os or --store file',
    });
  }
  for (const text of [profile.clientId ?? '', secret]) {
    const marker = local ? 'local' : environmentOfCredential(text);
    for (const url of [profile.base, ...(profile.tokenUrl === undefined ? [] : [profile.tokenUrl])]) {
      assertCredentialFits(marker ?? profile.environment, url, profile.environment, provider.hosts);
    }
  }
}

/** The identity of the new profile, with its secret that is not stored yet, to check the credential. */
export function provingIdentity({
  profile,
  secret,
  provider,
}: Pick<SignInOptions, 'profile' | 'secret' | 'provider'>): Identity {
  const source = { from: 'profile', name: profile.name } as const;
  const sourced = <T>(value: T) => ({ value, source });
  const local = profile.store === 'local';
  return {
    profile: sourced(profile.name),
    provider,
    environment: sourced(profile.environment),
    base: sourced(profile.base),
    tokenUrl: profile.tokenUrl === undefined ? null : sourced(profile.tokenUrl),
    mode: provider.authentication === 'headers' ? 'headers' : profile.mode,
    clientId: profile.clientId === undefined ? null : sourced(profile.clientId),
    scopes: sourced(profile.scopes ?? []),
    secret: local
      ? { where: 'built_in', secret: new Secret(secret) }
      : { where: 'variable', name: '', secret: new Secret(secret) },
    credentialEnvironment: profile.environment,
    vault: profile.store,
    account: profile.name,
    webhookSecret: null,
  };
}

async function proved(options: SignInOptions, identity: Identity): Promise<TokenEntry | null> {
  const { secret, now, prove } = options;
  if (identity.mode !== 'oauth') {
    await prove(identity, secret);
    return null;
  }
  const minted = await mint({ ...options, identity });
  const { base, clientId, scopes } = identity;
  return { ...minted, base: base.value, clientId: clientId?.value ?? '', scopes: [...scopes.value], mintedAt: now() };
}

/** Saves the profile. If a new profile cannot be saved, its secret is removed again. */
async function saved({ profile, configFolder, activate }: SignInOptions, store: Vault, former: Profile | null) {
  try {
    return await updateConfig(configFolder, (old) => withProfile(old, profile, activate));
  } catch (error) {
    if (former === null) await store.removeUnder(`${profile.name}/`).catch(() => undefined);
    throw error;
  }
}

/** The profile with the list of other stores that keep a copy of its secret, now or from earlier moves. */
function withKept({ profile, keepFormer }: SignInOptions, former: Profile | null): Profile {
  const kept = new Set(former?.keptIn ?? []);
  if (keepFormer === true && former !== null) kept.add(former.store);
  kept.delete(profile.store);
  return kept.size === 0 ? profile : { ...profile, keptIn: [...kept] };
}

/** Removes the copy in the old store when a profile moved to another store, unless `keepFormer` is set. */
async function forgetFormer(
  former: Profile | null,
  { profile, vault, notice, keepFormer }: SignInOptions,
): Promise<SignedIn['former']> {
  if (former === null || former.store === profile.store) return null;
  if (keepFormer === true) return { store: former.store, removed: false };
  try {
    await vault(former.store).removeUnder(`${former.name}/`);
    return { store: former.store, removed: true };
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    notice(`the old copy in the other store (${former.store}) could not be removed; remove it there by hand`);
    return { store: former.store, removed: false };
  }
}

function secretAccount(profile: Profile): string {
  return `${profile.name}/${profile.mode === 'oauth' ? 'client_secret' : 'secret_key'}`;
}
