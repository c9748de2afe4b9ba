/**
 * Verifies an access token on this machine against the server's published keys (RFC 7517, RFC 7519). ES256 and
 * RS256 only; `none` and every HS* are refused (partner-api.md#oauth-tokens). Loads `jose`, so it is imported only where a token is verified.
 */
import {
  createLocalJWKSet,
  errors,
  type JSONWebKeySet,
  type JWTPayload,
  jwtVerify,
  type ProtectedHeaderParameters,
} from 'jose';
import { originOf } from '../../contract/environments.ts';
import type { Send } from '../../contract/exchange.ts';
import { Failure } from '../../failure.ts';
import type { Identity } from '../credentials/client-identity.ts';
import { discover, trusted } from './mint.ts';

export type VerifyCause =
  | 'malformed'
  | 'algorithm_refused'
  | 'unknown_key'
  | 'bad_signature'
  | 'expired'
  | 'not_yet_valid'
  | 'wrong_audience'
  | 'wrong_issuer'
  | 'claim_missing';

export type TokenVerdict =
  | { valid: true; header: ProtectedHeaderParameters; claims: JWTPayload; keysFrom: string }
  | { valid: false; cause: VerifyCause; detail: string; keysFrom: string };

export interface VerifyOptions {
  identity: Identity;
  send: Send;
  /** Milliseconds since the epoch, by the server's clock: a sandbox has its own. */
  now: number;
  notice: (text: string) => void;
  signal?: AbortSignal;
}

export interface TokenVerifier {
  /** @throws Failure `unavailable` when the keys cannot be fetched. */
  verify(token: string): Promise<TokenVerdict>;
}

const ALGORITHMS = ['ES256', 'RS256'];
/** Tolerance for `exp` and `nbf`, in seconds, because the clocks of two machines differ slightly. */
const TOLERANCE_S = 5;
const KEYS_LIMIT_MS = 10_000;

/**
 * Fetches the keys once and keeps them; an unknown `kid` fetches them once more, since keys rotate (partner-api.md#oauth-tokens).
 * @throws Failure `usage` (`not_verifiable`) for a provider whose tokens cannot be verified locally.
 */
export function tokenVerifier(options: VerifyOptions): TokenVerifier {
  const { identity } = options;
  const settings = identity.provider.token;
  if (settings === null || settings.jwksPath === null) {
    throw new Failure('usage', `tokens of ${identity.provider.title} cannot be verified on this machine`, {
      code: 'not_verifiable',
      next: 'use credicorp token show to decode it',
    });
  }
  const fallback = identity.base.value + settings.jwksPath;
  const audience = settings.audiencePath === null ? null : identity.base.value + settings.audiencePath;
  let keys: Promise<Keys> | undefined;
  return {
    async verify(token) {
      const first = await (keys ??= fetchKeys(options, fallback));
      const verdict = await check(token, first, audience, options);
      if (verdict.valid || verdict.cause !== 'unknown_key') return verdict;
      keys = fetchKeys(options, fallback);
      return check(token, await keys, audience, options);
    },
  };
}

interface Keys {
  set: JSONWebKeySet;
  url: string;
  /** From the discovery document; null without one. */
  issuer: string | null;
}

async function check(
  token: string,
  keys: Keys,
  audience: string | null,
  { identity, now }: VerifyOptions,
): Promise<TokenVerdict> {
  try {
    const { payload, protectedHeader } = await jwtVerify(token, createLocalJWKSet(keys.set), {
      algorithms: ALGORITHMS,
      clockTolerance: TOLERANCE_S,
      currentDate: new Date(now),
      requiredClaims: ['exp', 'iss'],
      ...(audience === null ? {} : { audience }),
      ...(keys.issuer === null ? {} : { issuer: keys.issuer }),
    });
    if (keys.issuer === null && !isUsualIssuer(payload.iss ?? '', identity)) {
      return { valid: false, cause: 'wrong_issuer', detail: WORDS.wrong_issuer, keysFrom: keys.url };
    }
    return { valid: true, header: protectedHeader, claims: payload, keysFrom: keys.url };
  } catch (error) {
    const cause = causeOf(error);
    if (cause === null) throw error;
    return { valid: false, cause, detail: WORDS[cause], keysFrom: keys.url };
  }
}

/**
 * Without a discovery document the issuer is the server's own origin (partner-api.md#oauth-tokens), that of the token URL the user gave,
 * or an authorisation server of the provider's (partner-api.md#hosts-and-environments).
 */
function isUsualIssuer(issuer: string, identity: Identity): boolean {
  const own = [identity.base, identity.tokenUrl].map((place) => (place === null ? null : originOf(place.value)));
  return own.includes(issuer) || trusted(issuer, identity) !== null;
}

const WORDS: Record<VerifyCause, string> = {
  malformed: 'this is not a signed JWT',
  algorithm_refused: 'it is signed by an algorithm other than ES256 and RS256',
  unknown_key: 'its key is not one of the published keys',
  bad_signature: 'its signature does not match',
  expired: 'it has expired',
  not_yet_valid: 'it is not valid yet',
  wrong_audience: 'it is meant for another API',
  wrong_issuer: 'it was issued by another server',
  claim_missing: 'a required claim is missing',
};

/** Causes of a forged or damaged token. With any other cause the token is genuine, but not valid here or now. */
const FORGED: ReadonlySet<VerifyCause> = new Set(['malformed', 'algorithm_refused', 'unknown_key', 'bad_signature']);

/** The failure for a token that is not valid: `bad_signature` for a forged one, `auth` for a genuine one that is not valid here or now. */
export function verdictFailure({ cause, detail, keysFrom }: TokenVerdict & { valid: false }): Failure {
  return new Failure(FORGED.has(cause) ? 'bad_signature' : 'auth', `the token is not valid: ${detail}`, {
    code: cause,
    next:
      cause === 'expired'
        ? 'credicorp token prints a fresh one'
        : `the keys are from ${keysFrom}; credicorp whoami shows the host and where it comes from`,
  });
}

function causeOf(error: unknown): VerifyCause | null {
  if (error instanceof errors.JWTExpired) return 'expired';
  if (error instanceof errors.JOSEAlgNotAllowed) return 'algorithm_refused';
  if (error instanceof errors.JWKSNoMatchingKey) return 'unknown_key';
  if (error instanceof errors.JWSSignatureVerificationFailed) return 'bad_signature';
  if (error instanceof errors.JWTClaimValidationFailed) {
    if (error.reason === 'missing') return 'claim_missing';
    if (error.claim === 'aud') return 'wrong_audience';
    if (error.claim === 'iss') return 'wrong_issuer';
    return 'not_yet_valid';
  }
  return error instanceof errors.JOSEError || error instanceof TypeError ? 'malformed' : null;
}

/** Fetches the keys from the `jwks_uri` of the discovery document if its host is trusted, else from the provider's own path (partner-api.md#conflicts). */
async function fetchKeys(options: VerifyOptions, fallback: string): Promise<Keys> {
  const { identity, send, notice, signal } = options;
  const found = identity.provider.token?.discovery === true ? await discover(options) : null;
  const named = found?.jwksUri === undefined ? null : trusted(found.jwksUri, identity);
  if (found?.jwksUri !== undefined && named === null) {
    notice('the discovery document names a jwks_uri on a host that is not trusted; using the default path');
  }
  const url = named ?? fallback;
  const answer = await send({
    method: 'GET',
    url,
    headers: { accept: 'application/json' },
    timeoutMs: KEYS_LIMIT_MS,
    ...(signal === undefined ? {} : { signal }),
  });
  const set = answer.status === 200 ? readKeys(answer.text) : null;
  if (set === null) {
    throw new Failure('unavailable', `${new URL(url).host} did not return keys to verify with`, {
      status: answer.status,
      code: 'no_keys',
      next: 'try again in a moment; credicorp token introspect asks the server instead',
    });
  }
  return { set, url, issuer: found?.issuer ?? null };
}

function readKeys(text: string): JSONWebKeySet | null {
  try {
    const value: unknown = JSON.parse(text);
    const keys = typeof value === 'object' && value !== null && 'keys' in value ? value.keys : null;
    if (!Array.isArray(keys) || keys.some((key) => typeof key !== 'object' || key === null)) return null;
    return { keys };
  } catch {
    return null;
  }
}
