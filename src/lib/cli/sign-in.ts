/** Signing in: gather what is missing, prove the credential, then store it. And signing out: leave nothing. */
import { resolveIdentity } from '../auth/credentials.ts';
import type { Identity } from '../auth/identity.ts';
import { isLocalCredential, LOCAL_CLIENT } from '../auth/local-client.ts';
import {
  findProfile,
  type Profile,
  readConfig,
  type Store,
  updateConfig,
  withoutProfile,
  withProfile,
} from '../auth/profiles.ts';
import { findProvider } from '../auth/providers/provider.ts';
import { tokenAccount, writeEntry } from '../auth/token-entry.ts';
import { type Environment, environmentOfCredential, parseBase, parseTokenUrl } from '../contract/environments.ts';
import { Failure, usage } from '../failure.ts';
import type { Context } from './context.ts';
import { note } from './output.ts';
import { runningSandbox } from './running.ts';
import { openSession, type Session, type SessionFlags } from './session.ts';

/** What the command line said; null where it said nothing. */
export interface Wanted {
  name: string | null;
  environment: Environment | null;
  clientId: string | null;
  scopes: readonly string[];
  provider: string;
  base: string | null;
  tokenUrl: string | null;
  store: 'os' | 'file' | null;
  /** From stdin. */
  secret: string | null;
  /** The secret is a secret key. */
  secretKey: boolean;
  mayAsk: boolean;
}

export interface SignedIn {
  profile: string;
  environment: Environment;
  base: string;
  client_id: string | null;
  granted: string | null;
  secret_in: string;
}

interface Credential {
  mode: Profile['mode'];
  clientId: string | null;
  secret: string;
}

/** @throws Failure; nothing is stored unless the API took the credential. */
export async function signIn(
  context: Context,
  flags: SessionFlags,
  version: string,
  wanted: Wanted,
  adopt: (session: Session) => void,
): Promise<SignedIn> {
  const credential = await gather(context, wanted);
  const profile = await profileOf(context, wanted, credential);
  const running = await runningSandbox(context);
  const identity = proving(context, profile, credential, running?.base_url ?? null);
  const session = await openSession(context, flags, version, identity);
  adopt(session);
  session.hide(credential.secret);
  const granted = await prove(session);
  await store(context, session, profile, credential);
  return {
    profile: profile.name,
    environment: profile.environment,
    base: profile.base,
    client_id: credential.clientId,
    granted,
    secret_in: PLACES[profile.store],
  };
}

/** Removes a profile (null: the active one; 'all': every one) with all its secrets. What cannot be removed stays listed. */
export async function forget(
  context: Context,
  session: Session,
  which: string | null,
): Promise<{ profile: string; secrets: number }[]> {
  const config = readConfig(context.paths.config);
  const names =
    which === 'all'
      ? config.profiles.map(({ name }) => name)
      : [which ?? config.active].filter((name) => name !== null);
  const forgotten: { profile: string; secrets: number }[] = [];
  for (const name of names) {
    const profile = findProfile(config, name);
    if (profile === null)
      throw usage(`there is no profile ${name}`, { code: 'unknown_profile', next: 'see: credicorp whoami' });
    const secrets = await session.vaultOfKind(profile.store).removeUnder(`${name}/`);
    await updateConfig(context.paths.config, (now) => withoutProfile(now, name));
    forgotten.push({ profile: name, secrets });
  }
  for (const name of SECRET_VARIABLES) {
    if (context.env[name])
      note(context, `note: ${name} is still set in this shell; unset it to be signed out there too`);
  }
  return forgotten;
}

const PLACES: Readonly<Record<Store, string>> = {
  os: 'its secret is in the keychain of this system, under credicorp-cli',
  file: 'its secret is in an encrypted file, protected by your passphrase',
  local: 'the embedded sandbox needs no keychain',
};

const SECRET_VARIABLES = ['CC_CLIENT_SECRET', 'CREDICORP_CLIENT_SECRET', 'CC_SECRET_KEY', 'CREDICORP_SECRET_KEY'];

/** From flags and stdin, then the environment, then by asking. */
async function gather(context: Context, wanted: Wanted): Promise<Credential> {
  const variable = (name: string): string | null =>
    context.env[`CC_${name}`] ?? context.env[`CREDICORP_${name}`] ?? null;
  if (wanted.environment === 'local' && wanted.secret === null && wanted.clientId === null) {
    return { mode: 'oauth', clientId: LOCAL_CLIENT.id, secret: LOCAL_CLIENT.secret };
  }
  if (wanted.secretKey && wanted.secret !== null) return { mode: 'secret_key', clientId: null, secret: wanted.secret };
  const key = variable('SECRET_KEY');
  if (wanted.secret === null && wanted.clientId === null && key !== null)
    return { mode: 'secret_key', clientId: null, secret: key };
  const clientId =
    wanted.clientId ?? variable('CLIENT_ID') ?? (await askOr(context, wanted, 'Client id', '--client-id', false));
  const secret =
    wanted.secret ??
    variable('CLIENT_SECRET') ??
    (await askOr(context, wanted, 'Client secret (not shown)', '--secret-stdin', true));
  return { mode: 'oauth', clientId: clientId.trim(), secret: secret.trim() };
}

async function askOr(
  context: Context,
  wanted: Wanted,
  question: string,
  flag: string,
  hidden: boolean,
): Promise<string> {
  if (!wanted.mayAsk) {
    const next = hidden
      ? 'pipe the secret in with --secret-stdin (or a key with --key-stdin), or set CC_CLIENT_SECRET'
      : `give it with ${flag}`;
    throw usage(`${question.toLowerCase().replace(' (not shown)', '')} is missing`, { param: flag, next });
  }
  const { askSecret, askText } = await import('./prompt.ts');
  const answer = hidden ? await askSecret(context, question) : await askText(context, question);
  if (answer.trim() === '') throw usage(`${question.toLowerCase()}: nothing was typed`, { param: flag });
  return answer;
}

async function profileOf(context: Context, wanted: Wanted, credential: Credential): Promise<Profile> {
  const environment = await environmentFor(context, wanted, credential);
  const provider = findProvider(wanted.provider, context.paths.config);
  const running = environment === 'local' ? await runningSandbox(context) : null;
  const base = wanted.base === null ? (running?.base_url ?? provider.bases[environment]) : parseBase(wanted.base);
  if (base === undefined)
    throw usage(`${provider.title} has no known ${environment} host`, {
      param: '--api-base',
      next: 'give it with --api-base',
    });
  const name = wanted.name ?? (wanted.provider === 'credicorp' ? environment : wanted.provider);
  const local = environment === 'local' && isLocalCredential(credential.secret);
  const before = findProfile(readConfig(context.paths.config), name);
  return {
    ...{ name, provider: provider.name, environment, base, mode: credential.mode },
    store: local
      ? 'local'
      : (wanted.store ?? (before?.store === 'file' || context.env['CREDICORP_KEYCHAIN'] === 'file' ? 'file' : 'os')),
    ...(credential.clientId === null ? {} : { clientId: credential.clientId }),
    ...(wanted.tokenUrl === null ? {} : { tokenUrl: parseTokenUrl(wanted.tokenUrl) }),
    ...(wanted.scopes.length === 0 ? {} : { scopes: [...wanted.scopes] }),
  };
}

/** The flag, else what the credential's own prefix says, else asked. */
async function environmentFor(context: Context, wanted: Wanted, credential: Credential): Promise<Environment> {
  const marked = environmentOfCredential(credential.clientId ?? '') ?? environmentOfCredential(credential.secret);
  const said = wanted.environment ?? (isLocalCredential(credential.secret) ? 'local' : marked);
  if (said !== null) return said;
  if (!wanted.mayAsk)
    throw usage('the credential does not say which environment it is for', {
      param: '--env',
      next: 'add --env sandbox or --env live',
    });
  const { askChoice } = await import('./prompt.ts');
  return askChoice<Environment>(context, 'Environment', [
    { value: 'sandbox', name: 'sandbox' },
    { value: 'live', name: 'live: real customers, real money' },
  ]);
}

/** Who we would be with this credential, kept in memory only: nothing is stored before it is proven. */
function proving(context: Context, profile: Profile, credential: Credential, running: string | null): Identity {
  const variable = credential.mode === 'oauth' ? 'CC_CLIENT_SECRET' : 'CC_SECRET_KEY';
  const identity = resolveIdentity({
    flags: { profile: profile.name },
    env: { [variable]: credential.secret, CREDICORP_KEYCHAIN: 'memory' },
    pin: null,
    config: { active: profile.name, profiles: [profile] },
    runningSandbox: running === null ? null : { base: running },
    provider: (name) => findProvider(name, context.paths.config),
  });
  return { ...identity, vault: 'memory' };
}

/** What was granted. A secret key is proven by a read; lacking a scope is no reason to refuse it. */
async function prove(session: Session): Promise<string | null> {
  if (session.identity.mode !== 'secret_key') return (await session.currentToken())?.granted ?? null;
  const client = await session.client();
  try {
    await client.call({ method: 'GET', path: '/partner/v1/applications', query: { limit: 1 } });
  } catch (error) {
    if (!(error instanceof Failure && error.facts.status === 403)) throw error;
  }
  return null;
}

/** Secret first, profile second: a keychain that refuses leaves no profile without its secret. */
async function store(context: Context, session: Session, profile: Profile, credential: Credential): Promise<void> {
  if (context.env['CREDICORP_KEYCHAIN'] === 'memory' && profile.store === 'os') {
    throw usage('CREDICORP_KEYCHAIN=memory keeps nothing', {
      next: 'unset it, or set CC_CLIENT_ID and CC_CLIENT_SECRET instead of signing in',
    });
  }
  const before = findProfile(readConfig(context.paths.config), profile.name);
  const vault = session.vaultOfKind(profile.store);
  await vault.removeUnder(`${profile.name}/`);
  if (profile.store !== 'local')
    await vault.set(`${profile.name}/${profile.mode === 'oauth' ? 'client_secret' : 'secret_key'}`, credential.secret);
  const token = profile.mode === 'oauth' ? await session.currentToken() : null;
  if (token) await vault.set(tokenAccount({ ...session.identity, account: profile.name }), writeEntry(token));
  await updateConfig(context.paths.config, (config) => withProfile(config, profile, true));
  if (before && before.store !== profile.store) {
    const removed = await session.vaultOfKind(before.store).removeUnder(`${profile.name}/`);
    note(
      context,
      `removed ${removed} older ${removed === 1 ? 'secret' : 'secrets'} of this profile from where they were kept before`,
    );
  }
}
