/**
 * Which environment a host and a credential belong to, and the guard between them (partner-api.md#hosts-and-environments, partner-api.md#credential-kinds). Hosts are compared as
 * the URL parser sees them, never by substring: `127.0.0.1.evil.example`, user-info tricks and look-alike letters are
 * treated as unknown hosts.
 */

import { usage } from '../failure.ts';

export type Environment = 'local' | 'sandbox' | 'live';

/** Environment of each known host name of a provider. */
export type KnownHosts = Readonly<Record<string, Environment>>;

export const CREDICORP_HOSTS: KnownHosts = {
  'api.credicorp.co.uk': 'live',
  'hub.credicorp.co.uk': 'live',
  'sandbox.credicorp.co.uk': 'sandbox',
  'sandbox.api.credicorp.co.uk': 'sandbox',
};

export const DEFAULT_BASES: Readonly<Record<Environment, string>> = {
  local: 'http://127.0.0.1:4010',
  sandbox: 'https://sandbox.credicorp.co.uk',
  live: 'https://api.credicorp.co.uk',
};

/** The path every partner route starts with; a base never contains it. */
const RING = '/partner/v1';

const MARKERS: readonly [prefix: string, environment: 'sandbox' | 'live'][] = [
  ['cid_sbx_', 'sandbox'],
  ['csk_sbx_', 'sandbox'],
  ['sk_test_', 'sandbox'],
  ['pk_test_', 'sandbox'],
  ['cid_live_', 'live'],
  ['csk_live_', 'live'],
  ['sk_live_', 'live'],
  ['pk_live_', 'live'],
];

/** True when the text is the name of an environment. */
export function isEnvironment(text: unknown): text is Environment {
  return text === 'local' || text === 'sandbox' || text === 'live';
}

/** True for `127.0.0.0/8`, `::1` and `localhost` (partner-api.md#hosts-and-environments), given a host name as `URL.hostname` spells it. */
export function isLoopback(hostname: string): boolean {
  const host = withoutRootDot(hostname.toLowerCase());
  return host === 'localhost' || host === '[::1]' || host === '::1' || /^127(?:\.\d{1,3}){3}$/.test(host);
}

/** The environment a URL's host is known to serve; null for an unknown host or text that is no URL. */
export function environmentOfHost(url: string | URL, hosts: KnownHosts = CREDICORP_HOSTS): Environment | null {
  const parsed = parseUrl(url);
  if (parsed === null) return null;
  if (isLoopback(parsed.hostname)) return 'local';
  const host = withoutRootDot(parsed.hostname);
  return Object.hasOwn(hosts, host) ? (hosts[host] ?? null) : null;
}

/** The environment that the prefix of a credential names; null without such a prefix (partner-api.md#credential-kinds). */
export function environmentOfCredential(text: string): 'sandbox' | 'live' | null {
  const found = MARKERS.find(([prefix]) => text.trim().startsWith(prefix));
  return found ? found[1] : null;
}

/**
 * Normalises a configured base URL: no trailing `/`, no `/partner/v1`, no root dot (partner-api.md#hosts-and-environments).
 * @throws Failure `usage` for anything that is not an API base: plain http off loopback, user info, query, fragment, a host of the website.
 */
export function parseBase(text: string): string {
  const url = readUrl(text, 'base');
  refuseWebsite(url);
  let path = url.pathname.replace(/\/+$/, '');
  if (path.endsWith(RING)) path = path.slice(0, -RING.length).replace(/\/+$/, '');
  if (`${path}/`.includes(`${RING}/`)) {
    throw refusal(`the base URL of ${url.host} contains ${RING} in the middle`, `give the part before ${RING}`);
  }
  return url.origin + path;
}

/**
 * Reads a configured token URL. Same rules as a base, but the path stays as it is.
 * @throws Failure `usage`
 */
export function parseTokenUrl(text: string): string {
  const url = readUrl(text, 'token');
  refuseWebsite(url);
  return url.origin + url.pathname;
}

/**
 * The environment of a base URL. A known host has a fixed environment; an unknown host needs an explicit
 * one; a loopback host is `local` unless `sandbox` is given explicitly (partner-api.md#hosts-and-environments).
 * @throws Failure `usage` when the two disagree or nothing is known.
 */
export function environmentOfBase(
  base: string,
  explicit: Environment | null,
  hosts: KnownHosts = CREDICORP_HOSTS,
): Environment {
  const known = environmentOfHost(base, hosts);
  const host = hostOf(base);
  if (known === null) {
    if (explicit === null) {
      throw refusal(
        `${host} is not a known host`,
        `sign in once with its environment: credicorp login --env sandbox --api-base https://${host}, or --env live`,
      );
    }
    if (explicit === 'local')
      throw refusal(`${host} is not on this machine, so it cannot be local`, 'use --env sandbox');
    return explicit;
  }
  if (explicit === null || explicit === known) return known;
  if (known === 'local' && explicit === 'sandbox') return explicit;
  throw refusal(`${host} serves ${known}, not ${explicit}`, `use --env ${known}, or another base URL`);
}

/**
 * Checks a credential before every request: a live credential never goes to a sandbox or loopback host, a sandbox one never to a live
 * host (partner-api.md#hosts-and-environments). `credential` is the environment in the credential's prefix or, without one, the environment it was stored for; null is accepted.
 * @throws Failure `usage` (`environment_mismatch`), before anything is sent.
 */
export function assertCredentialFits(
  credential: Environment | null,
  url: string,
  explicit: Environment | null = null,
  hosts: KnownHosts = CREDICORP_HOSTS,
): void {
  const target = environmentOfHost(url, hosts) ?? explicit;
  if (credential === null || target === null || credential === target) return;
  if (credential === 'sandbox' && target === 'local') return;
  // The embedded sandbox's own credential may be used for the environment sandbox on this machine, and nowhere else.
  if (credential === 'local' && target === 'sandbox' && environmentOfHost(url, hosts) === 'local') return;
  throw usage(`a ${credential} credential is never sent to ${hostOf(url)}, which is ${target}`, {
    code: 'environment_mismatch',
    next: `use a ${target} credential, or a base URL of ${credential}`,
  });
}

/** Scheme, host and port of a URL, normalised; null when the text is no URL. */
export function originOf(url: string): string | null {
  const parsed = parseUrl(url);
  if (parsed === null) return null;
  parsed.hostname = withoutRootDot(parsed.hostname);
  return parsed.origin;
}

function readUrl(text: string, what: 'base' | 'token'): URL {
  const trimmed = text.trim();
  const url = /[\s\p{Cc}]/u.test(trimmed) ? null : parseUrl(trimmed);
  if (url === null || (url.protocol !== 'https:' && url.protocol !== 'http:') || url.hostname === '') {
    throw refusal(`the ${what} URL is not an absolute http or https URL`, `write it like ${DEFAULT_BASES.sandbox}`);
  }
  if (url.username !== '' || url.password !== '' || /^[a-z]+:[\\/]*[^\\/?#]*@/i.test(trimmed)) {
    throw refusal(`the ${what} URL carries a user name or password before its host ${url.host}`, 'leave them out');
  }
  // An empty query or fragment (a trailing `?` or `#`) is not visible in the parsed URL.
  if (/[?#]/.test(trimmed)) throw refusal(`the ${what} URL of ${url.host} carries a query or fragment`, 'leave it out');
  url.hostname = withoutRootDot(url.hostname);
  if (url.protocol === 'http:' && !isLoopback(url.hostname)) {
    throw refusal(`plain http is accepted for this machine only, and ${url.host} is not`, `use https://${url.host}`);
  }
  return url;
}

/** `beta.` and `ww2…` hosts serve the website, not the API (partner-api.md#hosts-and-environments). */
function refuseWebsite(url: URL): void {
  if (url.hostname === 'beta.credicorp.co.uk' || url.hostname.startsWith('ww2')) {
    throw refusal(`${url.hostname} is a website, not an API`, `use ${DEFAULT_BASES.sandbox} or ${DEFAULT_BASES.live}`);
  }
}

function refusal(message: string, next: string) {
  return usage(message, { code: 'bad_base', next });
}

function parseUrl(url: string | URL): URL | null {
  if (url instanceof URL) return new URL(url.href);
  return URL.canParse(url) ? new URL(url) : null;
}

function hostOf(url: string): string {
  return parseUrl(url)?.host ?? 'this host';
}

/** `api.credicorp.co.uk.` names the same host as without the dot of the DNS root. */
function withoutRootDot(hostname: string): string {
  return hostname.endsWith('.') ? hostname.slice(0, -1) : hostname;
}
