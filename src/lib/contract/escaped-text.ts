/**
 * Text with its escapes undone, and where each character stands in the source: JSON (RFC 8259 §7), percent (RFC 3986 §2.1) and HTML
 * escapes at any depth, one inside another. Secrets are looked for in what an escape means, not in how it is written.
 */

export interface Unescaped {
  text: string;
  /** Where each character begins in the source, and where the source ends. */
  at: Int32Array;
  /** How deep a character is escaped: layers of percent or HTML escapes, and for a quote its backslashes, see `closes`. */
  depth: Uint8Array;
}

const BACKSLASH = 0x5c;
/** Backslashes before a quote are kept in the low bits of its depth, layers of percent or HTML escapes in the high ones. */
const LAYER = 64;
/** An escape, a space that is not ASCII, or a character that takes no room. */
export const ESCAPED =
  /[\\%\u00a0\u00ad\u1680\u180e\u2000-\u200d\u202f\u205f\u2060\u3000\ufeff]|&(?:#|quot;|apos;|amp;|lt;|gt;)/;

/** null when nothing is escaped. */
export function unescapeText(source: string): Unescaped | null {
  if (!ESCAPED.test(source)) return null;
  const out = new Uint16Array(source.length);
  const at = new Int32Array(source.length + 1);
  const depth = new Uint8Array(source.length);
  let n = 0;
  let slashes = 0;
  for (let from = 0; from < source.length;) {
    const code = source.charCodeAt(from);
    let to = from + 1;
    let means = code;
    let layer = 0;
    if (code === 0x25 || code === 0x26) {
      const found = code === 0x25 ? percent(source, from) : entity(source, from);
      if (found !== null) ({ to, means, layer } = found);
    } else if (code === BACKSLASH) {
      // A run of backslashes belongs to what follows it.
      while (source.charCodeAt(to) === BACKSLASH) to += 1;
      slashes = to - from;
      const next = source.charCodeAt(to);
      if (next === 0x75 || next === 0x78) {
        const digits = next === 0x75 ? 4 : 2;
        const hex = hexAt(source, to + 1, digits);
        if (hex !== -1) {
          means = hex;
          to += 1 + digits;
        }
      } else {
        const plain = next === 0x22 || next === 0x27 || next === 0x2f ? next : (CONTROLS.get(next) ?? -1);
        if (plain !== -1) {
          means = plain;
          to += 1;
        }
      }
    }
    if (means > 0x7f && isSpace(means)) means = 0x20;
    if (!takesNoRoom(means)) {
      out[n] = means;
      at[n] = from;
      const isQuote = means === 0x22 || means === 0x27 || means === 0x60;
      depth[n] = layer * LAYER + (isQuote ? Math.min(slashes, LAYER - 1) : 0);
      n += 1;
    }
    // A percent-escaped backslash counts for the quote after it.
    slashes = means === BACKSLASH && layer > 0 ? slashes + 1 : 0;
    from = to;
  }
  at[n] = source.length;
  const text = Buffer.from(out.buffer, 0, 2 * n).toString('utf16le');
  return { text, at: at.subarray(0, n + 1), depth: depth.subarray(0, n) };
}

/** Whether a character of depth `inner` is more often percent- or HTML-escaped than one of depth `outer`: it is data where the other is syntax. */
export function isDeeper(inner: number, outer: number): boolean {
  return Math.floor(inner / LAYER) > Math.floor(outer / LAYER);
}

/** Whether a quote of depth `quote` closes the string that one of depth `open` opened. */
export function closes(open: number, quote: number): boolean {
  const layers = Math.floor(quote / LAYER) - Math.floor(open / LAYER);
  if (layers !== 0) return layers < 0;
  // Each level of JSON in JSON doubles the backslashes and adds one; an even run is escaped backslashes and a quote that closes.
  let run = quote % LAYER;
  for (let slashes = open % LAYER; run % 2 === 1; run = (run - 1) / 2) {
    if (slashes === 0) return false;
    slashes = Math.floor(slashes / 2);
  }
  return true;
}

/** The content of a JSON string, decoded once. @returns null when it has an escape that JSON does not know */
export function unescapeJson(source: string, from: number, to: number): { text: string; at: Int32Array } | null {
  const out = new Uint16Array(to - from);
  const at = new Int32Array(to - from + 1);
  let n = 0;
  for (let next = from; next < to; n += 1) {
    at[n] = next;
    let code = source.charCodeAt(next++);
    if (code === BACKSLASH) {
      const escape = source.charCodeAt(next++);
      if (escape === 0x75) {
        code = hexAt(source, next, 4);
        next += 4;
      } else code = escape === 0x22 || escape === BACKSLASH || escape === 0x2f ? escape : (CONTROLS.get(escape) ?? -1);
      if (code === -1 || next > to) return null;
    }
    out[n] = code;
  }
  at[n] = to;
  return { text: Buffer.from(out.buffer, 0, 2 * n).toString('utf16le'), at };
}

/** `\n` and its like, by the letter. */
const CONTROLS: ReadonlyMap<number, number> = new Map(
  [...'bfnrt'].map((letter, index) => [letter.charCodeAt(0), [8, 12, 10, 13, 9][index] ?? 0]),
);

interface Escape {
  to: number;
  means: number;
  layer: number;
}

/** `%41`, `%2541` and so on. */
function percent(source: string, from: number): Escape | null {
  let at = from + 1;
  let layer = 1;
  while (source.charCodeAt(at) === 0x32 && source.charCodeAt(at + 1) === 0x35 && hexAt(source, at + 2, 2) !== -1) {
    at += 2;
    layer += 1;
  }
  const means = hexAt(source, at, 2);
  return means === -1 ? null : { to: at + 2, means, layer: Math.min(layer, 3) };
}

const ENTITIES: Readonly<Record<string, number>> = { quot: 0x22, apos: 0x27, amp: 0x26, lt: 0x3c, gt: 0x3e };

function entity(source: string, from: number): Escape | null {
  const found = /^&(?:#(\d{1,6})|#[xX]([\da-fA-F]{1,5})|(quot|apos|amp|lt|gt));/.exec(source.slice(from, from + 10));
  if (found === null) return null;
  const [all, decimal, hex, name = ''] = found;
  const means =
    decimal === undefined ? (hex === undefined ? ENTITIES[name] : Number.parseInt(hex, 16)) : Number(decimal);
  return means === undefined || means > 0xffff ? null : { to: from + all.length, means, layer: 1 };
}

/** -1 where no `digits` hexadecimal digits stand. */
function hexAt(source: string, from: number, digits: number): number {
  let value = 0;
  for (let at = from; at < from + digits; at += 1) {
    const code = source.charCodeAt(at);
    const digit =
      code >= 0x30 && code <= 0x39
        ? code - 0x30
        : (code | 0x20) >= 0x61 && (code | 0x20) <= 0x66
          ? (code | 0x20) - 0x57
          : -1;
    if (digit === -1) return -1;
    value = value * 16 + digit;
  }
  return value;
}

function isSpace(code: number): boolean {
  return (
    code === 0xa0 ||
    code === 0x1680 ||
    (code >= 0x2000 && code <= 0x200a) ||
    code === 0x202f ||
    code === 0x205f ||
    code === 0x3000
  );
}

function takesNoRoom(code: number): boolean {
  return code === 0xad || code === 0x180e || (code >= 0x200b && code <= 0x200d) || code === 0x2060 || code === 0xfeff;
}
