/**
 * Which credentials count (command-line.md#profiles-credentials-and-precedence): flag, then `CC_*`, then its `CREDICORP_*` twin, then the directory pin, then
 * the active profile, then `local` while an embedded sandbox runs. Pure: the same sources give the same answer, each value with
 * the place it came from, so that `whoami` can explain and a test can walk every pair.
 */

import { createHash } from 'node:crypto';
import { assertCredentialFits, environmentOfHost } from '../contract/environments.ts';
import { usage } from '../failure.ts';
import { chooseCredential, type Credential, vaultOf } from './choose-credential.ts';
import { chooseHosts, type Hosts } from './choose-hosts.ts';
import { chooseProfile } from './choose-profile.ts';
import type { Identity, Sourced, Sources, VaultKind } from './identity.ts';
import type { Profile } from './profiles.ts';
import type { Provider } from './providers/shape.ts';
import { readVariables, type Variables } from './variables.ts';

/**
 * Decides who the program acts as. Nothing is sent and no secret is fetched.
 * @throws Failure `usage` for contradictions and for a credential that does not fit the host; `auth` (`not_signed_in`).
 */
export function resolveIdentity(sources: Sources): Identity {
  const all = readVariables(sources.env);
  const chosen = chooseProfile(sources, all);
  const variables = chosen?.source.from === 'flag' ? behindFlag(all, sources, chosen.value) : all;
  const credential = chooseCredential(sources, variables, chosen);
  // A sandbox that happens to run says nothing about a credential that is not its own.
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
 * What is left of the environment when the profile was named by a flag, which comes first: whoever types `--profile` means that
 * account on its host. Only a secret for this very client (a pipeline's, say) still counts.
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

/** A credential with one provider's marker is not shown to another provider. */
function assertProviders(credential: Credential, provider: Provider): void {
  if (credential.mode === 'secret_key' && !provider.secretKeys) {
    throw usage(`${provider.title} has no secret keys`, {
      code: 'provider_mismatch',
      next: 'use a client id and secret, or another profile with --profile',
    });
  }
  if (credential.from === 'variable' && credential.marker !== null && !provider.marked) {
    throw usage(`the credential in the environment is not one of ${provider.title}`, {
      code: 'provider_mismatch',
      next: 'unset it, or choose the profile it belongs to with --profile',
    });
  }
}

/** The guard for both places the secret or its token go to (partner-api.md#hosts-and-environments). */
function assertHosts(credential: Credential, hosts: Hosts, provider: Provider): void {
  const { environment, tokenUrl } = hosts;
  if (environment.value === 'local' && tokenUrl !== null && environmentOfHost(tokenUrl.value) !== 'local') {
    throw usage(`the environment is local, and ${new URL(tokenUrl.value).host} is not on this machine`, {
      code: 'environment_mismatch',
      next: 'leave out the token URL, or choose a profile of the sandbox or of live with --profile',
    });
  }
  const environments = new Set([credential.environment, credential.marker]);
  // The embedded sandbox's credentials are marked for the sandbox; only their home counts.
  if (credential.local) environments.delete(credential.marker);
  for (const environment of environments) {
    assertCredentialFits(environment, hosts.base.value, hosts.environment.value, provider.hosts);
    // An authorisation server of its own (partner-api.md#hosts-and-environments) is known to no environment and serves the one of the base.
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
 * Where the token rests. A profile's stays with its secret. One minted from environment variables alone is kept in memory, unless it
 * is the embedded sandbox's: a keychain nobody asked for must not make a pipeline wait.
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
