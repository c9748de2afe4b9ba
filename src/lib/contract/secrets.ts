/**
 * What a secret looks like, and how it is taken out of anything that is shown, written down or thrown (partner-api.md#credential-kinds).
 *
 * There is one function, `redactText`; the others hand their text to it. It reads text, not structures, because secrets turn up
 * in half a body, in a quoted string inside JSON, in a stack trace. What stays of a secret is at most its public prefix.
 * Request ids, event ids and resource ids are left alone: support needs them, and they open nothing.
 */

import { maskKnown } from './secrets-known.ts';
import { CUTS, mask, maskSignature, TRIGGERS } from './secrets-shapes.ts';

/**
 * The text without its secrets. `known` are live secret values to remove wherever they stand: as they are, percent-encoded,
 * JSON-escaped or inside base64. Linear in the length of the text, idempotent.
 */
export function redactText(text: string, known: readonly string[] = []): string {
  return maskShapes(maskKnown(text, known));
}

/** Header values without their secrets. The values of credential headers go whatever they look like; the scheme stays. */
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
 * At most `limit` characters of a body, redacted. The cut comes after the redaction, and what stands at the edge of a longer
 * body is dropped, so that half a secret never survives a cut.
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

/** Most text holds no trigger at all, and is not looked at twice. */
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
