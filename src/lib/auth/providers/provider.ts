/**
 * A provider is one data file: its hosts, how a token is obtained, the format of its calls and webhooks. Three are built in; users add
 * others as a file `<name>.json` in the folder `providers` of the configuration folder. The file is validated by hand, without the schema
 * library, because every command reads it.
 */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { type Environment, type KnownHosts, isEnvironment, parseBase } from '../../contract/environments.ts';
import { type WebhookScheme, pairNames } from '../../contract/webhook-scheme.ts';
import { Failure, usage } from '../../failure.ts';
import { readPrivate } from '../../files/private-files.ts';
import acountpayV2 from './acountpay-v2.json' with { type: 'json' };
import acountpay from './acountpay.json' with { type: 'json' };
import credicorp from './credicorp.json' with { type: 'json' };

/** The built-in providers. A test validates them, so commands use them as they are. */
const BUILT_IN = [credicorp, acountpay, acountpayV2] as unknown as readonly Provider[];
const LARGEST = 64 * 1024;

/** Names of the built-in providers. */
export const PROVIDER_NAMES: readonly string[] = ['credicorp', 'acountpay', 'acountpay-v2'];

/**
 * The provider of that name.
 * @throws Failure `usage` (`unknown_provider`, `bad_provider`)
 */
export function findProvider(name: string, configFolder: string): Provider {
  const builtIn = BUILT_IN.find((provider) => provider.name === name);
  if (builtIn !== undefined) return builtIn;
  const path = isSimpleName(name) ? join(configFolder, 'providers', `${name}.json`) : null;
  const size = path === null ? undefined : statSync(path, { throwIfNoEntry: false })?.size;
  if (path === null || size === undefined) {
    throw usage(`no such provider: ${isSimpleName(name) ? name : 'the name is not valid'}`, {
      code: 'unknown_provider',
      param: 'provider',
      next: `use ${PROVIDER_NAMES.join(', ')}, or describe it in a file in ${join(configFolder, 'providers')}`,
    });
  }
  if (size > LARGEST) throw badProvider(path, 'it is larger than 64 KiB');
  return readProvider(path, name);
}

function readProvider(path: string, name: string): Provider {
  let document: unknown;
  try {
    document = JSON.parse(readPrivate(path) ?? '');
  } catch (error) {
    if (error instanceof Failure) throw error;
    throw badProvider(path, 'it is not JSON');
  }
  try {
    return parseProvider(document, name);
  } catch (error) {
    throw error instanceof Failure ? badProvider(path, error.message) : error;
  }
}

function badProvider(path: string, why: string): Failure {
  return usage(`${path} does not describe a provider: ${why}`, {
    code: 'bad_provider',
    next: 'correct the file; the built-in ones show the format',
  });
}

export interface Provider {
  name: string;
  /** Its name in messages. */
  title: string;
  /** Default bases; an environment without one needs its base from the user. */
  bases: Partial<Record<Environment, string>>;
  hosts: KnownHosts;
  /** Whether client credentials are exchanged for a bearer token, or id and secret are sent as headers with each call. */
  authentication: 'client_credentials' | 'headers';
  /** null for a provider without tokens. */
  token: ProviderToken | null;
  /** Secret keys can be used as the bearer token (partner-api.md#credential-kinds). */
  secretKeys: boolean;
  /** Its credentials have the environment in their prefix (partner-api.md#credential-kinds), so a prefixed one belongs to no other provider. */
  marked: boolean;
  /** Its API is the partner API, so every command works. For any other, only `credicorp api` can call it. */
  partnerApi: boolean;
  /** Its API supports idempotency keys; without them a write is never retried. */
  idempotency: boolean;
  /** Path of a read that needs a valid credential, to check one for which no token is minted; null where none is known. */
  probePath: string | null;
  /** The member of a request body that names the merchant; null where a header does, or where there are no merchants. */
  merchantField: string | null;
  /** Header names, lower case. `merchant` is the header that names the merchant. */
  headers: { clientId: string | null; clientSecret: string | null; merchant: string | null };
  webhooks: WebhookScheme;
  /** Public, throw-away credential of the embedded sandbox; null when it does not imitate this provider. */
  localClient: { id: string; secret: string } | null;
}

/** How a token is obtained. Paths are relative to the base. */
export interface ProviderToken {
  path: string;
  /** Ask the API host for RFC 8414 metadata before falling back to `path`. */
  discovery: boolean;
  /** A discovered token endpoint may also be https on this domain or below it. */
  domain: string | null;
  /** How many seconds before its expiry a token is treated as expired. */
  earlySeconds: number;
  /** A token with at most this lifetime, in seconds, is treated as expired after half of it instead; 0 for never. */
  halveUpTo: number;
  /** null when tokens cannot be verified locally. */
  jwksPath: string | null;
  /** null when the server has no introspection. */
  introspectPath: string | null;
  /** What a token's `aud` must be; null when unknown. */
  audiencePath: string | null;
}

/** A value in the document, and its path for error messages. */
interface Place {
  at: string;
  value: unknown;
}

/** @throws Failure `usage`, naming the first member that is wrong. */
function parseProvider(document: unknown, name: string): Provider {
  const root: Place = { at: '', value: document };
  if (text(member(root, 'name')) !== name) throw wrong({ at: 'name', value: null }, `"${name}", like the file`);
  const headers = member(root, 'headers');
  const localClient = member(root, 'localClient');
  const provider: Provider = {
    name,
    title: text(member(root, 'title')),
    bases: parseBases(member(root, 'bases')),
    hosts: parseHosts(member(root, 'hosts')),
    authentication: oneOf(member(root, 'authentication'), ['client_credentials', 'headers']),
    token: parseToken(member(root, 'token')),
    secretKeys: flag(member(root, 'secretKeys')),
    marked: flag(member(root, 'marked')),
    partnerApi: flag(member(root, 'partnerApi')),
    idempotency: flag(member(root, 'idempotency')),
    probePath: orNull(member(root, 'probePath'), pathWithQuery),
    merchantField: orNull(member(root, 'merchantField'), text),
    headers: {
      clientId: headerName(member(headers, 'clientId')),
      clientSecret: headerName(member(headers, 'clientSecret')),
      merchant: headerName(member(headers, 'merchant')),
    },
    webhooks: parseWebhooks(member(root, 'webhooks')),
    localClient:
      localClient.value === null
        ? null
        : { id: text(member(localClient, 'id')), secret: text(member(localClient, 'secret')) },
  };
  assertWhole(provider);
  return provider;
}

/** Checks members that depend on each other. */
function assertWhole({ authentication, token, headers }: Provider): void {
  if (authentication === 'client_credentials' && token === null) {
    throw wrong({ at: 'token', value: null }, 'given with client credentials');
  }
  if (authentication === 'headers' && (headers.clientId === null || headers.clientSecret === null)) {
    throw wrong({ at: 'headers', value: null }, 'two header names when credentials travel as headers');
  }
}

function parseToken(place: Place): ProviderToken | null {
  if (place.value === null) return null;
  return {
    path: path(member(place, 'path')),
    discovery: flag(member(place, 'discovery')),
    domain: orNull(member(place, 'domain'), hostName),
    earlySeconds: seconds(member(place, 'earlySeconds')),
    halveUpTo: seconds(member(place, 'halveUpTo')),
    jwksPath: orNull(member(place, 'jwksPath'), path),
    introspectPath: orNull(member(place, 'introspectPath'), path),
    audiencePath: orNull(member(place, 'audiencePath'), path),
  };
}

function parseWebhooks(place: Place): WebhookScheme {
  const scheme: WebhookScheme = {
    signatureHeader: present(member(place, 'signatureHeader'), headerName),
    signature: template(member(place, 'signature')),
    timestampHeader: headerName(member(place, 'timestampHeader')),
    timestamp: orNull(member(place, 'timestamp'), (one) => oneOf(one, ['unix', 'unix_ms', 'iso'])),
    signed: template(member(place, 'signed')),
    hash: oneOf(member(place, 'hash'), ['sha256', 'sha384', 'sha512']),
    encoding: oneOf(member(place, 'encoding'), ['hex', 'base64']),
    toleranceSeconds: orNull(member(place, 'toleranceSeconds'), seconds),
    refuseWith: seconds(member(place, 'refuseWith')),
    eventId: orNull(member(place, 'eventId'), (one) => memberPaths(one)),
  };
  assertScheme(place, scheme);
  return scheme;
}

/** Checks the parts of a webhook scheme that depend on each other: a time that is not signed would give no protection. */
function assertScheme(place: Place, scheme: WebhookScheme): void {
  const { signature, signed, timestamp, timestampHeader, toleranceSeconds } = scheme;
  const times = (text: string, what: string): number => text.split(what).length - 1;
  const pairs = pairNames(scheme);
  const inHeader = times(signature, '{t}');
  if (times(signature, '{mac}') !== 1 || (pairs === null ? !/^[\w.:= -]*\{mac\}$/.test(signature) : inHeader > 1)) {
    throw wrong(member(place, 'signature'), '{mac}, a text and {mac}, or pairs like t={t},v1={mac}');
  }
  if (times(signed, '{body}') !== 1 || times(signed, '{t}') !== (timestamp === null ? 0 : 1)) {
    throw wrong(member(place, 'signed'), '{body} once, and {t} once where there is a time');
  }
  if (inHeader + (timestampHeader === null ? 0 : 1) !== (timestamp === null ? 0 : 1)) {
    throw wrong(member(place, 'timestampHeader'), 'given where the time is in neither of the two, and only there');
  }
  if ((toleranceSeconds === null) !== (timestamp === null)) {
    throw wrong(member(place, 'toleranceSeconds'), 'given where there is a time, and only there');
  }
}

function memberPaths(place: Place): string[] {
  const { value } = place;
  const fits = (path: unknown): path is string => typeof path === 'string' && /^[\w.|]{1,200}$/.test(path);
  if (!Array.isArray(value) || value.length === 0 || value.length > 10 || !value.every(fits)) {
    throw wrong(place, 'paths of members like data.id');
  }
  return value;
}

/** Visible ASCII on one line: it goes into a header, or into what is signed. */
function template(place: Place): string {
  const value = text(place);
  if (!/^[ -~]{1,100}$/.test(value)) throw wrong(place, 'one line of plain text');
  return value;
}

function parseBases(place: Place): Partial<Record<Environment, string>> {
  const bases: Partial<Record<Environment, string>> = {};
  for (const [key, value] of Object.entries(record(place))) {
    const at = `${place.at}.${key}`;
    if (!isEnvironment(key)) throw wrong({ at, value }, 'named local, sandbox or live');
    bases[key] = parseBase(text({ at, value }));
  }
  return bases;
}

function parseHosts(place: Place): Record<string, Environment> {
  return Object.fromEntries(
    Object.entries(record(place)).map(([host, value]) => {
      const at = `${place.at}.${host}`;
      return [hostName({ at, value: host }), oneOf({ at, value }, ['sandbox', 'live'] as const)];
    }),
  );
}

function record(place: Place): Record<string, unknown> {
  if (typeof place.value !== 'object' || place.value === null || Array.isArray(place.value)) {
    throw wrong(place, 'an object');
  }
  return Object.fromEntries(Object.entries(place.value));
}

function member(place: Place, name: string): Place {
  const value = record(place)[name];
  return { at: place.at === '' ? name : `${place.at}.${name}`, value };
}

function text(place: Place): string {
  if (typeof place.value !== 'string' || place.value === '' || place.value.length > 500) throw wrong(place, 'text');
  return place.value;
}

function flag(place: Place): boolean {
  if (typeof place.value !== 'boolean') throw wrong(place, 'true or false');
  return place.value;
}

function seconds(place: Place): number {
  const { value } = place;
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value > 86_400) {
    throw wrong(place, 'a whole number up to 86400');
  }
  return value;
}

function path(place: Place): string {
  const value = text(place);
  if (!/^\/[\w./-]*$/.test(value) || value.startsWith('//')) throw wrong(place, 'a path that starts with /');
  return value;
}

function pathWithQuery(place: Place): string {
  const value = text(place);
  if (!/^\/[\w./?=&-]*$/.test(value) || value.startsWith('//')) throw wrong(place, 'a path that starts with /');
  return value;
}

function hostName(place: Place): string {
  const value = text(place);
  if (!/^[a-z0-9-]+(?:\.[a-z0-9-]+)+$/.test(value)) throw wrong(place, 'a host name in lower case');
  return value;
}

function headerName(place: Place): string | null {
  if (place.value === null) return null;
  const value = text(place);
  if (!/^[a-z0-9-]+$/.test(value)) throw wrong(place, 'a header name in lower case, or null');
  return value;
}

function oneOf<const T extends string>(place: Place, choices: readonly T[]): T {
  const found = choices.find((choice) => choice === place.value);
  if (found === undefined) throw wrong(place, choices.join(' or '));
  return found;
}

function present<T>(place: Place, read: (place: Place) => T | null): T {
  const found = read(place);
  if (found === null) throw wrong(place, 'given');
  return found;
}

function orNull<T>(place: Place, read: (place: Place) => T): T | null {
  return place.value === null ? null : read(place);
}

function wrong(place: Place, expected: string) {
  return usage(`"${place.at}" must be ${expected}`, { code: 'bad_provider' });
}

/** Names of profiles and providers go into keychain accounts and file names: letters, digits, `.`, `_`, `-`, at most 64, starting with a letter or digit. */
export function isSimpleName(text: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(text);
}
