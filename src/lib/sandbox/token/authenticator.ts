/** The authenticator: the three projects and their credentials (sandbox.md#start-up), and the check of a bearer (partner-api.md#oauth-tokens, partner-api.md#errors). */
import { canonicalScope, type Scope, SCOPES } from '../../contract/scopes.ts';
import type { TierName } from '../../contract/tiers.ts';
import type { AcceptedCredential, ProjectName } from '../http/call.ts';
import { type Refusal, refuse } from '../http/refusal.ts';
import { type Keyring, openJwt, signJwt } from './keyring.ts';

export interface Project {
  name: ProjectName;
  clientId: string;
  clientSecret: string;
  secretKey: string;
}

export const PROJECTS: readonly Project[] = (['local', 'launch', 'scale'] as const).map((name) => ({
  name,
  clientId: `cid_sbx_${name}`,
  clientSecret: `csk_sbx_${name}`,
  secretKey: `sk_test_${name}`,
}));

/** `--tier` is for project `local`; the others are named after their tier. */
export function tierOf(project: ProjectName, localTier: TierName): TierName {
  return project === 'local' ? localTier : project;
}

/** What was revoked by hand (sandbox.md#admin-routes). */
export interface Revocations {
  /** Token ids (`jti`). */
  tokens: Set<string>;
  /** Client ids: barred at the token endpoint, and all their tokens with them. */
  clients: Set<string>;
}

export const TOKEN_LIFE_SECONDS = 3600;

const EVERY_SCOPE: ReadonlySet<Scope> = new Set(SCOPES);
const LIVE_MARK = /^(?:sk_live_|pk_live_|cid_live_|csk_live_)/;

/** True for a credential that is marked for the live environment (partner-api.md#credential-kinds). */
export function isLive(credential: string): boolean {
  return LIVE_MARK.test(credential);
}

export const LIVE_ADVICE = 'This is a sandbox and the credential is marked live. If it was real, revoke it now.';

interface TokenFacts {
  issuer: string;
  clientId: string;
  scopes: readonly Scope[];
  /** Sandbox milliseconds. */
  now: number;
  jti: string;
}

/** The access token of partner-api.md#oauth-tokens. */
export function mintToken(keyring: Keyring, facts: TokenFacts): string {
  const iat = Math.floor(facts.now / 1000);
  return signJwt(keyring.current(), {
    iss: facts.issuer,
    aud: audienceOf(facts.issuer),
    sub: facts.clientId,
    client_id: facts.clientId,
    scope: facts.scopes.join(' '),
    iat,
    exp: iat + TOKEN_LIFE_SECONDS,
    jti: facts.jti,
  });
}

function audienceOf(issuer: string): string {
  return `${issuer}/partner/v1`;
}

export interface Claims {
  iss: string;
  aud: string;
  sub: string;
  client_id: string;
  scope: string;
  iat: number;
  exp: number;
  jti: string;
}

interface Known {
  token: string;
  claims: Claims;
  credential: AcceptedCredential;
}

/** A verified token is remembered, so that a signature is checked once and not on every call. */
const REMEMBERED = 1000;

export interface AuthenticatorFacts {
  issuer: string;
  keyring(): Keyring;
  revoked(): Revocations;
}

export class Authenticator {
  readonly #facts: AuthenticatorFacts;
  readonly #audience: string;
  readonly #known = new Map<string, Known>();

  constructor(facts: AuthenticatorFacts) {
    this.#facts = facts;
    this.#audience = audienceOf(facts.issuer);
  }

  /** The claims of a token that is valid now; null otherwise. */
  introspect(token: string, now: number): Claims | null {
    const claims = this.#open(token, now)?.claims;
    if (!claims || claims.aud !== this.#audience || claims.exp * 1000 <= now || this.#isRevoked(claims)) return null;
    return claims;
  }

  /** Checks an `Authorization` header. @throws Refusal 401 */
  admit(authorization: string | undefined, now: number): AcceptedCredential {
    const bearer = bearerOf(authorization);
    const byKey = PROJECTS.find((project) => project.secretKey === bearer);
    if (byKey) return { project: byKey.name, shown: 'sk_test_…', scopes: EVERY_SCOPE };
    const token = this.#open(bearer, now);
    if (token === null) throw unrecognised(bearer);
    const { claims } = token;
    if (claims.aud !== this.#audience) {
      throw challenge('audience_mismatch', 'The access token was issued for another API.');
    }
    if (this.#isRevoked(claims)) throw challenge('token_revoked', 'The access token has been revoked.');
    if (claims.exp * 1000 <= now) throw challenge('token_expired', 'The access token has expired.');
    return token.credential;
  }

  /** Forgets verified tokens, after a reset. */
  forget(): void {
    this.#known.clear();
  }

  #open(token: string, now: number): Known | null {
    // Looked up by its signature, which is an eighth of it.
    const signature = token.slice(token.lastIndexOf('.'));
    const before = this.#known.get(signature);
    if (before?.token === token) return before;
    const claims = readClaims(openJwt(this.#facts.keyring(), token, now));
    const project = PROJECTS.find((one) => one.clientId === claims?.client_id);
    if (claims === null || project === undefined) return null;
    const scopes = new Set(claims.scope.split(' ').flatMap((name) => canonicalScope(name) ?? []));
    const found = { token, claims, credential: { project: project.name, shown: 'cid_sbx_…', scopes } };
    if (this.#known.size >= REMEMBERED) this.#known.clear();
    this.#known.set(signature, found);
    return found;
  }

  #isRevoked({ jti, client_id }: Claims): boolean {
    const { tokens, clients } = this.#facts.revoked();
    return tokens.has(jti) || clients.has(client_id);
  }
}

function bearerOf(authorization: string | undefined): string {
  if (authorization === undefined || authorization.trim() === '') {
    throw challenge('missing_api_key', 'No credential was sent: use the header Authorization: Bearer.');
  }
  // The usual spelling needs no regular expression.
  if (authorization.startsWith('Bearer ') && !authorization.includes(' ', 7) && authorization.length > 7) {
    return authorization.slice(7);
  }
  const match = /^bearer +(\S+) *$/i.exec(authorization);
  if (match?.[1] === undefined) {
    throw challenge('unauthorized', 'The Authorization header is malformed: Bearer and one credential are expected.');
  }
  return match[1];
}

function unrecognised(bearer: string): Refusal {
  return challenge('unauthorized', isLive(bearer) ? LIVE_ADVICE : 'The credential is not recognised.');
}

/** RFC 9110 §11.6.1: a 401 names the scheme it expects. */
export function challenge(
  code: 'missing_api_key' | 'unauthorized' | 'audience_mismatch' | 'token_revoked' | 'token_expired',
  message: string,
): Refusal {
  return refuse(code, message, undefined, { headers: { 'WWW-Authenticate': 'Bearer' } });
}

function readClaims(raw: Record<string, unknown> | null): Claims | null {
  if (raw === null) return null;
  const { iss, aud, sub, client_id, scope, iat, exp, jti } = raw;
  const texts = [iss, aud, sub, client_id, scope, jti];
  if (!texts.every((text) => typeof text === 'string') || typeof iat !== 'number' || typeof exp !== 'number')
    return null;
  return {
    iss: String(iss),
    aud: String(aud),
    sub: String(sub),
    client_id: String(client_id),
    scope: String(scope),
    iat,
    exp,
    jti: String(jti),
  };
}
