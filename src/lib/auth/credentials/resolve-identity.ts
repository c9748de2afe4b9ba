/**
 * Which credentials, host and token URL are used (command-line.md#profiles-credentials-and-precedence): flag, then `CC_*`, then its
 * `CREDICORP_*` twin, then the directory pin, then the active profile, then `local` while an embedded sandbox is running. Pure: the result depends only on
 * the sources. Each value is returned with its source, so that `whoami` can explain it.
 */
import { createHash } from 'node:crypto';
import {
  assertCredentialFits,
  environmentOfHost,
  type Environment,
  environmentOfBase,
  originOf,
  parseBase,
  parseTokenUrl,
} from '../../contract/environments.ts';
import { usage, type Failure } from '../../failure.ts';
import type { Provider } from '../providers/provider.ts';
import {
  chooseCredential,
  chooseProfile,
  type Credential,
  readVariables,
  type Variables,
  vaultOf,
} from './choose-credential.ts';
import type { Identity, Sourced, Sources, VaultKind } from './client-identity.ts';
import type { Profile } from './profiles.ts';

/**
 * Resolves credential, host and token URL. Nothing is sent and no secret is fetched.
 * @throws Failure `usage` for contradictions and for a credential that does not fit the host; `auth` (`not_signed_in`).
 */
export function resolveIdentity(sources: Sources): Identity {
  const all = readVariables(sources.env);
  const chosen = chooseProfile(sources, all);
  const variables = chosen?.source.from === 'flag' ? behindFlag(all, sources, chosen.value) : all;
  const credential = chooseCredential(sources, variables, chosen);
  // A running sandbox is ignored for a credential that is not its own.
  const foreign = chosen?.source.from === 'sandbox' && credential.from === 'variable' && !credential.local;
  const profile = foreign ? null : chosen;
  const provider = sources.provider(profile?.value.provider ?? 'credicorp');
  assertProviders(credential, provider);
  const hosts = chooseHosts({ sources, variables, profile, provider, credential });
  assertHosts(credential, hosts, provider);
  return {
    profile: profile === null ? null : { value: profile.value.name, source: profile.source },
    provider,
    ...hosts,
    mode: provider.authentication === 'headers' ? 'headers' : credential.mode,
    clientId: credential.clientId,
    scopes: chooseScopes(sources, profile, credential),
    secret: credential.secret,
    credentialEnvironment: credential.environment,
    ...chooseVault(credential, hosts, profile, variables),
    webhookSecret:
      variables.webhookSecret === null
        ? null
        : { name: variables.webhookSecret.name, secret: variables.webhookSecret.value },
  };
}

/**
 * The variables that are still used when the profile is given by `--profile`, which takes precedence: only a secret for the same client
 * (set in a pipeline, for example).
 */
function behindFlag(variables: Variables, { flags }: Sources, profile: Profile): Variables {
  const { clientId } = variables;
  const same = profile.mode === 'oauth' && (clientId === null || clientId.value === profile.clientId);
  return {
    ...variables,
    base: null,
    tokenUrl: null,
    secretKey: null,
    clientId: same ? clientId : null,
    clientSecret: same || flags.clientId !== undefined ? variables.clientSecret : null,
  };
}

/** Refuses a credential with one provider's prefix for another provider. */
function assertProviders(credential: Credential, provider: Provider): void {
  if (credential.mode === 'secret_key' && !provider.secretKeys) {
    throw usage(`${provider.title} has no secret keys`, {
      code: 'provider_mismatch',
      next: 'use a client id and secret, or another profile with --profile',
    });
  }
  if (credential.from === 'variable' && credential.marker !== null && !provider.marked) {
    throw usage(`the credential in the environment variables does not belong to ${provider.title}`, {
      code: 'provider_mismatch',
      next: 'unset it, or choose the profile it belongs to with --profile',
    });
  }
}

/** Checks both hosts that receive the secret or its token (partner-api.md#hosts-and-environments). */
function assertHosts(credential: Credential, hosts: Hosts, provider: Provider): void {
  const { environment, tokenUrl } = hosts;
  if (environment.value === 'local' && tokenUrl !== null && environmentOfHost(tokenUrl.value) !== 'local') {
    throw usage(`the environment is local, and ${new URL(tokenUrl.value).host} is not on this machine`, {
      code: 'environment_mismatch',
      next: 'leave out the token URL, or choose a profile of the sandbox or of live with --profile',
    });
  }
  const environments = new Set([credential.environment, credential.marker]);
  // The embedded sandbox's credentials have the prefix of the sandbox, but only this machine may receive them.
  if (credential.local) environments.delete(credential.marker);
  for (const environment of environments) {
    assertCredentialFits(environment, hosts.base.value, hosts.environment.value, provider.hosts);
    // A separate authorisation server (partner-api.md#hosts-and-environments) is not a known host; it serves the environment of the base.
    if (hosts.tokenUrl !== null) {
      assertCredentialFits(environment, hosts.tokenUrl.value, hosts.environment.value, provider.hosts);
    }
  }
}

function chooseScopes(
  { flags }: Sources,
  profile: Sourced<Profile> | null,
  credential: Credential,
): Sourced<readonly string[]> {
  if (flags.scopes !== undefined) return { value: flags.scopes, source: { from: 'flag', name: '--scopes' } };
  const own = credential.from === 'profile' ? profile?.value.scopes : undefined;
  if (own !== undefined && profile !== null)
    return { value: own, source: { from: 'profile', name: profile.value.name } };
  return { value: [], source: { from: 'default', name: '' } };
}

/**
 * Where the token is stored. A profile's token stays with its secret. One minted from environment variables alone is kept in memory, unless it
 * is the embedded sandbox's: a pipeline must not wait for a keychain that it does not use.
 */
function chooseVault(
  credential: Credential,
  hosts: Hosts,
  profile: Sourced<Profile> | null,
  variables: Variables,
): { vault: VaultKind; account: string } {
  const keychain = variables.keychain?.value ?? null;
  const own = profile?.value;
  if (own !== undefined && credential.from === 'profile') {
    return { vault: credential.local ? 'local' : vaultOf(own, keychain), account: own.name };
  }
  const text = credential.clientId?.value ?? (credential.secret.where === 'variable' ? credential.secret.name : '');
  const account = `~${createHash('sha256').update(`${hosts.base.value}\n${text}`).digest('hex').slice(0, 16)}`;
  if (credential.local) return { vault: 'local', account };
  const same = own !== undefined && own.mode === 'oauth' && own.clientId === credential.clientId?.value;
  return { vault: keychain ?? (same ? vaultOf(own, keychain) : 'memory'), account };
}

export interface Hosts {
  base: Sourced<string>;
  tokenUrl: Sourced<string> | null;
  environment: Sourced<Environment>;
}

interface Known {
  sources: Sources;
  variables: Variables;
  profile: Sourced<Profile> | null;
  provider: Provider;
  credential: Credential;
}

/** Chooses base, environment and token URL. @throws Failure `usage` when no host is known, or when a pin names one that is not allowed. */
function chooseHosts(known: Known): Hosts {
  const base = chooseBase(known);
  return { base, tokenUrl: chooseTokenUrl(known, base.value), environment: chooseEnvironment(known, base) };
}

function chooseBase(known: Known): Sourced<string> {
  const { sources, variables, profile, credential } = known;
  const { flags } = sources;
  if (flags.base !== undefined) return { value: parseBase(flags.base), source: { from: 'flag', name: '--api-base' } };
  if (variables.base !== null) {
    return { value: variables.base.value, source: { from: 'variable', name: variables.base.name } };
  }
  const pin = applicablePin(known);
  if (pin?.base !== undefined) {
    assertPinnedBase(known, pin, pin.base);
    return { value: pin.base, source: { from: 'pin', name: pin.path } };
  }
  if (profile !== null && profile.source.from !== 'sandbox' && !isStranger(credential, profile.value)) {
    return { value: profile.value.base, source: { from: 'profile', name: profile.value.name } };
  }
  return baseOfCredential(known);
}

/**
 * True for a credential from environment variables that is not the embedded sandbox's own, with the profile that `sandbox start` saved.
 * It must not be sent to that profile's host: whatever listens on that port now would receive it.
 */
function isStranger(credential: Credential, profile: Profile): boolean {
  return credential.from === 'variable' && !credential.local && profile.store === 'local';
}

/** The base when no host is given: the running sandbox for its own credential, else by the credential's prefix (partner-api.md#conflicts). */
function baseOfCredential({ sources, provider, credential }: Known): Sourced<string> {
  const source = { from: 'default', name: '' } as const;
  const running = sources.runningSandbox;
  if (running !== null && (credential.from !== 'variable' || credential.local)) {
    return { value: running.base, source: { from: 'sandbox', name: '' } };
  }
  const environment = sources.flags.environment ?? (credential.local ? 'local' : credential.marker);
  const value = environment === null ? undefined : provider.bases[environment];
  if (value !== undefined) return { value, source };
  throw usage('the environment of the credential is not known, and no host is given', {
    code: 'no_environment',
    next: 'set CC_BASE, or save it as a profile: credicorp login --env sandbox',
  });
}

function chooseEnvironment({ sources, profile, provider }: Known, base: Sourced<string>): Sourced<Environment> {
  const { environment } = sources.flags;
  if (environment !== undefined) {
    const value = environmentOfBase(base.value, environment, provider.hosts);
    return { value, source: { from: 'flag', name: '--env' } };
  }
  // The environment in a profile applies to the profile's own host only.
  const own = profile !== null && originOf(profile.value.base) === originOf(base.value) ? profile.value : null;
  if (own !== null) {
    const value = environmentOfBase(base.value, own.environment, provider.hosts);
    return { value, source: { from: 'profile', name: own.name } };
  }
  return { value: environmentOfBase(base.value, null, provider.hosts), source: base.source };
}

function chooseTokenUrl(known: Known, base: string): Sourced<string> | null {
  const { sources, variables, profile } = known;
  const { flags } = sources;
  if (flags.tokenUrl !== undefined) {
    return { value: parseTokenUrl(flags.tokenUrl), source: { from: 'flag', name: '--token-url' } };
  }
  if (variables.tokenUrl !== null) {
    return { value: variables.tokenUrl.value, source: { from: 'variable', name: variables.tokenUrl.name } };
  }
  const pin = applicablePin(known);
  if (pin?.tokenUrl !== undefined) {
    const usual = known.provider.token === null ? null : base + known.provider.token.path;
    // Any other path of the same host may be one that shows, stores or passes on what it is sent.
    if (pin.tokenUrl !== profile?.value.tokenUrl && pin.tokenUrl !== usual)
      throw pinRefused(pin, pin.tokenUrl, profile);
    return { value: pin.tokenUrl, source: { from: 'pin', name: pin.path } };
  }
  const own = profile?.value.tokenUrl;
  if (profile === null || own === undefined) return null;
  return { value: own, source: { from: 'profile', name: profile.value.name } };
}

/** The pin, unless a flag or a variable chooses another profile: a pin's hosts are only used with its own profile. */
function applicablePin({ sources: { pin }, profile }: Known): Sources['pin'] {
  if (profile?.source.from === 'flag') return null;
  return pin?.profile === undefined || pin.profile === profile?.value.name ? pin : null;
}

/**
 * Refuses a pinned base unless the secret may be sent there: it is the profile's own base, or the running sandbox's for the sandbox's
 * public credential, or one of the provider's known hosts for a credential from environment variables.
 */
function assertPinnedBase(
  { sources, profile, provider, credential }: Known,
  pin: NonNullable<Sources['pin']>,
  base: string,
): void {
  if (profile !== null && base === profile.value.base) return;
  if (credential.local && base === sources.runningSandbox?.base) return;
  const known = environmentOfHost(base, provider.hosts);
  const usual = new URL(base).port === '';
  if (credential.from === 'variable' && usual && (known === 'sandbox' || known === 'live')) return;
  throw pinRefused(pin, base, profile);
}

function pinRefused(pin: NonNullable<Sources['pin']>, url: string, profile: Sourced<Profile> | null): Failure {
  const whose = profile === null ? 'the credential' : `the secret of profile ${profile.value.name}`;
  const { host, pathname } = new URL(url);
  return usage(
    `${pin.path} would send ${whose} to ${host}${pathname === '/' ? '' : pathname}, where it does not belong`,
    {
      code: 'pin_refused',
      next: 'remove the host from the file, or give it with --api-base or --token-url',
    },
  );
}
