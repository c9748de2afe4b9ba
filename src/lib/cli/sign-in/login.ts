/** `login` and `logout`: what has to be known is taken from flags, stdin and variables or asked for; `auth/sign-in` proves and stores it. */
import { readVariables, type Variables } from '../../auth/credentials/choose-credential.ts';
import {
  isLocalCredential,
  findProfile,
  readConfig,
  type Profile,
  type SecretStore,
} from '../../auth/credentials/profiles.ts';
import { findProvider, type Provider } from '../../auth/providers/provider.ts';
import { provingIdentity, signIn, signOut } from '../../auth/sign-in.ts';
import { discover } from '../../auth/token/mint.ts';
import { type Environment, environmentOfCredential, parseBase, parseTokenUrl } from '../../contract/environments.ts';
import { usage } from '../../failure.ts';
import type { Context } from '../context.ts';
import { note } from '../output/write.ts';
import { runningSandbox } from '../sandbox/running-sandbox.ts';
import { openSession, type Session, type SessionFlags } from '../session.ts';
import { proveByRead } from './proof.ts';

export interface LoginResult {
  profile: string;
  provider: string;
  environment: Environment;
  base: string;
  client_id: string | null;
  /** The scopes the server says it granted. */
  granted: string | null;
  secret_in: string;
  /** Where the profile's secrets were before, and whether they are gone from there. */
  moved_from: { store: SecretStore; removed: boolean } | null;
}

/** @throws Failure; nothing is stored unless the API took the credential. */
export async function login(
  context: Context,
  flags: SessionFlags,
  version: string,
  request: LoginRequest,
  adopt: (session: Session) => void,
): Promise<LoginResult> {
  const provider = findProvider(request.provider, context.paths.config);
  const credential = await gatherCredential(context, request, provider);
  const planned = await profileOf(context, request, provider, credential);
  const identity = provingIdentity({ profile: planned, secret: credential.secret, provider });
  const session = await openSession(context, flags, version, identity);
  adopt(session);
  session.hide(credential.secret);
  const profile = await withChosenScopes(context, session, request, planned);
  const notice = (text: string): void => note(context, `note: ${text}`);
  const done = await signIn({
    profile,
    secret: credential.secret,
    provider,
    configFolder: context.paths.config,
    vault: (store) => session.vaultOfKind(store),
    send: await session.sendWithoutCredential(profile.environment),
    now: context.now,
    notice,
    activate: true,
    keepFormer: request.keepFormer,
    prove: () => proveKey(session, provider, notice),
    signal: context.signal,
  });
  if (done.token) session.hide(done.token.token);
  if (done.former) note(context, formerLine(done.former));
  return {
    profile: profile.name,
    provider: provider.name,
    environment: profile.environment,
    base: profile.base,
    client_id: credential.clientId,
    granted: done.token?.granted ?? null,
    secret_in: STORE_NAMES[profile.store],
    moved_from: done.former,
  };
}

/** Removes a profile (null: the active one; 'all': every one) with all its secrets. What cannot be removed stays listed. */
export async function logout(
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
  const vault = (store: SecretStore) => session.vaultOfKind(store);
  for (const name of names) {
    const profile = findProfile(config, name);
    if (profile === null)
      throw usage(`no such profile: ${name}`, { code: 'unknown_profile', next: 'see: credicorp profiles list' });
    forgotten.push({ profile: name, secrets: await signOut(profile, { vault, configFolder: context.paths.config }) });
  }
  // Tokens minted for variables, without a profile, stand under names of their own (`~…`).
  const stores = new Set(config.profiles.map(({ store }) => store)).add('local');
  if (which === 'all') for (const store of stores) await vault(store).removeUnder('~');
  await noteWhatRemains(context);
  return forgotten;
}

/** What a store is, in words for people. */
const STORE_NAMES: Readonly<Record<SecretStore, string>> = {
  os: 'the keychain of this system, under credicorp-cli',
  file: 'an encrypted file, protected by your passphrase and nothing else',
  local: "built in: the embedded sandbox's own, known to everybody",
};

const SECRET_VARIABLES = ['CC_CLIENT_SECRET', 'CREDICORP_CLIENT_SECRET', 'CC_SECRET_KEY', 'CREDICORP_SECRET_KEY'];

async function noteWhatRemains(context: Context): Promise<void> {
  for (const name of SECRET_VARIABLES) {
    if (context.env[name]) note(context, `note: ${name} is still set in this shell; unset it to sign out completely`);
  }
  const running = await runningSandbox(context);
  if (running) note(context, `note: the embedded sandbox at ${running.base_url} is still running; it needs no sign-in`);
}

/** On a terminal, the scopes the server knows, all of them chosen. Only a smaller choice is asked for (partner-api.md#scopes). */
async function withChosenScopes(
  context: Context,
  session: Session,
  request: LoginRequest,
  profile: Profile,
): Promise<Profile> {
  const { identity } = session;
  if (!request.mayAsk || request.scopes.length > 0 || profile.mode !== 'oauth') return profile;
  if (identity.provider.token?.discovery !== true || profile.store === 'local') return profile;
  const { send } = await session.transport();
  const found = await discover({ identity, send, notice: () => undefined, signal: context.signal });
  const offered = [...new Set(found?.scopes ?? [])].filter((scope) => /^[\x21-\x7e]{1,80}$/.test(scope)).slice(0, 50);
  if (offered.length === 0) return profile;
  const { askMany } = await import('../ask/prompt.ts');
  const chosen = await askMany(context, 'Scopes', offered);
  return chosen.length === 0 || chosen.length === offered.length ? profile : { ...profile, scopes: chosen };
}

/** Where no token is minted, a read shows whether the credential is taken. */
async function proveKey(session: Session, provider: Provider, notice: (text: string) => void): Promise<void> {
  if (provider.probePath !== null) return proveByRead(session, provider.probePath);
  notice(`${provider.title} has no call to check a credential with; it was stored unchecked`);
}

function formerLine({ store, removed }: NonNullable<LoginResult['moved_from']>): string {
  const place = STORE_NAMES[store];
  return removed
    ? `the old copy of its secrets was removed from ${place}`
    : `the old copy of its secrets is still in ${place}; credicorp logout removes it too`;
}

/** From the command line; null where a flag was not given. */
export interface LoginRequest {
  name: string | null;
  environment: Environment | null;
  clientId: string | null;
  scopes: readonly string[];
  provider: string;
  base: string | null;
  tokenUrl: string | null;
  store: 'os' | 'file' | null;
  /** Leave the copy in the other store when the profile moves. */
  keepFormer: boolean;
  /** From stdin. */
  secret: string | null;
  /** The secret is a secret key. */
  secretKey: boolean;
  mayAsk: boolean;
}

export interface EnteredCredential {
  environment: Environment;
  mode: Profile['mode'];
  clientId: string | null;
  secret: string;
}

/** @throws Failure `usage` naming the flag, where something is missing and nobody may be asked */
async function gatherCredential(
  context: Context,
  request: LoginRequest,
  provider: Provider,
): Promise<EnteredCredential> {
  const variables = readVariables(context.env);
  const environment = await environmentFor(context, request, provider, variables);
  const { localClient } = provider;
  if (environment === 'local' && request.secret === null && !request.secretKey && localClient !== null) {
    // The public credential needs nobody to type it.
    if (request.clientId === null || request.clientId === localClient.id)
      return { environment, mode: 'oauth', clientId: localClient.id, secret: localClient.secret };
  }
  const key = variables.secretKey?.value.reveal() ?? null;
  const onlyKey = request.secret === null && request.clientId === null && variables.clientId === null && key !== null;
  if (request.secretKey || onlyKey) {
    const secret = request.secret ?? key ?? (await ask(context, request, SECRET_KEY));
    return { environment, mode: 'secret_key', clientId: null, secret: secret.trim() };
  }
  const clientId = request.clientId ?? variables.clientId?.value ?? (await ask(context, request, CLIENT_ID));
  const secret =
    request.secret ?? variables.clientSecret?.value.reveal() ?? (await ask(context, request, CLIENT_SECRET));
  return { environment, mode: 'oauth', clientId: clientId.trim(), secret: secret.trim() };
}

/** The profile that is to be proven and stored. */
async function profileOf(
  context: Context,
  request: LoginRequest,
  provider: Provider,
  { environment, mode, clientId, secret }: EnteredCredential,
): Promise<Profile> {
  const variables = readVariables(context.env);
  const base = await baseFor(context, request, provider, environment, variables);
  const plain = provider.name === 'credicorp' ? environment : provider.name;
  const name = request.name ?? (plain !== environment && environment === 'local' ? `${plain}-local` : plain);
  const before = findProfile(readConfig(context.paths.config), name);
  const tokenUrl = request.tokenUrl === null ? variables.tokenUrl?.value : parseTokenUrl(request.tokenUrl);
  return {
    ...{ name, provider: provider.name, environment, base, mode },
    store:
      environment === 'local' && isLocalCredential(secret)
        ? 'local'
        : (request.store ?? usualStore(before, variables.keychain?.value)),
    ...(clientId === null ? {} : { clientId }),
    ...(tokenUrl === undefined ? {} : { tokenUrl }),
    ...(request.scopes.length === 0 ? {} : { scopes: [...request.scopes] }),
  };
}

/** Where the profile's secrets were before, else where `CREDICORP_KEYCHAIN` says, else the keychain. */
function usualStore(before: Profile | null, keychain: 'os' | 'file' | 'memory' | undefined): 'os' | 'file' {
  if (keychain === 'memory') {
    throw usage('CREDICORP_KEYCHAIN=memory does not keep secrets', {
      code: 'nothing_kept',
      next: 'unset it, or set CC_CLIENT_ID and CC_CLIENT_SECRET instead of signing in',
    });
  }
  return before?.store === 'file' || keychain === 'file' ? 'file' : 'os';
}

/** The flag, else what a credential's own prefix says, else asked. */
async function environmentFor(
  context: Context,
  request: LoginRequest,
  provider: Provider,
  variables: Variables,
): Promise<Environment> {
  if (request.environment !== null) return request.environment;
  const known = [
    request.clientId,
    request.secret,
    ...(request.clientId === null ? [variables.clientId?.value, variables.secretKey?.value.reveal()] : []),
  ].filter((text): text is string => typeof text === 'string');
  if (known.some(isLocalCredential)) return 'local';
  const marked = known.map(environmentOfCredential).find((found) => found !== null);
  if (marked !== undefined) return marked;
  if (!request.mayAsk) {
    throw usage('--env is missing: which environment is the credential for?', {
      param: '--env',
      next: 'add --env sandbox, --env live, or --env local for the embedded sandbox',
    });
  }
  const { askChoice } = await import('../ask/prompt.ts');
  return askChoice<Environment>(context, 'Environment', [
    { value: 'sandbox', name: `sandbox: ${provider.bases.sandbox ?? 'a host of your own'}` },
    { value: 'live', name: `live: ${provider.bases.live ?? 'a host of your own'}; real customers, real money` },
    { value: 'local', name: 'local: the embedded sandbox on this machine' },
  ]);
}

async function baseFor(
  context: Context,
  request: LoginRequest,
  provider: Provider,
  environment: Environment,
  variables: Variables,
): Promise<string> {
  if (request.base !== null) return parseBase(request.base);
  if (variables.base !== null) return variables.base.value;
  const running = environment === 'local' ? await runningSandbox(context) : null;
  if (running?.provider === provider.name) return running.base_url;
  const known = provider.bases[environment];
  if (known !== undefined) return known;
  if (!request.mayAsk) {
    throw usage(`${provider.title} has no known ${environment} host`, {
      param: '--api-base',
      next: 'give it with --api-base',
    });
  }
  return parseBase(
    await ask(context, request, { ...HOST, words: `${provider.title} ${environment} host (https://…)` }),
  );
}

interface Question {
  words: string;
  flag: string;
  /** How to give it where nobody can be asked. */
  otherwise: string;
  hidden: boolean;
}

const CLIENT_ID: Question = {
  words: 'Client id',
  flag: '--client-id',
  otherwise: 'give it with --client-id',
  hidden: false,
};
const CLIENT_SECRET: Question = {
  words: 'Client secret',
  flag: '--secret-stdin',
  otherwise: 'pipe the secret in with --secret-stdin (or a key with --key-stdin), or set CC_CLIENT_SECRET',
  hidden: true,
};
const SECRET_KEY: Question = {
  words: 'Secret key',
  flag: '--key-stdin',
  otherwise: 'pipe the key in with --key-stdin, or set CC_SECRET_KEY',
  hidden: true,
};
const HOST: Question = { words: 'Host', flag: '--api-base', otherwise: 'give it with --api-base', hidden: false };

async function ask(
  context: Context,
  request: LoginRequest,
  { words, flag, otherwise, hidden }: Question,
): Promise<string> {
  if (!request.mayAsk) throw usage(`the ${words.toLowerCase()} is missing`, { param: flag, next: otherwise });
  const { askSecret, askText } = await import('../ask/prompt.ts');
  const answer = hidden ? await askSecret(context, `${words} (not shown)`) : await askText(context, words);
  if (answer.trim() === '') throw usage(`no ${words.toLowerCase()} was typed`, { param: flag });
  return answer;
}
