/** Signing in and out, as far as a terminal is concerned: what to prove, and what is said about it. `auth/sign-in` does both. */
import { findProfile, readConfig, type Profile, type Store } from '../../auth/profiles.ts';
import { findProvider } from '../../auth/providers/provider.ts';
import type { Provider } from '../../auth/providers/shape.ts';
import { provingIdentity, signIn as proveAndStore, signOut } from '../../auth/sign-in.ts';
import { discover } from '../../auth/token-endpoint.ts';
import type { Environment } from '../../contract/environments.ts';
import { usage } from '../../failure.ts';
import type { Context } from '../context.ts';
import { note } from '../output/write.ts';
import { proveByRead } from './proof.ts';
import { runningSandbox } from '../sandbox/running.ts';
import { openSession, type Session, type SessionFlags } from '../session.ts';
import { gatherCredential, profileOf, type Wanted } from './sign-in-questions.ts';

export interface SignedIn {
  profile: string;
  provider: string;
  environment: Environment;
  base: string;
  client_id: string | null;
  /** The scopes the server says it granted. */
  granted: string | null;
  secret_in: string;
  /** Where the profile's secrets were before, and whether they are gone from there. */
  moved_from: { store: Store; removed: boolean } | null;
}

/** @throws Failure; nothing is stored unless the API took the credential. */
export async function signIn(
  context: Context,
  flags: SessionFlags,
  version: string,
  wanted: Wanted,
  adopt: (session: Session) => void,
): Promise<SignedIn> {
  const provider = findProvider(wanted.provider, context.paths.config);
  const credential = await gatherCredential(context, wanted, provider);
  const planned = await profileOf(context, wanted, provider, credential);
  const identity = provingIdentity({ profile: planned, secret: credential.secret, provider });
  const session = await openSession(context, flags, version, identity);
  adopt(session);
  session.hide(credential.secret);
  const profile = await withChosenScopes(context, session, wanted, planned);
  const notice = (text: string): void => note(context, `note: ${text}`);
  const done = await proveAndStore({
    profile,
    secret: credential.secret,
    provider,
    configFolder: context.paths.config,
    vault: (store) => session.vaultOfKind(store),
    send: await session.plainSend(profile.environment),
    now: context.now,
    notice,
    activate: true,
    keepFormer: wanted.keepFormer,
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
    secret_in: PLACES[profile.store],
    moved_from: done.former,
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
  const vault = (store: Store) => session.vaultOfKind(store);
  for (const name of names) {
    const profile = findProfile(config, name);
    if (profile === null)
      throw usage(`there is no profile ${name}`, { code: 'unknown_profile', next: 'see: credicorp profiles list' });
    forgotten.push({ profile: name, secrets: await signOut(profile, { vault, configFolder: context.paths.config }) });
  }
  // Tokens minted for variables, without a profile, stand under names of their own (`~…`).
  const stores = new Set(config.profiles.map(({ store }) => store)).add('local');
  if (which === 'all') for (const store of stores) await vault(store).removeUnder('~');
  await tellWhatStays(context);
  return forgotten;
}

/** What a store is, in words for people. */
const PLACES: Readonly<Record<Store, string>> = {
  os: 'the keychain of this system, under credicorp-cli',
  file: 'an encrypted file, protected by your passphrase and nothing else',
  local: "nowhere: it is the embedded sandbox's own, known to everybody",
};

const SECRET_VARIABLES = ['CC_CLIENT_SECRET', 'CREDICORP_CLIENT_SECRET', 'CC_SECRET_KEY', 'CREDICORP_SECRET_KEY'];

async function tellWhatStays(context: Context): Promise<void> {
  for (const name of SECRET_VARIABLES) {
    if (context.env[name])
      note(context, `note: ${name} is still set in this shell; unset it to be signed out there too`);
  }
  const running = await runningSandbox(context);
  if (running) note(context, `note: the embedded sandbox at ${running.base_url} still runs, and needs no sign-in`);
}

/** On a terminal, the scopes the server knows, all of them chosen. Only a smaller choice is asked for (partner-api.md#scopes). */
async function withChosenScopes(
  context: Context,
  session: Session,
  wanted: Wanted,
  profile: Profile,
): Promise<Profile> {
  const { identity } = session;
  if (!wanted.mayAsk || wanted.scopes.length > 0 || profile.mode !== 'oauth') return profile;
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
  notice(`nothing is known to prove a credential of ${provider.title} by; it is stored as it is`);
}

function formerLine({ store, removed }: NonNullable<SignedIn['moved_from']>): string {
  const place = PLACES[store];
  return removed
    ? `the former copy of its secrets was removed from ${place}`
    : `the former copy of its secrets is still in ${place}; credicorp logout removes it there too`;
}
