/** Mints an access token by client credentials (RFC 6749 §4.4, partner-api.md#oauth-tokens): finds the token endpoint, sends one request, and reads the answer. */
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
  /** The granted scopes, when the server reports them. */
  granted: string | null;
  /** Milliseconds since the epoch, by this machine's clock: when the token is no longer used, and when it expires. */
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

/** Clock difference in seconds that causes a warning: with more, signed webhooks may be refused as too old (webhooks.md#signature-scheme allows 300 s). */
const SKEW_TOLD_MS = 30_000;

/** @throws Failure `auth` with the server's code, `rate_limited`, `unavailable`, `interrupted`. */
export async function mint(options: MintOptions): Promise<Minted> {
  const { identity, secret, send, now, notice, signal } = options;
  const endpoint = await findTokenEndpoint(options);
  const request = tokenRequest(endpoint, identity.clientId?.value ?? '', secret, identity.scopes.value);
  const answer = await send({ ...request, ...(signal === undefined ? {} : { signal }) });
  const at = now();
  const { token, expiresIn, granted } = readTokenAnswer(answer, endpoint.url, [secret]);
  warnOfClockSkew(answer.headers['date'], at, notice);
  const life = identity.provider.token === null ? 0 : usefulLife(expiresIn, identity.provider.token);
  return { token, tokenUrl: endpoint.url, granted, useUntil: at + life, expiresAt: at + expiresIn * 1000 };
}

/**
 * For how many milliseconds a new token is used: until shortly before it expires (partner-api.md#oauth-tokens), or half of its lifetime
 * where the provider's margin would be longer than that (AcountPay).
 */
function usefulLife(expiresIn: number, { earlySeconds, halveUpTo }: NonNullable<Provider['token']>): number {
  const seconds = expiresIn <= halveUpTo ? expiresIn / 2 : expiresIn - earlySeconds;
  return Math.max(0, seconds * 1000);
}

/** The token request. `scope` is sent only when the user narrowed it, so that an assumed name cannot cause a refusal (partner-api.md#scopes). */
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

/** A form post with the client's credentials in the form or in a header, for token and introspection endpoints. */
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

/** The value for HTTP Basic; id and secret are form-encoded first (RFC 6749 §2.3.1). */
function basicOf(clientId: string, secret: string): string {
  return Buffer.from(`${encoded(clientId)}:${encoded(secret)}`).toString('base64');
}

function encoded(text: string): string {
  return new URLSearchParams({ v: text }).toString().slice(2);
}

function warnOfClockSkew(date: string | undefined, at: number, notice: (text: string) => void): void {
  const server = date === undefined ? NaN : Date.parse(date);
  const skew = Math.round((at - server) / 1000);
  if (Number.isNaN(server) || Math.abs(skew) * 1000 <= SKEW_TOLD_MS) return;
  const direction = skew > 0 ? 'ahead of' : 'behind';
  notice(
    `this machine's clock is ${Math.abs(skew)} s ${direction} the server's: set it, or signatures and tokens will be refused as expired`,
  );
}

export interface TokenEndpoint {
  url: string;
  /** How the client authenticates: in the form, or by HTTP Basic (RFC 6749 §2.3.1). */
  method: 'form' | 'basic';
  from: 'explicit' | 'discovery' | 'default';
}

/** The members of a discovery document that this program uses. Each may be missing. */
export interface Discovered {
  issuer?: string;
  tokenEndpoint?: string;
  jwksUri?: string;
  introspectionEndpoint?: string;
  scopes?: readonly string[];
  methods?: readonly string[];
}

interface DiscoveryOptions {
  identity: Identity;
  send: Send;
  notice: (text: string) => void;
  signal?: AbortSignal;
}

const DISCOVERY_LIMIT_MS = 5000;

/** Finds the token endpoint; the default one when discovery fails. @throws Failure `interrupted` */
async function findTokenEndpoint(options: DiscoveryOptions): Promise<TokenEndpoint> {
  const { identity, notice } = options;
  const { token } = identity.provider;
  if (token === null) throw new Failure('bug', `${identity.provider.title} has no tokens`, { code: 'no_tokens' });
  if (identity.tokenUrl !== null) return explicitEndpoint(identity.tokenUrl.value, token.discovery, options);
  const fallback = identity.base.value + token.path;
  const found = token.discovery ? await discover(options) : null;
  if (found === null) return { url: fallback, method: 'form', from: 'default' };
  const method = clientMethod(found);
  const url = found.tokenEndpoint === undefined ? null : trusted(found.tokenEndpoint, identity);
  if (url !== null) return { url, method, from: 'discovery' };
  // The client secret would be sent to this endpoint, so it has to be trusted.
  const names = found.tokenEndpoint === undefined ? 'no token endpoint' : 'a token endpoint that is not trusted';
  const host = originOf(identity.base.value) ?? 'the host';
  notice(`the discovery document of ${host} names ${names}; using ${fallback}`);
  return { url: fallback, method, from: 'default' };
}

/**
 * The token URL that the user gave. How the client authenticates there is read from the discovery document of the URL's own host, if that
 * document is about this endpoint; no credential is sent for it.
 */
async function explicitEndpoint(url: string, discovery: boolean, options: DiscoveryOptions): Promise<TokenEndpoint> {
  const found = discovery ? await discover(options, url) : null;
  const named = found?.tokenEndpoint ?? '';
  const same = URL.canParse(named) && new URL(named).href === new URL(url).href;
  return { url, method: clientMethod(same ? found : null), from: 'explicit' };
}

/**
 * The authorisation server metadata of a host (RFC 8414 §3), null when it has none that can be read within the limit.
 * @param at a URL on that host; default the API's
 */
export async function discover(
  { identity, send, signal }: DiscoveryOptions,
  at: string = identity.base.value,
): Promise<Discovered | null> {
  // The limit includes retries.
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

/** Parses a metadata document; null when it is not one. */
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
 * The normalised URL if a discovery document may refer to it: on the base's own origin, or https on the provider's domain or
 * below, and not of another environment. null otherwise. A document from this machine may refer to this machine only.
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

/** The form, unless the discovery document lists only HTTP Basic (partner-api.md#oauth-tokens). */
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
  /** The granted scopes; null when the server does not report them. */
  granted: string | null;
}

/** partner-api.md#oauth-tokens: lifetime of a token when the server does not report it, in seconds. */
const USUAL_LIFE = 3600;

/**
 * Reads the token in the answer. `known` are secrets to redact in messages, in case the server echoes them.
 * @throws Failure `auth`, `rate_limited`, `unavailable`.
 */
export function readTokenAnswer(answer: HttpAnswer, url: string, known: readonly string[] = []): ReadToken {
  if (answer.status < 200 || answer.status > 299) throw tokenFailure(answer, url, known);
  const body = readBody(answer.text);
  const token = body?.['access_token'];
  // A bearer token is sent in a header: visible ASCII without spaces (RFC 6750 §2.1, a little wider).
  if (typeof token !== 'string' || !/^[\x21-\x7e]+$/.test(token)) {
    throw new Failure('unavailable', `${hostOf(url)} did not answer with a token`, {
      ...factsOf(answer),
      code: 'no_token_in_answer',
      next: 'check the token URL with credicorp whoami; a proxy or sign-in page may be in between',
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

/** The failure for a refusal by the token endpoint; also used for introspection, whose errors are the same. */
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
  if (status === 429) return [`${host} has issued too many tokens for now`, OAUTH_PROBLEMS.rate_limit_exceeded.next];
  if (status >= 500)
    return [`the token server ${host} failed (${status})`, 'try again in a moment; see credicorp status'];
  if (status < 400) {
    // The credentials would be sent to the redirect's target.
    return [
      `${host} redirects token requests; redirects are not followed`,
      'set the token URL it points to with --token-url',
    ];
  }
  if (problem !== null) return [`${host} refused to issue a token: ${problem.meaning}`, problem.next];
  if (status === 404 || status === 405) {
    return [
      `${host} has no token endpoint at ${new URL(url).pathname}`,
      'check the base and token URL with credicorp whoami',
    ];
  }
  return [
    `${host} refused to issue a token (${status})`,
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

/** Seconds as a number, or as text, as some servers send it. */
function lifeOf(value: unknown): number {
  const seconds = typeof value === 'string' && value !== '' ? Number(value) : value;
  return typeof seconds === 'number' && Number.isFinite(seconds) && seconds >= 0 ? seconds : USUAL_LIFE;
}

function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : 'the token server';
}
