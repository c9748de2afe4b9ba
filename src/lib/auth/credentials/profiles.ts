/**
 * The profiles of a user: `config.json` in the configuration folder. It contains names, hosts and client ids, never a secret. Also the
 * public credentials of the embedded sandbox. Every command reads the file, so it is validated by hand, without the schema library.
 */
import { join } from 'node:path';
import { type Environment, isEnvironment, parseBase, parseTokenUrl } from '../../contract/environments.ts';
import { Failure, usage } from '../../failure.ts';
import { withLock } from '../../files/lock.ts';
import { readPrivate, writePrivate, makePrivateFolder } from '../../files/private-files.ts';
import { isSimpleName } from '../providers/provider.ts';

/** Where a profile's secret is stored: the keychain, an encrypted file, or (embedded sandbox only) a plain file. */
export type SecretStore = 'os' | 'file' | 'local';

export interface Profile {
  name: string;
  /** Name of the provider's data file. */
  provider: string;
  environment: Environment;
  base: string;
  /** Set only when the user gave one; otherwise discovery and the provider's default decide (partner-api.md#oauth-tokens). */
  tokenUrl?: string;
  mode: 'oauth' | 'secret_key';
  /** Client credentials only. */
  clientId?: string;
  /** Set only when the user narrowed them (partner-api.md#scopes). */
  scopes?: string[];
  store: SecretStore;
  /** Other stores that contain a copy, kept on purpose when the profile moved. */
  keptIn?: SecretStore[];
}

export interface Config {
  /** Name of the active profile. */
  active: string | null;
  profiles: readonly Profile[];
}

const EMPTY: Config = { active: null, profiles: [] };
const VERSION = 1;

/** The path of `config.json` in a configuration folder. */
export function configPath(folder: string): string {
  return join(folder, 'config.json');
}

/**
 * Reads the profiles; an empty list when there is no file yet. A damaged file is not changed.
 * @throws Failure `usage` (`config_corrupt`, `config_newer`, `not_readable`)
 */
export function readConfig(folder: string): Config {
  const path = configPath(folder);
  const text = readPrivate(path);
  if (text === null) return EMPTY;
  let document: unknown;
  try {
    document = JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch {
    throw corrupt(path, 'it is not JSON');
  }
  return parseConfig(path, document);
}

/**
 * Changes the profiles: reads them, calls `change`, and writes the result. A lock allows one change at a time across processes.
 * @throws Failure `usage` when the file is damaged or its folder cannot be written.
 */
export async function updateConfig(folder: string, change: (config: Config) => Config): Promise<Config> {
  makePrivateFolder(folder);
  return withLock(join(folder, 'config.lock'), { patienceMs: 5000 }, async () => {
    const changed = change(readConfig(folder));
    writePrivate(configPath(folder), `${JSON.stringify({ version: VERSION, ...changed }, undefined, 2)}\n`);
    return changed;
  });
}

/** The profile of that name, null when there is none. */
export function findProfile(config: Config, name: string): Profile | null {
  return config.profiles.find((profile) => profile.name === name) ?? null;
}

/** Adds a profile or replaces the one of its name. It becomes active when `active` is true or when no profile is active. */
export function withProfile(config: Config, profile: Profile, active = false): Config {
  assertProfileName(profile.name);
  const others = config.profiles.filter(({ name }) => name !== profile.name);
  return {
    active: active || config.active === null ? profile.name : config.active,
    profiles: [...others, profile].sort((a, b) => (a.name < b.name ? -1 : 1)),
  };
}

/** Removes a profile. If it was the active one, no profile is active afterwards. */
export function withoutProfile(config: Config, name: string): Config {
  return {
    active: config.active === name ? null : config.active,
    profiles: config.profiles.filter((profile) => profile.name !== name),
  };
}

/**
 * Makes a profile the active one.
 * @throws Failure `usage` (`unknown_profile`)
 */
export function withActive(config: Config, name: string): Config {
  if (findProfile(config, name) === null) throw unknownProfile(config, name, 'no such profile:');
  return { ...config, active: name };
}

/** The failure for an unknown name; lists the known ones. */
export function unknownProfile(config: Config, name: string, because: string): Failure {
  const names = config.profiles.map((profile) => profile.name).join(', ');
  return usage(`${because} ${isSimpleName(name) ? name : 'the name is not valid'}`, {
    code: 'unknown_profile',
    next: names === '' ? 'create one: credicorp login' : `use one of: ${names}`,
  });
}

/** @throws Failure `usage` (`bad_profile_name`) */
export function assertProfileName(text: string): void {
  if (isSimpleName(text)) return;
  throw usage(
    'a profile name has letters, digits, dots, dashes and underscores, at most 64, and starts with a letter or digit',
    {
      code: 'bad_profile_name',
      param: 'profile',
    },
  );
}

function parseConfig(path: string, document: unknown): Config {
  if (!isObject(document)) throw corrupt(path, 'it is not an object');
  if (typeof document['version'] === 'number' && document['version'] > VERSION) {
    throw usage(`${path} was written by a newer version of this program`, {
      code: 'config_newer',
      next: 'update credicorp-cli, or choose another folder with CREDICORP_CONFIG_DIR',
    });
  }
  const { active = null, profiles } = document;
  if (active !== null && typeof active !== 'string') throw corrupt(path, '"active" is not a name');
  if (!Array.isArray(profiles)) throw corrupt(path, '"profiles" is not a list');
  const parsed = profiles.map((profile: unknown, index) => parseProfile(path, profile, index));
  if (new Set(parsed.map(({ name }) => name)).size < parsed.length)
    throw corrupt(path, 'two profiles have the same name');
  return { active, profiles: parsed };
}

function parseProfile(path: string, value: unknown, index: number): Profile {
  const bad = (member: string) => corrupt(path, `"${member}" of profile number ${index + 1} is wrong`);
  if (!isObject(value)) throw bad('profile');
  const { name, provider, environment, base, tokenUrl, mode, clientId, scopes, store, keptIn } = value;
  if (typeof name !== 'string' || !isSimpleName(name)) throw bad('name');
  if (typeof provider !== 'string' || !isSimpleName(provider)) throw bad('provider');
  if (!isEnvironment(environment)) throw bad('environment');
  if (mode !== 'oauth' && mode !== 'secret_key') throw bad('mode');
  if (!isStore(store)) throw bad('store');
  if (keptIn !== undefined && !(Array.isArray(keptIn) && keptIn.every(isStore))) throw bad('keptIn');
  // The plain file is only for public credentials.
  if (store === 'local' && environment !== 'local') throw bad('store');
  if (clientId !== undefined && typeof clientId !== 'string') throw bad('clientId');
  if (scopes !== undefined && !isTextList(scopes)) throw bad('scopes');
  return {
    name,
    provider,
    environment,
    base: readUrlOr(base, parseBase, () => bad('base')),
    ...(tokenUrl === undefined ? {} : { tokenUrl: readUrlOr(tokenUrl, parseTokenUrl, () => bad('tokenUrl')) }),
    mode,
    ...(clientId === undefined ? {} : { clientId }),
    ...(scopes === undefined ? {} : { scopes }),
    store,
    ...(keptIn === undefined ? {} : { keptIn }),
  };
}

function isStore(value: unknown): value is SecretStore {
  return value === 'os' || value === 'file' || value === 'local';
}

function readUrlOr(value: unknown, parse: (text: string) => string, refuse: () => Failure): string {
  if (typeof value !== 'string') throw refuse();
  try {
    return parse(value);
  } catch (error) {
    throw error instanceof Failure ? refuse() : error;
  }
}

function corrupt(path: string, why: string): Failure {
  return usage(`${path} is damaged: ${why}`, {
    code: 'config_corrupt',
    next: `correct it by hand, or move it away (mv ${path} ${path}.old) and sign in again; it was not changed`,
  });
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isTextList(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

const SECRETS: Readonly<Record<string, string>> = {
  cid_sbx_local: 'csk_sbx_local',
  cid_sbx_launch: 'csk_sbx_launch',
  cid_sbx_scale: 'csk_sbx_scale',
  partner_local: 'partner_secret_local',
};

const SECRET_KEYS = new Set(['sk_test_local', 'sk_test_launch', 'sk_test_scale']);

/** The profile that `sandbox start` creates. It is also the default while a sandbox is running. */
export const LOCAL_PROFILE = 'local';

/** The client that the profile `local` uses. */
export const LOCAL_CLIENT = { id: 'cid_sbx_local', secret: 'csk_sbx_local' } as const;

/** The public secret of one of the embedded sandbox's clients; null for any other client. */
export function localSecretOf(clientId: string): string | null {
  return Object.hasOwn(SECRETS, clientId) ? (SECRETS[clientId] ?? null) : null;
}

/** True for a client id, client secret or secret key that only the embedded sandbox accepts. */
export function isLocalCredential(text: string): boolean {
  return Object.hasOwn(SECRETS, text) || Object.values(SECRETS).includes(text) || SECRET_KEYS.has(text);
}
