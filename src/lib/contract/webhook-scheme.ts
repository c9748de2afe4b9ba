/**
 * How a sender signs its webhooks, as data: headers, signed text, hash, encoding. Each provider's data file contains
 * one scheme. This file reads and writes the headers of a scheme; `signature` verifies with it. Pure.
 */
import { createHash, createHmac } from 'node:crypto';
import { isRecord, parseJson, scalarText } from './json.ts';

export interface WebhookScheme {
  /** Header names are in lower case. */
  signatureHeader: string;
  /**
   * Template of the signature header's value: `{mac}`, a prefix and `{mac}` (`sha256={mac}`), or a list of pairs (`t={t},v1={mac}`). A
   * list has several `v1` entries while a secret is rotated.
   */
  signature: string;
  /** Header that carries the time; null when the signature header carries it, or when there is no time. */
  timestampHeader: string | null;
  /** Format of the time: unix seconds, unix milliseconds or ISO 8601; null in a scheme without a time. */
  timestamp: 'unix' | 'unix_ms' | 'iso' | null;
  /** Template of the signed text, made of `{t}` (the time as written in its header) and `{body}` (raw bytes): `{t}.{body}`. */
  signed: string;
  hash: 'sha256' | 'sha384' | 'sha512';
  encoding: 'hex' | 'base64';
  /** Maximum clock difference in seconds, past or future: a signature this old is refused. null in a scheme without a time, which has no replay protection. */
  toleranceSeconds: number | null;
  /** HTTP status for a delivery whose signature is refused. */
  refuseWith: number;
  /** Paths of the body members that together identify an event without an id (`a|b`: the first that exists); null when events have ids. */
  eventId: readonly string[] | null;
}

/** webhooks.md#signature-scheme, webhooks.md#verification. */
export const CREDICORP_SCHEME: WebhookScheme = {
  signatureHeader: 'credicorp-signature',
  signature: 't={t},v1={mac}',
  timestampHeader: null,
  timestamp: 'unix',
  signed: '{t}.{body}',
  hash: 'sha256',
  encoding: 'hex',
  toleranceSeconds: 300,
  refuseWith: 400,
  eventId: null,
};

/** Causes for refusal that are found in the headers, before any MAC is compared. */
export type ShapeCause =
  | 'missing_header'
  | 'malformed_header'
  | 'missing_timestamp'
  | 'duplicate_timestamp'
  | 'malformed_timestamp'
  | 'missing_v1'
  | 'malformed_signature'
  | 'uppercase_hex'
  | 'base64_signature';

export interface Misshapen {
  cause: ShapeCause;
  detail: string | null;
}

export interface ReadSignature {
  /** The time as text, exactly as in its header; null in a scheme without a time. */
  t: string | null;
  /** The same time in unix seconds. */
  seconds: number | null;
  /** All well-formed MACs, in order. */
  macs: Buffer[];
  /** The last MAC; null when it is not well-formed. */
  last: Buffer | null;
  count: number;
}

export type Headers = Readonly<Record<string, string | null | undefined>>;
export type Parts = readonly (string | Uint8Array)[];

/** Reads the signature headers of one delivery; header names in lower case, values unchanged. */
export function readSignature(scheme: WebhookScheme, headers: Headers): ReadSignature | Misshapen {
  const value = headers[scheme.signatureHeader]?.trim() ?? '';
  if (value === '') return { cause: 'missing_header', detail: null };
  const names = pairNames(scheme);
  const found = names === null ? plainValue(scheme, value) : pairValues(names, value);
  if ('cause' in found) return found;
  const times = scheme.timestampHeader === null ? found.times : [headers[scheme.timestampHeader]?.trim() || []].flat();
  const time = scheme.timestamp === null ? { t: null, seconds: null } : readTime(scheme.timestamp, times);
  if ('cause' in time) return time;
  if (found.macs.length === 0) return { cause: 'missing_v1', detail: null };
  const macs = found.macs.flatMap((text) => decoded(scheme, text) ?? []);
  if (macs.length === 0) return { cause: misshapen(scheme, found.macs), detail: null };
  return { ...time, macs, last: decoded(scheme, found.macs.at(-1) ?? ''), count: found.macs.length };
}

/**
 * The headers that a sender writes, names in lower case. `t` is in unix seconds. A list of pairs contains a MAC for each secret, in the
 * order given; any other template contains only the MAC of the first secret.
 */
export function signedHeaders(
  scheme: WebhookScheme,
  { secrets, t, body }: { secrets: readonly string[]; t: number; body: Uint8Array },
): Record<string, string> {
  const time = timeText(scheme, t);
  const macs = secrets.map((secret) => digest(scheme, secret, messageOf(scheme, time, body)).toString(scheme.encoding));
  const names = pairNames(scheme);
  const value =
    names === null
      ? scheme.signature.replace('{mac}', () => macs[0] ?? '')
      : scheme.signature
          .split(',')
          .flatMap((pair) =>
            pair.endsWith('{t}') ? pair.replace('{t}', time) : macs.map((mac) => pair.replace('{mac}', () => mac)),
          )
          .join(',');
  return {
    ...(scheme.timestampHeader === null ? {} : { [scheme.timestampHeader]: time }),
    [scheme.signatureHeader]: value,
  };
}

/** The signed message as a list of parts, so that the body is not copied. */
export function messageOf({ signed }: Pick<WebhookScheme, 'signed'>, t: string, body: Uint8Array): Parts {
  return signed
    .split(/(\{t\}|\{body\})/)
    .filter((part) => part !== '')
    .map((part) => (part === '{body}' ? body : part === '{t}' ? t : part));
}

export function digest({ hash }: Pick<WebhookScheme, 'hash'>, secret: string | Uint8Array, message: Parts): Buffer {
  const hmac = createHmac(hash, secret);
  for (const part of message) hmac.update(part);
  return hmac.digest();
}

/** A hash of the body members that identify an event (`eventId`), to deduplicate events without an id. null when the body lacks them. */
export function derivedEventId({ eventId }: Pick<WebhookScheme, 'eventId'>, body: Uint8Array): string | null {
  if (eventId === null) return null;
  try {
    const event = parseJson(Buffer.from(body).toString('utf8'));
    const found = eventId.map((paths) =>
      paths
        .split('|')
        .map((path) => at(event, path))
        .find((value) => value !== undefined && value !== null),
    );
    if (typeof found[0] !== 'string') return null;
    const texts = found.map(scalarText);
    return createHash('sha256').update(texts.join('\n')).digest('hex').slice(0, 16);
  } catch {
    return null;
  }
}

function at(document: unknown, path: string): unknown {
  return path.split('.').reduce((value: unknown, name) => (isRecord(value) ? value[name] : undefined), document);
}

interface PairNames {
  time: string | null;
  mac: string;
}

/** The names of a list of pairs; null for any other form. */
export function pairNames({ signature }: Pick<WebhookScheme, 'signature'>): PairNames | null {
  if (!/^\w+=\{(?:t|mac)\}(?:,\w+=\{(?:t|mac)\})+$/.test(signature)) return null;
  const nameOf = (what: string): string | null => new RegExp(`(\\w+)=\\{${what}\\}`).exec(signature)?.[1] ?? null;
  return { time: nameOf('t'), mac: nameOf('mac') ?? '' };
}

interface Found {
  times: string[];
  macs: string[];
}

function plainValue({ signature }: WebhookScheme, value: string): Found | Misshapen {
  const before = signature.slice(0, signature.indexOf('{mac}'));
  if (value.startsWith(before)) return { times: [], macs: [value.slice(before.length)] };
  return { cause: 'malformed_signature', detail: `the value does not begin with ${before}` };
}

/** Steps 1 to 4 of webhooks.md#verification; unknown names are ignored, because later versions may add some. */
function pairValues({ time, mac }: PairNames, value: string): Found | Misshapen {
  const found: Found = { times: [], macs: [] };
  for (const piece of value.split(/[,\s]+/)) {
    if (piece === '') continue;
    const equals = piece.indexOf('=');
    if (equals < 1) return { cause: 'malformed_header', detail: null };
    const name = piece.slice(0, equals);
    if (name === time) found.times.push(piece.slice(equals + 1));
    else if (name === mac) found.macs.push(piece.slice(equals + 1));
  }
  return found;
}

function readTime(
  form: NonNullable<WebhookScheme['timestamp']>,
  [t, ...more]: readonly string[],
): { t: string; seconds: number } | Misshapen {
  if (t === undefined) return { cause: 'missing_timestamp', detail: null };
  if (more.length > 0) return { cause: 'duplicate_timestamp', detail: `${more.length + 1} t entries` };
  if (form === 'unix' && /^(?:0|[1-9]\d{0,11})$/.test(t)) return { t, seconds: Number(t) };
  if (form === 'unix_ms' && /^[1-9]\d{11,14}$/.test(t)) return { t, seconds: Math.floor(Number(t) / 1000) };
  const milliseconds = form === 'iso' && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/.test(t) ? Date.parse(t) : NaN;
  if (!Number.isNaN(milliseconds)) return { t, seconds: Math.floor(milliseconds / 1000) };
  const long = form === 'unix' && /^[1-9]\d{12}$/.test(t);
  return { cause: 'malformed_timestamp', detail: long ? 't has 13 digits, which looks like milliseconds' : null };
}

function timeText({ timestamp }: WebhookScheme, t: number): string {
  if (timestamp === 'iso') return new Date(t * 1000).toISOString();
  return timestamp === null ? '' : String(timestamp === 'unix_ms' ? t * 1000 : t);
}

const BYTES = { sha256: 32, sha384: 48, sha512: 64 } as const;

/** The bytes of a MAC; null unless the text is the canonical encoding of exactly as many bytes as the hash has. */
function decoded({ hash, encoding }: WebhookScheme, text: string): Buffer | null {
  const bytes = Buffer.from(text, encoding);
  return bytes.length === BYTES[hash] && bytes.toString(encoding) === text ? bytes : null;
}

function misshapen({ hash, encoding }: WebhookScheme, macs: readonly string[]): ShapeCause {
  if (encoding !== 'hex') return 'malformed_signature';
  const isHex = (text: string): boolean => /^[\da-f]+$/i.test(text) && text.length === BYTES[hash] * 2;
  if (macs.some(isHex)) return 'uppercase_hex';
  const digits = Math.ceil((BYTES[hash] * 4) / 3);
  const isBase64 = (text: string): boolean =>
    /^[\w+/-]+={0,2}$/.test(text) && text.replace(/=+$/, '').length === digits;
  return macs.some(isBase64) ? 'base64_signature' : 'malformed_signature';
}
