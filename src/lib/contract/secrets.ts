/**
 * Redaction: takes secrets out of everything that is shown, recorded or thrown (partner-api.md#credential-kinds). JSON, forms, XML and header
 * lines are read by their names, everything else by what secrets look like. At most the public prefix of a secret stays. Request, event and
 * resource ids stay as they are: support needs them, and they grant no access.
 */
import { inspect } from 'node:util';
import { ESCAPED, unescapeText } from './escaped-text.ts';
import { cutsIn } from './secret-json.ts';
import {
  MACS,
  MACS_MASKED,
  mask,
  maskAlways,
  OPEN_HEADER,
  REDACTED,
  SECRET_HEADER,
  SIGNATURE,
} from './secret-names.ts';
import type { Cut } from './secret-text.ts';

/**
 * The text without its secrets. `known` are live secret values to remove wherever they occur, whatever they look like: plain,
 * percent-encoded, JSON-escaped or inside base64. Linear in the length of the text. A second pass changes nothing,
 * but for brackets, quotes and tags that never close: of those it may mask more.
 */
export function redactText(text: string, known: readonly string[] = []): string {
  return maskShapes(maskKnown(text, known));
}

/** Header values without their secrets. The values of credential headers are always redacted, except the scheme. */
export function redactHeaders(
  headers: Readonly<Record<string, string>>,
  known: readonly string[] = [],
): Record<string, string> {
  const clean: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    clean[SECRET_IN_NAME.test(name) ? redactText(name, known) : maskKnown(name, known)] = redactHeader(
      name.toLowerCase(),
      maskKnown(value, known),
    );
  }
  return clean;
}

/** A name of a header that is itself a secret. */
const SECRET_IN_NAME = /(?:sk|pk|whsec)_|eyj|ew[o0]|[^\w-]/i;

/** At most `limit` characters of a body, redacted, and a note of how long it was. */
export function redactBody(body: string, limit: number, known: readonly string[] = []): string {
  if (body.length <= limit) return redactText(body, known);
  return `${redactStart(body, limit, known)}…[cut: ${body.length} characters in all]`;
}

/** Characters beyond a cut that are looked at as well, apart from the length of known secrets. */
const MARGIN = 256;

/**
 * The beginning of a text, redacted, at most `limit` characters (apart from the marks). It is cut first, so that a long text costs no more
 * than its beginning, and with a margin, so that no half of a secret is left at the edge.
 */
export function redactStart(text: string, limit: number, known: readonly string[] = []): string {
  if (text.length <= limit) return redactText(text, known);
  const margin = MARGIN + 3 * longestOf(known);
  const seen = text.slice(0, limit + margin);
  const clean = redactText(seen, known);
  // Where the text goes on behind what was seen, its end may be the first half of a secret.
  const sure = seen.length < text.length ? dropTail(clean, margin) : clean;
  return sure.length <= limit ? sure : dropTail(sure, sure.length - limit);
}

/** A text whose end was cut off elsewhere, redacted. @see redactStart */
export function redactCutOff(text: string, known: readonly string[] = []): string {
  return dropTail(redactText(text, known), 3 * longestOf(known));
}

function longestOf(known: readonly string[]): number {
  return known.reduce((most, secret) => Math.max(most, secret.length), 0);
}

/** True when text that must not hold a secret (a pin file, a command line) does. A publishable key is not a secret. */
export function carriesSecret(text: string): boolean {
  const unpublished = text.replace(/\bpk_(?:test|live)_[\w-]+/g, 'publishable');
  return maskShapes(unpublished) !== unpublished;
}

function redactHeader(name: string, value: string): string {
  if (name === 'location' || name === 'link') return redactAddress(value);
  if (/signature(?:-|$)/.test(name)) return SIGNATURE.test(value) ? value.replace(MACS, MACS_MASKED) : mask(value);
  // The realm and the error of a challenge (RFC 9110 §11.6.1) are no secrets.
  if (name.endsWith('-authenticate') && /^[A-Za-z]{1,20} [a-z_]{1,20}="/.test(value)) return maskShapes(value);
  return SECRET_HEADER.test(name) && !OPEN_HEADER.test(name) ? mask(value) : maskShapes(value);
}

/** A header that leads somewhere, often with a one-time code in it: hosts, plain words and ids stay, whatever else is in the address goes. */
function redactAddress(value: string): string {
  return maskShapes(value).replace(/(?<=^|[/?&=#;<:. ])[\w.~%+$!*-]+/g, (piece) =>
    isOpenPiece(piece) ? piece : REDACTED,
  );
}

/** `applications`, `v1`, `example.com`, `app_8Kd2c9Qm`, a number. */
function isOpenPiece(piece: string): boolean {
  return (
    piece.length <= 64 &&
    /^(?:[a-z]{1,24}(?:[._-][a-z]{1,24}){0,5}|v\d{1,3}|\d{1,10}|\d{1,3}(?:\.\d{1,3}){3}|[a-z]{2,6}_[0-9A-Za-z]{4,16}|[Bb]earer)$/.test(
      piece,
    )
  );
}

/** A quick test: most text contains none of this, and needs no further work. */
const ANY_TRIGGER =
  /secret|token|pass|pwd|key|sig|auth|cookie|session|\bsid\b|credential|assertion|bearer|basic|jwt|otp|dpop|\bpins?\b|code=|sk_|pk_|whsec_|ey[ja]|ew[o0]|v\d=|-----|-u |--user|:\/\/[^\s/?#"'<>\\]*@|\\[ux]|%[0-9a-f]{2}|&#|[\u00ad\u200b-\u200d\u2060\ufeff]/i;

function maskShapes(text: string): string {
  if (!ANY_TRIGGER.test(text)) return text;
  return applied(text, cutsIn(text));
}

function applied(text: string, cuts: readonly Cut[]): string {
  if (cuts.length === 0) return text;
  const parts: string[] = [];
  let done = 0;
  for (const { from, to, put } of cuts) {
    if (from < done) continue;
    parts.push(text.slice(done, from), put);
    done = to;
  }
  return parts.join('') + text.slice(done);
}

/** Without its last `least` characters and the unbroken word before them: either may be the first half of a secret. */
function dropTail(text: string, least: number): string {
  let end = Math.max(0, text.length - least);
  while (end > 0 && !/[\s,;&{}[\]<>]/.test(text.charAt(end - 1))) end -= 1;
  return text.slice(0, end);
}

/** Shortest known value that is searched for: a shorter one would also match ordinary words, and no credential of the API is that short. */
const SHORTEST = 6;

interface Needle {
  text: string;
  put: string;
}

/** Cache of the search strings by the list of secrets: a client passes the same list for every line it writes. */
const remembered = new WeakMap<readonly string[], { of: string[]; needles: Needle[] }>();

/** Replaces known secret values, in every encoding, by their masks. */
function maskKnown(text: string, known: readonly string[]): string {
  if (known.length === 0) return text;
  const needles = needlesOf(known);
  let clean = text;
  for (const needle of needles) {
    if (clean.includes(needle.text)) clean = clean.replaceAll(needle.text, () => needle.put);
  }
  return ESCAPED.test(clean) ? maskEscaped(clean, needles) : clean;
}

/** Known values that are escaped in other ways, or several times over. */
function maskEscaped(text: string, needles: readonly Needle[]): string {
  const unescaped = unescapeText(text);
  if (unescaped === null) return text;
  const cuts: Cut[] = [];
  for (const { text: needle, put } of needles)
    for (let at = unescaped.text.indexOf(needle); at !== -1; at = unescaped.text.indexOf(needle, at + needle.length))
      cuts.push({ from: unescaped.at[at] ?? 0, to: unescaped.at[at + needle.length] ?? text.length, put });
  return applied(
    text,
    cuts.sort((a, b) => a.from - b.from || b.to - a.to),
  );
}

function needlesOf(known: readonly string[]): Needle[] {
  const kept = remembered.get(known);
  if (kept && kept.of.length === known.length && kept.of.every((secret, index) => secret === known[index])) {
    return kept.needles;
  }
  const puts = new Map<string, string>();
  for (const secret of known) {
    if (secret.length < SHORTEST) continue;
    for (const spelling of spellings(secret)) if (!puts.has(spelling)) puts.set(spelling, maskAlways(secret));
  }
  // The longest first: a secret that contains another is replaced as a whole.
  const needles = [...puts].map(([text, put]) => ({ text, put })).sort((a, b) => b.text.length - a.text.length);
  remembered.set(known, { of: [...known], needles });
  return needles;
}

function spellings(secret: string): string[] {
  const inJson = JSON.stringify(secret).slice(1, -1);
  const inUrl = encodeURIComponent(secret.toWellFormed());
  const inForm = new URLSearchParams({ v: secret }).toString().slice(2);
  return [secret, inJson, JSON.stringify(inJson).slice(1, -1), inUrl, inForm, ...inBase64(secret)];
}

/**
 * The base64 characters of a secret that do not depend on the bytes before and after it: three alignments, both alphabets
 * (RFC 4648 §4, §5). This finds it inside a Basic credential too, behind a client id of any length.
 */
function inBase64(secret: string): string[] {
  const bytes = Buffer.from(secret, 'utf8');
  const found: string[] = [];
  for (const before of [0, 1, 2]) {
    const encoded = Buffer.concat([Buffer.alloc(before), bytes]).toString('base64url');
    const first = Math.ceil((before * 8) / 6);
    const inner = encoded.slice(first, Math.floor(((before + bytes.length) * 8) / 6));
    if (inner.length < SHORTEST) continue;
    found.push(inner, inner.replaceAll('-', '+').replaceAll('_', '/'));
  }
  return found;
}

/** Wraps a secret so that printing, logging, inspecting or serialising it does not show it (partner-api.md#credential-kinds). */
export class Secret {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  /** The secret in plain text. */
  reveal(): string {
    return this.#text;
  }

  toJSON(): string {
    return REDACTED;
  }

  toString(): string {
    return REDACTED;
  }

  [inspect.custom](): string {
    return REDACTED;
  }
}
