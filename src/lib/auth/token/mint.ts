/** Mints an access token by client credentials (RFC 6749 §4.4, partner-api.md#oauth-tokens): finds the token endpoint, asks once, reads the answer. */
import { assertCredentialFits, isLoopback, originOf, parseTokenUrl } from '../../contract/environments.ts';
import { readProblem, requestIdOf, retryAfterMs } from '../../contract/error-answer.ts';
import type { HttpRequest, Send, HttpAnswer } from '../../contract/exchange.ts';
import { isRecord, parseJson } from '../../contract/json.ts';
import { OAUTH_PROBLEMS } from '../../contract/problem.ts';
import { Failure, type FailureFacts, type FailureKind } from '../../failure.ts';
import type { Provider } from '../providers/provider.ts';
import type { Identity } from '../credentials/client-identity.ts';

export interface Minted {
  token: string;
  /** Where it was minted. */
  tokenUrl: string;
  /** What was granted, when the server said so. */
  granted: string | null;
  /** Milliseconds since the epoch, by this machine's clock: used no longer, and dead. */
  useUntil: number;
  expiresAt: number;
}

export interface MintOptions {
  identity: Identity;
  secret: string;
  send: Send;
  now: () => number;
  notice: (text: string) => void;
  signal?: AbortSignal;
}

/** More than this, and signed webhooks begin to look stale (webhooks.md#signature-scheme allows 300 s). */
const SKEW_TOLD_MS = 30_000;

/** @throws Failure `auth` with the server's code, `rate_limited`, `unavailable`, `interrupted`. */
export async function mint(options: MintOptions): Promise<Minted> {
  const { identity, secret, send, now, notice, signal } = options;
  const endpoint = await findTokenEndpoint(options);
  const request = tokenRequest(endpoint, identity.clientId?.value ?? '', secret, identity.scopes.value);
  const answer = await send({ ...request, ...(signal === undefined ? {} : { signal }) });
  const at = now();
  const { token, expiresIn, granted } = readTokenAnswer(answer, endpoint.url, [secret]);
  tellSkew(answer.headers['date'], at, notice);
  const life = identity.provider.token === null ? 0 : usefulLife(expiresIn, identity.provider.token);
  return { token, tokenUrl: endpoint.url, granted, useUntil: at + life, expiresAt: at + expiresIn * 1000 };
}

/**
 * For how many milliseconds a fresh token is used: until shortly before its end (partner-api.md#oauth-tokens), half its life where the provider's
 * margin would leave nothing of it (AcountPay).
 */
function usefulLife(expiresIn: number, { earlySeconds, halveUpTo }: NonNullable<Provider['token']>): number {
  const seconds = expiresIn <= halveUpTo ? expiresIn / 2 : expiresIn - earlySeconds;
  return Math.max(0, seconds * 1000);
}

/** The request itself. `scope` is sent only when the user narrowed it, so that no assumed name causes a refusal (partner-api.md#scopes). */
function tokenRequest(
  { url, method }: Pick<TokenEndpoint, 'url' | 'method'>,
  clientId: string,
  secret: string,
  scopes: readonly string[],
): HttpRequest {
  const form = new URLSearchParams({ grant_type: 'client_credentials' });
  if (scopes.length > 0) form.set('scope', scopes.join(' '));
  return clientRequest({ url, method }, clientId, secret, form);
}

/** A form with the client's own credentials in it or beside it: token plane calls look alike. */
export function clientRequest(
  { url, method }: Pick<TokenEndpoint, 'url' | 'method'>,
  clientId: string,
  secret: string,
  form: URLSearchParams,
): HttpRequest {
  const headers: Record<string, string> = {
    accept: 'application/json',
    'content-type': 'application/x-www-form-urlencoded',
  };
  if (method === 'basic') headers['authorization'] = `Basic ${basicOf(clientId, secret)}`;
  else {
    form.set('client_id', clientId);
    form.set('client_secret', secret);
  }
  return { method: 'POST', url, headers, body: form.toString() };
}

/** Both halves are form-encoded before they are joined (RFC 6749 §2.3.1). */
function basicOf(clientId: string, secret: string): string {
  return Buffer.from(`${encoded(clientId)}:${encoded(secret)}`).toString('base64');
}

function encoded(text: string): string {
  return new URLSearchParams({ v: text }).toString().slice(2);
}

function tellSkew(date: string | undefined, at: number, notice: (text: string) => void): void {
  const server = date === undefined ? NaN : Date.parse(date);
  const skew = Math.round((at - server) / 1000);
  if (Number.isNaN(server) || Math.abs(skew) * 1000 <= SKEW_TOLD_MS) return;
  const direction = skew > 0 ? 'ahead of' : 'behind';
  notice(
    `this machine's clock is ${Math.abs(skew)} s ${direction} the server's: set it, or signatures and tokens will look stale`,
  );
}

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
async function findTokenEndpoint(asking: Asking): Promise<TokenEndpoint> {
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

export interface ReadToken {
  token: string;
  /** Seconds. */
  expiresIn: number;
  /** The scopes the server says it granted, null when it does not say. */
  granted: string | null;
}

/** partner-api.md#oauth-tokens: what a token lives when the server does not say. */
const USUAL_LIFE = 3600;

/**
 * The token in the answer. `known` are secrets to keep out of messages, should the server echo them.
 * @throws Failure `auth`, `rate_limited`, `unavailable`.
 */
export function readTokenAnswer(answer: HttpAnswer, url: string, known: readonly string[] = []): ReadToken {
  if (answer.status < 200 || answer.status > 299) throw tokenFailure(answer, url, known);
  const body = readBody(answer.text);
  const token = body?.['access_token'];
  // A bearer goes into a header: visible ASCII without spaces (RFC 6750 §2.1, a little wider).
  if (typeof token !== 'string' || !/^[\x21-\x7e]+$/.test(token)) {
    throw new Failure('unavailable', `${hostOf(url)} did not answer with a token`, {
      ...factsOf(answer),
      code: 'no_token_in_answer',
      next: 'check the token URL with credicorp whoami; a proxy or sign-in page may stand in between',
    });
  }
  const type = body?.['token_type'];
  if (typeof type === 'string' && type.toLowerCase() !== 'bearer') {
    throw new Failure('auth', 'the token is of a type this program cannot use', {
      ...factsOf(answer),
      code: 'token_type',
      next: 'check the token URL with credicorp whoami',
    });
  }
  const granted = body?.['scope'];
  return { token, expiresIn: lifeOf(body?.['expires_in']), granted: typeof granted === 'string' ? granted : null };
}

/** What a refusal by the token endpoint means. Also for introspection, which is refused in the same words. */
export function tokenFailure(answer: HttpAnswer, url: string, known: readonly string[] = []): Failure {
  const { code, type, message: said } = readProblem(answer, known);
  const name = code ?? type;
  const problem = Object.entries(OAUTH_PROBLEMS).find(([known]) => known === name)?.[1] ?? null;
  const [message, next] = wordsFor(answer.status, url, problem);
  return new Failure(kindOf(answer.status), message + (said === null ? '' : `: ${said}`), {
    ...factsOf(answer),
    ...(name === null ? {} : { code: name.slice(0, 60) }),
    next,
  });
}

function kindOf(status: number): FailureKind {
  if (status === 429) return 'rate_limited';
  return status >= 500 || status < 400 ? 'unavailable' : 'auth';
}

function wordsFor(status: number, url: string, problem: { meaning: string; next: string } | null): [string, string] {
  const host = hostOf(url);
  if (status === 429) return [`${host} has given out too many tokens for now`, OAUTH_PROBLEMS.rate_limit_exceeded.next];
  if (status >= 500)
    return [`the token server ${host} failed (${status})`, 'try again in a moment; see credicorp status'];
  if (status < 400) {
    // The credentials would follow the redirect to wherever it points.
    return [
      `${host} redirects token requests, which is not followed`,
      'set the token URL it points to with --token-url',
    ];
  }
  if (problem !== null) return [`${host} refused to give a token, ${problem.meaning}`, problem.next];
  if (status === 404 || status === 405) {
    return [
      `${host} has no token endpoint at ${new URL(url).pathname}`,
      'check the base and token URL with credicorp whoami',
    ];
  }
  return [
    `${host} refused to give a token (${status})`,
    'check client id, secret and environment with credicorp whoami',
  ];
}

function factsOf(answer: HttpAnswer): FailureFacts {
  const requestId = requestIdOf(answer);
  const wait = retryAfterMs(answer.headers);
  return {
    status: answer.status,
    ...(requestId === null ? {} : { requestId }),
    ...(wait === null ? {} : { retryAfter: Math.ceil(wait / 1000) }),
  };
}

function readBody(text: string): Record<string, unknown> | null {
  try {
    const body = parseJson(text);
    return isRecord(body) ? body : null;
  } catch {
    return null;
  }
}

/** Seconds as a number, or as text as some servers write it. */
function lifeOf(value: unknown): number {
  const seconds = typeof value === 'string' && value !== '' ? Number(value) : value;
  return typeof seconds === 'number' && Number.isFinite(seconds) && seconds >= 0 ? seconds : USUAL_LIFE;
}

function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : 'the token server';
}
