/**
 * Redaction: takes secrets out of everything that is shown, recorded or thrown (partner-api.md#credential-kinds).
 *
 * All of it is one function, `redactText`. It reads text, not structures, because secrets also appear in half a body, in a quoted string
 * inside JSON, in a stack trace. At most the public prefix of a secret stays. Request, event and resource ids stay as they are: support
 * needs them, and they grant no access.
 */

import { inspect } from 'node:util';
import { CUTS, mask, maskSignature, TRIGGERS } from './secret-shapes.ts';

/**
 * The text without its secrets. `known` are live secret values to remove wherever they occur: plain, percent-encoded,
 * JSON-escaped or inside base64. Linear in the length of the text, idempotent.
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
    clean[redactText(name, known)] = redactHeader(name.toLowerCase(), value, known);
  }
  return clean;
}

/**
 * At most `limit` characters of a body, redacted. The body is redacted before it is cut, and the last word before the cut is
 * dropped, so that no part of a secret remains at the edge.
 */
export function redactBody(body: string, limit: number, known: readonly string[] = []): string {
  if (body.length <= limit) return redactText(body, known);
  const longest = known.reduce((most, secret) => Math.max(most, secret.length), 0);
  const head = dropTail(redactText(body.slice(0, limit), known), 3 * longest);
  return `${head}…[cut: ${body.length} characters in all]`;
}

/** True when text that must not hold a secret (a pin file, a command line) does. A publishable key is not a secret. */
export function carriesSecret(text: string): boolean {
  const unpublished = text.replace(/\bpk_(?:test|live)_[\w-]+/g, 'publishable');
  return maskShapes(unpublished) !== unpublished;
}

function redactHeader(name: string, value: string, known: readonly string[]): string {
  const clean = maskKnown(value, known);
  if (/^(?:proxy-)?authorization$/.test(name) || /cookie2?$|secret|token$|api-?key$|password/.test(name)) {
    return mask(clean);
  }
  if (name.endsWith('signature')) return maskSignature(clean);
  return maskShapes(clean);
}

/** A quick test: most text contains no trigger, and needs no further work. */
const ANY_TRIGGER = new RegExp(TRIGGERS, 'i');

function maskShapes(text: string): string {
  if (!ANY_TRIGGER.test(text)) return text;
  const trigger = new RegExp(TRIGGERS, 'gi');
  let clean = '';
  let done = 0;
  for (let match = trigger.exec(text); match !== null; match = trigger.exec(text)) {
    const cut = CUTS.get(match[0].toLowerCase())?.(text, match.index, trigger.lastIndex);
    if (!cut || cut.from < done) continue;
    clean += text.slice(done, cut.from) + cut.put;
    done = cut.to;
    trigger.lastIndex = Math.max(cut.to, trigger.lastIndex);
  }
  return done === 0 ? text : clean + text.slice(done);
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
  let clean = text;
  for (const needle of needlesOf(known)) {
    if (clean.includes(needle.text)) clean = clean.replaceAll(needle.text, () => needle.put);
  }
  return clean;
}

function needlesOf(known: readonly string[]): Needle[] {
  const kept = remembered.get(known);
  if (kept && kept.of.length === known.length && kept.of.every((secret, index) => secret === known[index])) {
    return kept.needles;
  }
  const puts = new Map<string, string>();
  for (const secret of known) {
    if (secret.length < SHORTEST) continue;
    for (const spelling of spellings(secret)) if (!puts.has(spelling)) puts.set(spelling, mask(secret));
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

const REDACTED = '[redacted]';

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
