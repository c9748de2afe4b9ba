/**
 * The webhook signature scheme (webhooks page §2 and §3), in both directions: the header a sender writes, and the verdict a
 * receiver reaches. Pure: the present is a parameter. Why a mismatch happened is worked out in `signature-causes`, off the
 * path of a genuine delivery.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { usage } from '../failure.ts';
import { explainMismatch, type MismatchCause } from './signature-causes.ts';

/** Name of the header that carries the signature, lower case (webhooks page §2). */
export const SIGNATURE_HEADER = 'credicorp-signature';

/** Name of the header that names the delivery, lower case (webhooks page §2). */
export const DELIVERY_HEADER = 'credicorp-delivery';

/** Causes that are read off the header or the clock, before or beside any comparison. */
type ShapeCause =
  | 'missing_header'
  | 'malformed_header'
  | 'missing_timestamp'
  | 'duplicate_timestamp'
  | 'malformed_timestamp'
  | 'missing_v1'
  | 'malformed_signature'
  | 'uppercase_hex'
  | 'base64_signature';
type AgeCause = 'stale_timestamp' | 'future_timestamp';

/** The closed list of webhooks page §4. */
export type SignatureCause = ShapeCause | AgeCause | MismatchCause;

export interface GenuineSignature {
  valid: true;
  /** `last_v1_only`: a reader that keeps only the last `v1` would refuse this delivery. */
  warnings: 'last_v1_only'[];
  /** The signed time, in unix seconds. */
  timestamp: number;
  /** Index into `secrets` of the first one that matched. */
  secretIndex: number;
}

export interface RefusedSignature {
  valid: false;
  cause: SignatureCause;
  /** What is wrong besides: an unexplained signature can be stale as well. */
  also: AgeCause[];
  /** `now − t` in seconds; present when the age is a cause or stands in `also`. */
  skewSeconds?: number;
  /** What was found exactly, in a few words, where the cause alone does not say it. Never a secret. */
  detail: string | null;
}

export type SignatureVerdict = GenuineSignature | RefusedSignature;

export interface VerifyInput {
  /** The header's value, exactly as it came; null or undefined when there was none. */
  header: string | null | undefined;
  /** The raw body. */
  body: Uint8Array;
  /** The receiver's secrets; any one of them is enough. */
  secrets: readonly string[];
  /** The receiver's clock, in unix seconds. */
  now: number;
  /** Seconds; a skew of exactly this much is refused, in both directions. */
  tolerance?: number;
  /** Known secrets that must not count, only explain. */
  otherEnvironmentSecrets?: readonly string[];
  otherEndpointSecrets?: readonly string[];
  /** False spares the search for the cause of a mismatch: it is then called `wrong_secret`. Default true. */
  explain?: boolean;
}

/**
 * Judges one delivery by webhooks page §3, in constant time with regard to secrets and MACs.
 * @throws Failure `usage` when no secret is configured: that is the receiver's mistake, not a cause.
 */
export function verify(input: VerifyInput): SignatureVerdict {
  // A blank secret is a key everybody knows: it counts as not configured.
  const secrets = input.secrets.filter((secret) => secret.trim() !== '');
  if (secrets.length === 0) {
    throw usage('no webhook secret is configured, so nothing can be verified', { code: 'no_webhook_secret' });
  }
  const read = readHeader(input.header);
  if ('cause' in read) return { valid: false, cause: read.cause, also: [], detail: read.detail };

  const skew = input.now - Number(read.t);
  const age = judgeAge(skew, input.tolerance ?? 300);
  const match = compareAll(secrets, read, input.body);
  if (match.secretIndex < 0) {
    if (input.explain === false) return refuseUnexplained(age, skew);
    const matches = (secret: string | Uint8Array, message: readonly (string | Uint8Array)[]): boolean =>
      anyEqual(digest(secret, message), read.macs);
    const { cause, detail } = explainMismatch(matches, { ...input, secrets, t: read.t });
    return age === null
      ? { valid: false, cause, also: [], detail }
      : { valid: false, cause, also: [age], skewSeconds: skew, detail };
  }
  if (age !== null) return { valid: false, cause: age, also: [], skewSeconds: skew, detail: null };
  return {
    valid: true,
    warnings: read.v1Count >= 2 && !match.lastMatches ? ['last_v1_only'] : [],
    timestamp: Number(read.t),
    secretIndex: input.secrets.indexOf(secrets[match.secretIndex] ?? ''),
  };
}

function refuseUnexplained(age: AgeCause | null, skew: number): RefusedSignature {
  const refused = { valid: false, cause: 'wrong_secret', detail: 'the cause was not looked for' } as const;
  return age === null ? { ...refused, also: [] } : { ...refused, also: [age], skewSeconds: skew };
}

/** The header a sender writes: one `v1` for each secret, in the order given (webhooks page §2, §9). `t` is in unix seconds. */
export function signatureHeader(input: { secrets: readonly string[]; t: number; body: Uint8Array }): string {
  return [`t=${input.t}`, ...input.secrets.map((secret) => `v1=${macOf(secret, input.t, input.body)}`)].join(',');
}

/** HMAC-SHA256 over `t.body` as 64 lower-case hex digits. The key is the whole secret, `whsec_` included. */
export function macOf(secret: string, t: number | string, body: Uint8Array): string {
  return digest(secret, [`${t}.`, body]).toString('hex');
}

interface ReadHeader {
  /** The text of `t` as it stood in the header. */
  t: string;
  /** Every well-formed `v1`, in order. */
  macs: Buffer[];
  /** The last `v1`, null when that one is not well-formed. */
  last: Buffer | null;
  v1Count: number;
}

interface Misshapen {
  cause: ShapeCause;
  detail: string | null;
}

const WELL_FORMED = /^[0-9a-f]{64}$/;

/** Steps 1 to 4 of webhooks page §3. */
function readHeader(header: string | null | undefined): ReadHeader | Misshapen {
  if (header === null || header === undefined || header.trim() === '') return { cause: 'missing_header', detail: null };
  const times: string[] = [];
  const signatures: string[] = [];
  for (const piece of header.split(/[,\s]+/)) {
    if (piece === '') continue;
    const equals = piece.indexOf('=');
    if (equals < 1) return { cause: 'malformed_header', detail: null };
    const name = piece.slice(0, equals);
    if (name === 't') times.push(piece.slice(equals + 1));
    else if (name === 'v1') signatures.push(piece.slice(equals + 1));
  }
  const t = times[0];
  if (t === undefined) return { cause: 'missing_timestamp', detail: null };
  if (times.length > 1) return { cause: 'duplicate_timestamp', detail: `${times.length} t entries` };
  if (!/^(0|[1-9][0-9]{0,11})$/.test(t)) return { cause: 'malformed_timestamp', detail: timestampDetail(t) };
  if (signatures.length === 0) return { cause: 'missing_v1', detail: null };
  const macs = signatures.filter((value) => WELL_FORMED.test(value)).map((value) => Buffer.from(value, 'hex'));
  if (macs.length === 0) return { cause: misshapenSignature(signatures), detail: null };
  const lastIsWhole = WELL_FORMED.test(signatures.at(-1) ?? '');
  return { t, macs, last: lastIsWhole ? (macs.at(-1) ?? null) : null, v1Count: signatures.length };
}

function timestampDetail(t: string): string | null {
  return /^[1-9][0-9]{12}$/.test(t) ? 't has 13 digits: it looks like milliseconds' : null;
}

function misshapenSignature(signatures: readonly string[]): ShapeCause {
  if (signatures.some((value) => /^[0-9a-fA-F]{64}$/.test(value))) return 'uppercase_hex';
  if (signatures.some((value) => /^[A-Za-z0-9+/_-]{43}=?$/.test(value))) return 'base64_signature';
  return 'malformed_signature';
}

/** Step 7. A skew of exactly the tolerance fails in both directions. */
function judgeAge(skew: number, tolerance: number): AgeCause | null {
  if (skew >= tolerance) return 'stale_timestamp';
  return -skew >= tolerance ? 'future_timestamp' : null;
}

/** Step 5: every secret against every `v1`, without stopping at the first hit. */
function compareAll(
  secrets: readonly string[],
  read: ReadHeader,
  body: Uint8Array,
): { secretIndex: number; lastMatches: boolean } {
  let secretIndex = -1;
  let lastMatches = false;
  for (const [index, secret] of secrets.entries()) {
    const mac = digest(secret, [`${read.t}.`, body]);
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

function digest(secret: string | Uint8Array, message: readonly (string | Uint8Array)[]): Buffer {
  const hmac = createHmac('sha256', secret);
  for (const part of message) hmac.update(part);
  return hmac.digest();
}
