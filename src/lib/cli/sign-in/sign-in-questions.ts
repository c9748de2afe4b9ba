/** What signing in needs to know: from flags and stdin, then from variables, then by asking on a terminal. */
import { isLocalCredential } from '../../auth/local-client.ts';
import { findProfile, type Profile, readConfig } from '../../auth/profiles.ts';
import type { Provider } from '../../auth/providers/shape.ts';
import { readVariables, type Variables } from '../../auth/variables.ts';
import { type Environment, environmentOfCredential, parseBase, parseTokenUrl } from '../../contract/environments.ts';
import { usage } from '../../failure.ts';
import type { Context } from '../context.ts';
import { runningSandbox } from '../sandbox/running.ts';

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
  /** Leave the copy in the other store when the profile moves. */
  keepFormer: boolean;
  /** From stdin. */
  secret: string | null;
  /** The secret is a secret key. */
  secretKey: boolean;
  mayAsk: boolean;
}

export interface Credential {
  environment: Environment;
  mode: Profile['mode'];
  clientId: string | null;
  secret: string;
}

/** @throws Failure `usage` naming the flag, where something is missing and nobody may be asked */
export async function gatherCredential(context: Context, wanted: Wanted, provider: Provider): Promise<Credential> {
  const variables = readVariables(context.env);
  const environment = await environmentFor(context, wanted, provider, variables);
  const { localClient } = provider;
  if (environment === 'local' && wanted.secret === null && !wanted.secretKey && localClient !== null) {
    // The public credential needs nobody to type it.
    if (wanted.clientId === null || wanted.clientId === localClient.id)
      return { environment, mode: 'oauth', clientId: localClient.id, secret: localClient.secret };
  }
  const key = variables.secretKey?.value.reveal() ?? null;
  const onlyKey = wanted.secret === null && wanted.clientId === null && variables.clientId === null && key !== null;
  if (wanted.secretKey || onlyKey) {
    const secret = wanted.secret ?? key ?? (await ask(context, wanted, SECRET_KEY));
    return { environment, mode: 'secret_key', clientId: null, secret: secret.trim() };
  }
  const clientId = wanted.clientId ?? variables.clientId?.value ?? (await ask(context, wanted, CLIENT_ID));
  const secret = wanted.secret ?? variables.clientSecret?.value.reveal() ?? (await ask(context, wanted, CLIENT_SECRET));
  return { environment, mode: 'oauth', clientId: clientId.trim(), secret: secret.trim() };
}

/** The profile that is to be proven and stored. */
export async function profileOf(
  context: Context,
  wanted: Wanted,
  provider: Provider,
  { environment, mode, clientId, secret }: Credential,
): Promise<Profile> {
  const variables = readVariables(context.env);
  const base = await baseFor(context, wanted, provider, environment, variables);
  const plain = provider.name === 'credicorp' ? environment : provider.name;
  const name = wanted.name ?? (plain !== environment && environment === 'local' ? `${plain}-local` : plain);
  const before = findProfile(readConfig(context.paths.config), name);
  const tokenUrl = wanted.tokenUrl === null ? variables.tokenUrl?.value : parseTokenUrl(wanted.tokenUrl);
  return {
    ...{ name, provider: provider.name, environment, base, mode },
    store:
      environment === 'local' && isLocalCredential(secret)
        ? 'local'
        : (wanted.store ?? usualStore(before, variables.keychain?.value)),
    ...(clientId === null ? {} : { clientId }),
    ...(tokenUrl === undefined ? {} : { tokenUrl }),
    ...(wanted.scopes.length === 0 ? {} : { scopes: [...wanted.scopes] }),
  };
}

/** Where the profile's secrets were before, else where `CREDICORP_KEYCHAIN` says, else the keychain. */
function usualStore(before: Profile | null, keychain: 'os' | 'file' | 'memory' | undefined): 'os' | 'file' {
  if (keychain === 'memory') {
    throw usage('CREDICORP_KEYCHAIN=memory keeps nothing', {
      code: 'nothing_kept',
      next: 'unset it, or set CC_CLIENT_ID and CC_CLIENT_SECRET instead of signing in',
    });
  }
  return before?.store === 'file' || keychain === 'file' ? 'file' : 'os';
}

/** The flag, else what a credential's own prefix says, else asked. */
async function environmentFor(
  context: Context,
  wanted: Wanted,
  provider: Provider,
  variables: Variables,
): Promise<Environment> {
  if (wanted.environment !== null) return wanted.environment;
  const known = [
    wanted.clientId,
    wanted.secret,
    ...(wanted.clientId === null ? [variables.clientId?.value, variables.secretKey?.value.reveal()] : []),
  ].filter((text): text is string => typeof text === 'string');
  if (known.some(isLocalCredential)) return 'local';
  const marked = known.map(environmentOfCredential).find((found) => found !== null);
  if (marked !== undefined) return marked;
  if (!wanted.mayAsk) {
    throw usage('it is not said which environment the credential is for', {
      param: '--env',
      next: 'add --env sandbox or --env live, and --env local for the embedded sandbox',
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
  wanted: Wanted,
  provider: Provider,
  environment: Environment,
  variables: Variables,
): Promise<string> {
  if (wanted.base !== null) return parseBase(wanted.base);
  if (variables.base !== null) return variables.base.value;
  const running = environment === 'local' ? await runningSandbox(context) : null;
  if (running?.provider === provider.name) return running.base_url;
  const known = provider.bases[environment];
  if (known !== undefined) return known;
  if (!wanted.mayAsk) {
    throw usage(`${provider.title} has no known ${environment} host`, {
      param: '--api-base',
      next: 'give it with --api-base',
    });
  }
  return parseBase(await ask(context, wanted, { ...HOST, words: `${provider.title} ${environment} host (https://…)` }));
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

async function ask(context: Context, wanted: Wanted, { words, flag, otherwise, hidden }: Question): Promise<string> {
  if (!wanted.mayAsk) throw usage(`the ${words.toLowerCase()} is missing`, { param: flag, next: otherwise });
  const { askSecret, askText } = await import('../ask/prompt.ts');
  const answer = hidden ? await askSecret(context, `${words} (not shown)`) : await askText(context, words);
  if (answer.trim() === '') throw usage(`nothing was typed for the ${words.toLowerCase()}`, { param: flag });
  return answer;
}
