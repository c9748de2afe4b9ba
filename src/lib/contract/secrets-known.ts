/** Removes secrets we hold by value, in every spelling in which a text may carry them. */

import { mask } from './secrets-shapes.ts';

/** Shorter values would take ordinary words with them; no credential of the API is this short. */
const SHORTEST = 6;

interface Needle {
  text: string;
  put: string;
}

/** Needles by the list they came from: a client hands the same list over for every line it writes. */
const remembered = new WeakMap<readonly string[], { of: string[]; needles: Needle[] }>();

/** The text with each known secret, and each way it can be written, replaced by its mask. */
export function maskKnown(text: string, known: readonly string[]): string {
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
  // The longest first: a secret that contains another goes whole.
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
 * The characters of base64 that a secret fixes, whatever stands before and after it: three alignments, both alphabets
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
