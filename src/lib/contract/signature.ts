/**
 * Verifies a signed delivery by the scheme of its sender (`webhook-scheme`); signs and verifies Credicorp's own (webhooks.md#signature-scheme, webhooks.md#verification)
 * signatures. Pure: the current time is a parameter. `signature-causes` finds out why a signature does not match; it is not used for a
 * delivery whose signature matches.
 */
import { timingSafeEqual } from 'node:crypto';
import { usage } from '../failure.ts';
import { explainMismatch, type MismatchCause } from './signature-causes.ts';
import {
  CREDICORP_SCHEME,
  digest,
  type Headers,
  messageOf,
  type Parts,
  type ReadSignature,
  readSignature,
  type ShapeCause,
  signedHeaders,
  type WebhookScheme,
} from './webhook-scheme.ts';

/** Name of the signature header, in lower case (webhooks.md#signature-scheme). */
export const SIGNATURE_HEADER = 'credicorp-signature';

/** Name of the header with the delivery id, in lower case (webhooks.md#signature-scheme). */
export const DELIVERY_HEADER = 'credicorp-delivery';

type AgeCause = 'stale_timestamp' | 'future_timestamp';

/** The closed list of webhooks.md#causes-of-a-refused-signature. */
export type SignatureCause = ShapeCause | AgeCause | MismatchCause;

export interface GenuineSignature {
  valid: true;
  /**
   * `last_v1_only`: a receiver that reads only the last `v1` would refuse this delivery. `no_replay_protection`: the scheme has no time,
   * so a copy of this delivery stays valid for ever.
   */
  warnings: ('last_v1_only' | 'no_replay_protection')[];
  /** The signed time, in unix seconds; null where the scheme has none. */
  timestamp: number | null;
  /** Index into `secrets` of the first one that matched. */
  secretIndex: number;
}

export interface RefusedSignature {
  valid: false;
  cause: SignatureCause;
  /** Additional causes: a signature that does not match can be too old as well. */
  also: AgeCause[];
  /** `now − t` in seconds; present when the age is the cause or one of `also`. */
  skewSeconds?: number;
  /** A few words on what was found, where the cause alone is not clear. Never contains a secret. */
  detail: string | null;
}

export type SignatureVerdict = GenuineSignature | RefusedSignature;

export interface VerifyInput extends DeliveryInput {
  /** The header's value, exactly as received; null or undefined when the header is missing. */
  header: string | null | undefined;
}

export interface DeliveryInput {
  /** The raw body. */
  body: Uint8Array;
  /** The receiver's secrets; a match with any one of them is enough. */
  secrets: readonly string[];
  /** The receiver's clock, in unix seconds. */
  now: number;
  /** Seconds; a skew of exactly this much is refused, in both directions. */
  tolerance?: number;
  /** Other known secrets. They are only used to explain a failure and never make a delivery valid. */
  otherEnvironmentSecrets?: readonly string[];
  otherEndpointSecrets?: readonly string[];
  /** False skips the search for the cause of a mismatch: the cause is then always `wrong_secret`. Default true. */
  explain?: boolean;
}

/**
 * Verifies the signature of one delivery from Credicorp (webhooks.md#verification).
 * @throws Failure `usage` when no secret is configured
 */
export function verify({ header, ...input }: VerifyInput): SignatureVerdict {
  return verifyScheme(CREDICORP_SCHEME, { [SIGNATURE_HEADER]: header }, input);
}

/**
 * Verifies the signature of one delivery by the scheme of its sender. Comparisons take constant time with regard to secrets and MACs.
 * @param headers names in lower case, values as received
 * @throws Failure `usage` when no secret is configured: that is a mistake of the receiver, not of the delivery.
 */
export function verifyScheme(scheme: WebhookScheme, headers: Headers, input: DeliveryInput): SignatureVerdict {
  // A blank secret is a key that anybody can guess, so it is treated as not configured.
  const secrets = input.secrets.filter((secret) => secret.trim() !== '');
  if (secrets.length === 0) {
    throw usage('no webhook secret is configured, so nothing can be verified', { code: 'no_webhook_secret' });
  }
  const read = readSignature(scheme, headers);
  if ('cause' in read) return { valid: false, cause: read.cause, also: [], detail: read.detail };
  const skew = read.seconds === null ? 0 : input.now - read.seconds;
  const age = checkAge(skew, input.tolerance ?? scheme.toleranceSeconds ?? Infinity);
  const match = compareAll(scheme, secrets, read, input.body);
  if (match.secretIndex < 0) {
    const { cause, detail } = mismatch(scheme, secrets, read, input);
    return { valid: false, cause, detail, ...(age === null ? { also: [] } : { also: [age], skewSeconds: skew }) };
  }
  if (age !== null) return { valid: false, cause: age, also: [], skewSeconds: skew, detail: null };
  const lastOnly = read.count >= 2 && !match.lastMatches;
  return {
    valid: true,
    warnings: [
      ...(lastOnly ? ['last_v1_only' as const] : []),
      ...(read.t === null ? ['no_replay_protection' as const] : []),
    ],
    timestamp: read.seconds,
    secretIndex: input.secrets.indexOf(secrets[match.secretIndex] ?? ''),
  };
}

function mismatch(
  scheme: WebhookScheme,
  secrets: readonly string[],
  { t, macs }: ReadSignature,
  input: DeliveryInput,
): Pick<RefusedSignature, 'cause' | 'detail'> {
  if (input.explain === false) return { cause: 'wrong_secret', detail: 'the cause was not determined' };
  const matches = (secret: string | Uint8Array, message: Parts): boolean =>
    anyEqual(digest(scheme, secret, message), macs);
  const time = t ?? '';
  return explainMismatch(matches, { ...input, secrets, t: time, message: (body) => messageOf(scheme, time, body) });
}

/** The value of the signature header as Credicorp writes it: one `v1` for each secret, in the order given (webhooks.md#signature-scheme, webhooks.md#secret-rotation). `t` is in unix seconds. */
export function signatureHeader(input: { secrets: readonly string[]; t: number; body: Uint8Array }): string {
  return signedHeaders(CREDICORP_SCHEME, input)[SIGNATURE_HEADER] ?? '';
}

/** The secrets a listener signs with; its members may be replaced while it runs. */
export interface SigningSecrets {
  current: string;
  /** Signs as well until then, in milliseconds since the epoch (webhooks.md#secret-rotation). */
  previous: { secret: string; until: number } | null;
}

/** The secrets that sign at this time, in milliseconds since the epoch, newest first. */
export function liveSecrets({ current, previous }: SigningSecrets, now: number): string[] {
  return previous !== null && now < previous.until ? [current, previous.secret] : [current];
}

/** The headers of a delivery with a new signature in place of its own; the others stay as they are, in their order. */
export function withNewSignature(
  headers: readonly string[],
  input: { secrets: readonly string[]; t: number; body: Uint8Array },
): string[] {
  const fresh = signatureHeader(input);
  const kept: string[] = [];
  let placed = false;
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = headers[i] ?? '';
    const isSignature = name.toLowerCase() === SIGNATURE_HEADER;
    if (isSignature && placed) continue;
    kept.push(name, isSignature ? fresh : (headers[i + 1] ?? ''));
    placed ||= isSignature;
  }
  return placed ? kept : [...kept, 'Credicorp-Signature', fresh];
}

/** The value of the signature header among headers as they came; null when there is none. */
export function signatureOf(headers: readonly string[]): string | null {
  const at = headers.findIndex((name, n) => n % 2 === 0 && name.toLowerCase() === SIGNATURE_HEADER);
  return at === -1 ? null : (headers[at + 1] ?? null);
}

/** HMAC-SHA256 over `t.body` as 64 lower-case hex digits. The key is the whole secret, `whsec_` included. */
export function macOf(secret: string, t: number | string, body: Uint8Array): string {
  return digest(CREDICORP_SCHEME, secret, [`${t}.`, body]).toString('hex');
}

/** Step 7 of webhooks.md#verification. A skew of exactly the tolerance is refused, past or future. */
function checkAge(skew: number, tolerance: number): AgeCause | null {
  if (skew >= tolerance) return 'stale_timestamp';
  return -skew >= tolerance ? 'future_timestamp' : null;
}

/** Step 5 of webhooks.md#verification: compares every secret with every `v1`, without stopping at the first match. */
function compareAll(
  scheme: WebhookScheme,
  secrets: readonly string[],
  read: ReadSignature,
  body: Uint8Array,
): { secretIndex: number; lastMatches: boolean } {
  let secretIndex = -1;
  let lastMatches = false;
  const message = messageOf(scheme, read.t ?? '', body);
  for (const [index, secret] of secrets.entries()) {
    const mac = digest(scheme, secret, message);
    const hit = anyEqual(mac, read.macs);
    const lastHit = read.last !== null && timingSafeEqual(mac, read.last);
    if (hit && secretIndex < 0) secretIndex = index;
    lastMatches = lastMatches || lastHit;
  }
  return { secretIndex, lastMatches };
}

function anyEqual(mac: Buffer, macs: readonly Buffer[]): boolean {
  let hit = false;
  for (const other of macs) {
    const equal = timingSafeEqual(mac, other);
    hit = hit || equal;
  }
  return hit;
}
