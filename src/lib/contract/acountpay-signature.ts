/**
 * AcountPay's two webhook schemes, which differ from ours: hex MACs in headers of their own, over `timestamp.body` (generation 1) or
 * over the body alone (generation 2). The causes of a refusal are those of `signature`. Pure: the present is a parameter.
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { usage } from '../failure.ts';
import { isRecord, parseJson, scalarText } from './json.ts';
import { explainMismatch } from './signature-causes.ts';
import type { RefusedSignature } from './signature.ts';

export type AcountPayGeneration = 1 | 2;

/** Header names, lower case. */
export const ACOUNTPAY_HEADERS = {
  1: { timestamp: 'x-acountpay-timestamp', signature: 'x-acountpay-signature' },
  2: { timestamp: null, signature: 'x-webhook-signature' },
} as const;

export interface AcountPayInput {
  generation: AcountPayGeneration;
  /** Values of the headers as they came; names in lower case. */
  headers: Readonly<Record<string, string | undefined>>;
  /** The raw body. */
  body: Uint8Array;
  /** The receiver's secrets; any one of them is enough. */
  secrets: readonly string[];
  /** The receiver's clock, in unix seconds. */
  now: number;
  /** Seconds, generation 1 only; an age of exactly this much is refused, in both directions. */
  tolerance?: number;
  /** False spares the search for the cause of a mismatch. Default true. */
  explain?: boolean;
}

export interface GenuineAcountPay {
  valid: true;
  /** `no_replay_protection`: nothing says when it was signed, so a copy of it stays genuine for ever. */
  warnings: 'no_replay_protection'[];
  /** The signed time, in unix seconds; null in generation 2. */
  timestamp: number | null;
  /** Index into `secrets` of the first one that matched. */
  secretIndex: number;
}

/**
 * Judges one delivery, in constant time with regard to secrets and MACs.
 * @throws Failure `usage` when no secret is configured
 */
export function verifyAcountPay(input: AcountPayInput): GenuineAcountPay | RefusedSignature {
  const secrets = input.secrets.filter((secret) => secret.trim() !== '');
  if (secrets.length === 0) {
    throw usage('no webhook secret is configured, so nothing can be verified', { code: 'no_webhook_secret' });
  }
  const read = readHeaders(input);
  if ('valid' in read) return read;
  const { t, mac } = read;
  const skew = t === null ? 0 : input.now - Number(t);
  const age = t === null ? null : judgeAge(skew, input.tolerance ?? 300);
  const secretIndex = indexOfMatch(secrets, mac, t, input.body);
  if (secretIndex < 0) return mismatch(input, secrets, read, age, skew);
  if (age !== null) return refuse(age, null, skew);
  return {
    valid: true,
    warnings: t === null ? ['no_replay_protection'] : [],
    timestamp: t === null ? null : Number(t),
    secretIndex: input.secrets.indexOf(secrets[secretIndex] ?? ''),
  };
}

/** The headers a sender writes. `t` is in unix seconds. */
export function acountPayHeaders(
  generation: AcountPayGeneration,
  { secret, t, body }: { secret: string; t: number; body: Uint8Array },
): Record<string, string> {
  if (generation === 2) return { [ACOUNTPAY_HEADERS[2].signature]: digest(secret, [body]).toString('hex') };
  const { timestamp, signature } = ACOUNTPAY_HEADERS[1];
  return { [timestamp]: String(t), [signature]: digest(secret, [`${t}.`, body]).toString('hex') };
}

/**
 * Deliveries carry no id, so one is derived for telling repetitions: of event, payment and status. null when the body is no event.
 */
export function acountPayEventId(body: Uint8Array): string | null {
  try {
    const event = parseJson(Buffer.from(body).toString('utf8'));
    if (!isRecord(event) || typeof event['event'] !== 'string') return null;
    const data = isRecord(event['data']) ? event['data'] : {};
    const payment = scalarText(data['paymentId'] ?? data['id']);
    const text = `${event['event']}\n${payment}\n${scalarText(data['status'])}`;
    return createHash('sha256').update(text).digest('hex').slice(0, 16);
  } catch {
    return null;
  }
}

interface ReadHeaders {
  /** The text of the timestamp; null in generation 2. */
  t: string | null;
  mac: Buffer;
}

type ShapeCause = Extract<
  RefusedSignature['cause'],
  | 'missing_header'
  | 'missing_timestamp'
  | 'malformed_timestamp'
  | 'uppercase_hex'
  | 'base64_signature'
  | 'malformed_signature'
>;

function readHeaders({ generation, headers }: AcountPayInput): ReadHeaders | RefusedSignature {
  const names = ACOUNTPAY_HEADERS[generation];
  const signature = headers[names.signature]?.trim() ?? '';
  if (signature === '') return refuse('missing_header', `${names.signature} is not there`);
  const t = names.timestamp === null ? null : (headers[names.timestamp]?.trim() ?? '');
  if (t === '') return refuse('missing_timestamp', `${names.timestamp} is not there`);
  if (t !== null && !/^(?:0|[1-9]\d{0,11})$/.test(t)) {
    const milliseconds = /^[1-9]\d{12}$/.test(t) ? 'it has 13 digits: it looks like milliseconds' : null;
    return refuse('malformed_timestamp', milliseconds);
  }
  if (!/^[\da-f]{64}$/.test(signature)) return refuse(misshapen(signature), null);
  return { t, mac: Buffer.from(signature, 'hex') };
}

function misshapen(signature: string): ShapeCause {
  if (/^[\da-f]{64}$/i.test(signature)) return 'uppercase_hex';
  return /^[\w+/-]{43}=?$/.test(signature) ? 'base64_signature' : 'malformed_signature';
}

function judgeAge(skew: number, tolerance: number): 'stale_timestamp' | 'future_timestamp' | null {
  if (skew >= tolerance) return 'stale_timestamp';
  return -skew >= tolerance ? 'future_timestamp' : null;
}

/** Every secret, without stopping at the first hit. */
function indexOfMatch(secrets: readonly string[], mac: Buffer, t: string | null, body: Uint8Array): number {
  let found = -1;
  for (const [index, secret] of secrets.entries()) {
    const hit = timingSafeEqual(digest(secret, t === null ? [body] : [`${t}.`, body]), mac);
    if (hit && found < 0) found = index;
  }
  return found;
}

/**
 * The published sample signs a body that was parsed and written again, so the spellings of webhooks page §4 are tried. In generation 2
 * the candidates are the same without the time in front.
 */
function mismatch(
  { body, explain }: AcountPayInput,
  secrets: readonly string[],
  { t, mac }: ReadHeaders,
  age: ReturnType<typeof judgeAge>,
  skew: number,
): RefusedSignature {
  const matches = (secret: string | Uint8Array, message: readonly (string | Uint8Array)[]): boolean =>
    timingSafeEqual(digest(secret, t === null && message[0] === '.' ? message.slice(1) : message), mac);
  const { cause, detail } =
    explain === false
      ? ({ cause: 'wrong_secret', detail: 'the cause was not looked for' } as const)
      : explainMismatch(matches, { body, secrets, t: t ?? '' });
  return age === null ? refuse(cause, detail) : { valid: false, cause, also: [age], skewSeconds: skew, detail };
}

function refuse(cause: RefusedSignature['cause'], detail: string | null, skew?: number): RefusedSignature {
  return { valid: false, cause, also: [], detail, ...(skew === undefined ? {} : { skewSeconds: skew }) };
}

function digest(secret: string | Uint8Array, message: readonly (string | Uint8Array)[]): Buffer {
  const hmac = createHmac('sha256', secret);
  for (const part of message) hmac.update(part);
  return hmac.digest();
}
