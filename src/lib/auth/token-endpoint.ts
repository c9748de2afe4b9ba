/** Where a token is minted, and how the client says who it is there: explicit setting, discovery, default (partner-api.md#oauth-tokens). */

import { assertCredentialFits, isLoopback, originOf, parseTokenUrl } from '../contract/environments.ts';
import type { HttpAnswer, Send } from '../contract/exchange.ts';
import { isRecord, parseJson } from '../contract/json.ts';
import { Failure } from '../failure.ts';
import type { Identity } from './identity.ts';

export interface TokenEndpoint {
  url: string;
  /** How the client authenticates: in the form, or by HTTP Basic (RFC 6749 §2.3.1). */
  method: 'form' | 'basic';
  from: 'explicit' | 'discovery' | 'default';
}

/** What a discovery document says that this program follows. Every member may be missing. */
export interface Discovered {
  issuer?: string;
  tokenEndpoint?: string;
  jwksUri?: string;
  introspectionEndpoint?: string;
  scopes?: readonly string[];
  methods?: readonly string[];
}

interface Asking {
  identity: Identity;
  send: Send;
  notice: (text: string) => void;
  signal?: AbortSignal;
}

const DISCOVERY_LIMIT_MS = 5000;

/** @throws Failure `interrupted`; everything else that goes wrong with discovery leads to the default. */
export async function findTokenEndpoint(asking: Asking): Promise<TokenEndpoint> {
  const { identity, notice } = asking;
  const { token } = identity.provider;
  if (token === null) throw new Failure('bug', `${identity.provider.title} has no tokens`, { code: 'no_tokens' });
  if (identity.tokenUrl !== null) return explicitEndpoint(identity.tokenUrl.value, token.discovery, asking);
  const fallback = identity.base.value + token.path;
  const found = token.discovery ? await discover(asking) : null;
  if (found === null) return { url: fallback, method: 'form', from: 'default' };
  const method = clientMethod(found);
  const url = found.tokenEndpoint === undefined ? null : trusted(found.tokenEndpoint, identity);
  if (url !== null) return { url, method, from: 'discovery' };
  // The client secret would be sent there.
  const names = found.tokenEndpoint === undefined ? 'no token endpoint' : 'a token endpoint that is not trusted';
  const host = originOf(identity.base.value) ?? 'the host';
  notice(`the discovery document of ${host} names ${names}; using ${fallback}`);
  return { url: fallback, method, from: 'default' };
}

/**
 * The URL the user gave, whatever a document says. How the client says who it is there, the URL's own host may tell; only what it
 * says of this very endpoint counts, and nothing but this question goes to it.
 */
async function explicitEndpoint(url: string, discovery: boolean, asking: Asking): Promise<TokenEndpoint> {
  const found = discovery ? await discover(asking, url) : null;
  const named = found?.tokenEndpoint ?? '';
  const same = URL.canParse(named) && new URL(named).href === new URL(url).href;
  return { url, method: clientMethod(same ? found : null), from: 'explicit' };
}

/**
 * The authorisation server metadata of a host (RFC 8414 §3), null when it has none that can be read within the limit.
 * @param at a URL on that host; the API's when not told otherwise
 */
export async function discover(
  { identity, send, signal }: Asking,
  at: string = identity.base.value,
): Promise<Discovered | null> {
  // Tries anew included.
  const late = AbortSignal.timeout(DISCOVERY_LIMIT_MS);
  let answer: HttpAnswer;
  try {
    answer = await send({
      method: 'GET',
      url: `${originOf(at) ?? at}/.well-known/oauth-authorization-server`,
      headers: { accept: 'application/json' },
      timeoutMs: DISCOVERY_LIMIT_MS,
      signal: signal === undefined ? late : AbortSignal.any([signal, late]),
    });
  } catch (error) {
    if (error instanceof Failure && (error.kind !== 'interrupted' || signal?.aborted !== true)) return null;
    throw error;
  }
  return answer.status === 200 ? readDiscovery(answer.text) : null;
}

/** Judges a metadata document; null when it is none. */
function readDiscovery(text: string): Discovered | null {
  let document: unknown;
  try {
    document = parseJson(text);
  } catch {
    return null;
  }
  if (!isRecord(document)) return null;
  const found: Discovered = {};
  const { issuer, token_endpoint, jwks_uri, introspection_endpoint, scopes_supported } = document;
  if (typeof issuer === 'string') found.issuer = issuer;
  if (typeof token_endpoint === 'string') found.tokenEndpoint = token_endpoint;
  if (typeof jwks_uri === 'string') found.jwksUri = jwks_uri;
  if (typeof introspection_endpoint === 'string') found.introspectionEndpoint = introspection_endpoint;
  if (isTextList(scopes_supported)) found.scopes = scopes_supported;
  const methods = document['token_endpoint_auth_methods_supported'];
  if (isTextList(methods)) found.methods = methods;
  return found;
}

/**
 * The URL in its one spelling when a discovery document may name it: on the base's own origin, or https on the provider's domain or
 * below, and never of another environment. null otherwise. A document from this machine speaks for this machine only.
 */
export function trusted(text: string, identity: Identity): string | null {
  let url: string;
  try {
    url = parseTokenUrl(text);
    for (const environment of [identity.environment.value, identity.credentialEnvironment]) {
      assertCredentialFits(environment, url, identity.environment.value, identity.provider.hosts);
    }
  } catch (error) {
    if (error instanceof Failure) return null;
    throw error;
  }
  const base = new URL(identity.base.value);
  const { origin, protocol, hostname } = new URL(url);
  if (origin === base.origin) return url;
  const domain = identity.provider.token?.domain ?? null;
  if (domain === null || isLoopback(base.hostname) || protocol !== 'https:') return null;
  return hostname === domain || hostname.endsWith(`.${domain}`) ? url : null;
}

/** The form, unless discovery knows HTTP Basic alone (partner-api.md#oauth-tokens). */
export function clientMethod(found: Discovered | null): TokenEndpoint['method'] {
  return found?.methods !== undefined && onlyBasic(found.methods) ? 'basic' : 'form';
}

function onlyBasic(methods: readonly string[]): boolean {
  return methods.includes('client_secret_basic') && !methods.includes('client_secret_post');
}

function isTextList(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}
