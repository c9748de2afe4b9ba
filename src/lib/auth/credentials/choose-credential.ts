/**
 * Reads the environment variables for credentials and hosts (partner-api.md#credential-kinds), and decides which profile and which
 * credential are used (command-line.md#profiles-credentials-and-precedence). A client id and its secret always come from the same source.
 */
import { type Environment, environmentOfCredential, parseBase, parseTokenUrl } from '../../contract/environments.ts';
import { Secret } from '../../contract/secrets.ts';
import { usage, Failure } from '../../failure.ts';
import { type Sourced, type Sources, type SecretPlace, type VaultKind } from './client-identity.ts';
import {
  LOCAL_CLIENT,
  LOCAL_PROFILE,
  findProfile,
  type Profile,
  unknownProfile,
  isLocalCredential,
  localSecretOf,
} from './profiles.ts';

type Environ = Readonly<Record<string, string | undefined>>;

/** A value and the variable it came from. */
export interface Variable<T> {
  name: string;
  value: T;
}

export interface Variables {
  profile: Variable<string> | null;
  clientId: Variable<string> | null;
  clientSecret: Variable<Secret> | null;
  secretKey: Variable<Secret> | null;
  webhookSecret: Variable<Secret> | null;
  base: Variable<string> | null;
  tokenUrl: Variable<string> | null;
  /** The vault that is used instead of the keychain. */
  keychain: Variable<'os' | 'file' | 'memory'> | null;
}

/**
 * Reads all variables. An empty variable is treated as not set. Most have two names, `CC_*` and `CREDICORP_*`.
 * @throws Failure `usage` (`conflicting_variables`) when both names are set and differ; the message has names, never values.
 */
export function readVariables(env: Environ): Variables {
  const secret = (name: string) => mapped(twin(env, name), (text) => new Secret(text));
  return {
    profile: single(env, 'CREDICORP_PROFILE'),
    clientId: twin(env, 'CLIENT_ID'),
    clientSecret: secret('CLIENT_SECRET'),
    secretKey: secret('SECRET_KEY'),
    webhookSecret: secret('WEBHOOK_SECRET'),
    base: mapped(twin(env, 'BASE'), parseBase),
    tokenUrl: mapped(twin(env, 'TOKEN_URL'), parseTokenUrl),
    keychain: mapped(single(env, 'CREDICORP_KEYCHAIN'), keychainName),
  };
}

function twin(env: Environ, name: string): Variable<string> | null {
  const first = single(env, `CC_${name}`);
  const second = single(env, `CREDICORP_${name}`);
  if (first !== null && second !== null && first.value !== second.value) {
    throw usage(`${first.name} and ${second.name} are both set and differ`, {
      code: 'conflicting_variables',
      next: `unset one of them: unset ${second.name}`,
    });
  }
  return first ?? second;
}

function single(env: Environ, name: string): Variable<string> | null {
  const value = env[name]?.trim();
  return value === undefined || value === '' ? null : { name, value };
}

function mapped<T>(variable: Variable<string> | null, read: (text: string) => T): Variable<T> | null {
  if (variable === null) return null;
  try {
    return { name: variable.name, value: read(variable.value) };
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    throw usage(`${variable.name}: ${error.message}`, { ...error.facts, param: variable.name });
  }
}

function keychainName(text: string): 'os' | 'file' | 'memory' {
  if (text === 'os' || text === 'file' || text === 'memory') return text;
  throw usage('must be os, file or memory', { code: 'bad_keychain', next: 'unset it, or set it to one of the three' });
}

/**
 * The profile in use; null when none is given and no sandbox is running.
 * @throws Failure `usage` (`unknown_profile`) when no profile has the given name.
 */
export function chooseProfile(sources: Sources, variables: Variables): Sourced<Profile> | null {
  const { flags, pin, config, runningSandbox } = sources;
  if (flags.profile !== undefined) {
    return named(sources, flags.profile, { from: 'flag', name: '--profile' }, 'no such profile:');
  }
  if (variables.profile !== null) {
    const { name, value } = variables.profile;
    return named(sources, value, { from: 'variable', name }, `${name} names a profile that does not exist:`);
  }
  if (pin?.profile !== undefined) {
    return named(
      sources,
      pin.profile,
      { from: 'pin', name: pin.path },
      `${pin.path} names a profile that does not exist:`,
    );
  }
  if (config.active !== null) {
    return named(
      sources,
      config.active,
      { from: 'profile', name: config.active },
      'the active profile does not exist:',
    );
  }
  if (runningSandbox === null) return null;
  return { value: localProfile(runningSandbox.base), source: { from: 'sandbox', name: '' } };
}

/** The profile of the embedded sandbox at a base URL, as `sandbox start` saves it. */
export function localProfile(base: string): Profile {
  return {
    name: LOCAL_PROFILE,
    provider: 'credicorp',
    environment: 'local',
    base,
    mode: 'oauth',
    clientId: LOCAL_CLIENT.id,
    store: 'local',
  };
}

function named(sources: Sources, name: string, source: Sourced<Profile>['source'], because: string): Sourced<Profile> {
  const { config, runningSandbox, provider } = sources;
  const found = findProfile(config, name);
  if (found !== null) return { value: found, source };
  if (name !== LOCAL_PROFILE) throw unknownProfile(config, name, because);
  // `local` needs no sign-in: its credential is public.
  const base = runningSandbox?.base ?? provider('credicorp').bases.local;
  if (base === undefined) throw usage('no embedded sandbox is running', { next: 'start it: credicorp sandbox start' });
  return { value: localProfile(base), source };
}

export interface Credential {
  from: 'variable' | 'profile';
  mode: 'oauth' | 'secret_key';
  clientId: Sourced<string> | null;
  secret: SecretPlace;
  /** The environment that the prefixes of id and secret name; null without such a prefix. */
  marker: 'sandbox' | 'live' | null;
  /** The environment it was issued for: from its prefix, else from its profile. */
  environment: Environment | null;
  /** True for one of the embedded sandbox's public credentials. */
  local: boolean;
}

/**
 * Chooses the credential: from flags and environment variables, else from the profile.
 * @throws Failure `auth` (`not_signed_in`) when there is none.
 * @throws Failure `usage` (`incomplete_credential`, `mixed_credential`) when id or secret is missing, or when they belong to different environments.
 */
export function chooseCredential(sources: Sources, variables: Variables, profile: Sourced<Profile> | null): Credential {
  const said = givenClientId(sources, variables);
  const stored = profile?.value.clientId;
  const own = stored === undefined || profile === null ? null : sourcedId(stored, profile.value.name);
  if (variables.clientSecret !== null && (said ?? own) !== null) {
    return fromVariables('oauth', said ?? own, variables.clientSecret);
  }
  if (variables.secretKey !== null) return fromVariables('secret_key', null, variables.secretKey);
  if (variables.clientSecret !== null) {
    throw incomplete(variables.clientSecret.name, 'the client id that belongs to it', 'set CC_CLIENT_ID as well');
  }
  if (said !== null && said.value !== stored) {
    const secret = localSecretOf(said.value);
    if (secret !== null) return builtIn(said, secret, profile);
    throw incomplete(
      said.source.name,
      'the secret that belongs to it',
      'set CC_CLIENT_SECRET as well, or sign in with it',
    );
  }
  if (profile === null) {
    throw new Failure('auth', 'not signed in', {
      code: 'not_signed_in',
      next: 'sign in with credicorp login, or start a local sandbox with credicorp sandbox start',
    });
  }
  return fromProfile(profile.value, variables.keychain?.value ?? null);
}

function givenClientId({ flags }: Sources, variables: Variables): Sourced<string> | null {
  if (flags.clientId !== undefined) return { value: flags.clientId, source: { from: 'flag', name: '--client-id' } };
  if (variables.clientId === null) return null;
  return { value: variables.clientId.value, source: { from: 'variable', name: variables.clientId.name } };
}

function sourcedId(value: string, profile: string): Sourced<string> {
  return { value, source: { from: 'profile', name: profile } };
}

function fromVariables(
  mode: Credential['mode'],
  clientId: Sourced<string> | null,
  variable: { name: string; value: Secret },
): Credential {
  const text = variable.value.reveal();
  const markers = [clientId === null ? null : environmentOfCredential(clientId.value), environmentOfCredential(text)];
  if (markers.includes('live') && markers.includes('sandbox')) {
    throw usage(`${clientId?.source.name ?? 'the client id'} and ${variable.name} belong to different environments`, {
      code: 'mixed_credential',
      next: 'set both for the sandbox or both for live',
    });
  }
  const marker = markers.find((found) => found !== null) ?? null;
  const local = isLocalCredential(text);
  return {
    from: 'variable',
    mode,
    clientId,
    secret: { where: 'variable', name: variable.name, secret: variable.value },
    marker,
    environment: local ? 'local' : marker,
    local,
  };
}

function builtIn(clientId: Sourced<string>, secret: string, profile: Sourced<Profile> | null): Credential {
  return {
    from: profile === null ? 'variable' : 'profile',
    mode: 'oauth',
    clientId,
    secret: { where: 'built_in', secret: new Secret(secret) },
    marker: environmentOfCredential(clientId.value),
    environment: 'local',
    local: true,
  };
}

function fromProfile(profile: Profile, keychain: VaultKind | null): Credential {
  const { name, clientId, mode, environment } = profile;
  const known = clientId === undefined ? null : localSecretOf(clientId);
  const sourced = clientId === undefined ? null : sourcedId(clientId, name);
  if (known !== null && environment === 'local' && sourced !== null) {
    return { ...builtIn(sourced, known, null), from: 'profile' };
  }
  return {
    from: 'profile',
    mode,
    clientId: sourced,
    secret: {
      where: 'vault',
      store: vaultOf(profile, keychain),
      account: `${name}/${mode === 'oauth' ? 'client_secret' : 'secret_key'}`,
    },
    marker: clientId === undefined ? null : environmentOfCredential(clientId),
    environment,
    local: false,
  };
}

/** `CREDICORP_KEYCHAIN` replaces the keychain; what is stored in the plain file of the embedded sandbox stays there. */
export function vaultOf(profile: Profile, keychain: VaultKind | null): VaultKind {
  return profile.store === 'local' ? 'local' : (keychain ?? profile.store);
}

function incomplete(name: string, missing: string, next: string): Failure {
  return usage(`${name} is set, but not ${missing}`, { code: 'incomplete_credential', param: name, next });
}
