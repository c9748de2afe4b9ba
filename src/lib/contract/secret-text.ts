/**
 * Finds secrets in text of any kind: forms, query strings, XML, YAML, shell, header lines, JSON in pieces (partner-api.md#credential-kinds).
 * One pass from left to right. What a find looks at forwards it consumes, and backwards it looks no further than the find before, so that
 * no text makes it slow.
 */
import { closes, isDeeper, type Unescaped, unescapeText } from './escaped-text.ts';
import {
  isPlaceholder,
  isWord,
  LONGEST_NAME,
  MACS,
  MACS_MASKED,
  mask,
  REDACTED,
  SIGNATURE,
  verdictOn,
} from './secret-names.ts';

/** The characters from `from` to `to` are replaced by `put`. */
export interface Cut {
  from: number;
  to: number;
  put: string;
}

/** The cuts that take the secrets out of a text, in order, in positions of the text. */
export function cutsInText(source: string): Cut[] {
  const unescaped = unescapeText(source);
  const cuts = new Scan(unescaped?.text ?? source, unescaped).run();
  if (unescaped !== null)
    for (const cut of cuts) {
      cut.from = unescaped.at[cut.from] ?? 0;
      cut.to = unescaped.at[cut.to] ?? source.length;
    }
  return cuts;
}

/** Classes of characters, as bits, for ASCII. */
const SPACE = 1;
const NAME = 2;
const WORD = 4;
const VALUE_END = 8;
const TRIGGER = 16;
/** Keys, tokens and base64, after their prefix. */
const KEY = 32;
const LETTERS = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789';
const CLASSES: readonly [characters: string, bits: number][] = [
  [LETTERS, NAME | WORD | KEY],
  ['_-.+$', NAME | KEY],
  ['@[]', NAME],
  ['~/=%', KEY],
  [' \t\r\n\f\v', SPACE | VALUE_END],
  ['"\'`<>\\', VALUE_END],
  ['=:<_-eEbB>{}', TRIGGER],
];
const CLASS = new Uint8Array(128);
for (const [characters, bits] of CLASSES)
  for (const character of characters) CLASS[character.charCodeAt(0)] = (CLASS[character.charCodeAt(0)] ?? 0) | bits;

class Scan {
  readonly #text: string;
  readonly #length: number;
  readonly #depth: Uint8Array | null;
  readonly #cuts: Cut[] = [];
  /** No name reaches further back than this. */
  #floor = 0;
  /** Tags that never ended, and how far a run of base64 was looked at that held no credential. */
  #endless = 0;
  #looked = 0;
  /** A member `name` said that the `value` beside it is a secret. */
  #pair = false;

  constructor(text: string, unescaped: Unescaped | null) {
    this.#text = text;
    this.#length = text.length;
    this.#depth = unescaped?.depth ?? null;
  }

  run(): Cut[] {
    const text = this.#text;
    for (let at = 0; at < this.#length;) {
      const code = text.charCodeAt(at);
      if (code > 127 || ((CLASS[code] ?? 0) & TRIGGER) === 0) at += 1;
      else at = Math.max(at + 1, this.#look(code, at));
    }
    return this.#cuts;
  }

  /** @returns where to go on */
  #look(code: number, at: number): number {
    switch (code) {
      case 0x3d: // =
      case 0x3a: // :
        return this.#separator(code, at);
      case 0x3c: // <
        return this.#tag(at);
      case 0x5f: // _
        return this.#prefix(at);
      case 0x2d: // -
        return this.#dash(at);
      case 0x65: // e
      case 0x45:
        return this.#jwt(at);
      case 0x62: // b
      case 0x42:
        return this.#scheme(at);
      default:
        // A pair stands within one object or one tag.
        this.#pair = false;
        return at + 1;
    }
  }

  #cut(from: number, to: number, put: string): number {
    if (this.#text.slice(from, Math.min(to, from + LONGEST_NAME)) !== put) this.#cuts.push({ from, to, put });
    this.#floor = to;
    return to;
  }

  /** What is masked already, or a placeholder, is passed over as a secret would be. */
  #pass(to: number): number {
    this.#floor = to;
    return to;
  }

  #is(at: number, bit: number): boolean {
    const code = this.#text.charCodeAt(at);
    return code < 128 && ((CLASS[code] ?? 0) & bit) !== 0;
  }

  #spaceEnd(from: number): number {
    let at = from;
    while (at < this.#length && this.#is(at, SPACE)) at += 1;
    return at;
  }

  /** `name=value`, `name: value`, `"name": "value"`, `name => value`, `scheme://user:secret@host`. */
  #separator(code: number, at: number): number {
    const text = this.#text;
    const floor = this.#floor;
    this.#floor = at + 1;
    if (code === 0x3a && text.startsWith('//', at + 1)) return this.#loginInUrl(at + 3);
    let end = at;
    while (end > floor && this.#is(end - 1, SPACE)) end -= 1;
    let quoteAt = end - 1;
    const quoted = end > floor && isQuote(text.charCodeAt(quoteAt));
    if (quoted) end = quoteAt;
    else quoteAt = -1;
    let from = end;
    const least = Math.max(floor, end - LONGEST_NAME);
    // Only a quoted name has spaces.
    const space = quoted ? 0x20 : -1;
    while (from > least && (this.#is(from - 1, NAME) || text.charCodeAt(from - 1) === space)) from -= 1;
    // No name reaches over a mark, as it did not reach over the secret.
    const marked = quoted ? text.slice(from, end).lastIndexOf(REDACTED) : -1;
    if (marked !== -1) from += marked + REDACTED.length;
    if (end - from < 2) return at + 1;
    const name = text.slice(from, end);
    const after = code === 0x3d && text.charCodeAt(at + 1) === 0x3e ? at + 2 : at + 1;
    if (end - from === 2) return /^[vV]\d$/.test(name) ? this.#mac(after) : at + 1;
    return this.#member({ name, from, quote: quoted ? quoteAt : -1, code, after });
  }

  #member(key: Key): number {
    const { name, from, code, after } = key;
    const text = this.#text;
    const lower = name.toLowerCase();
    const before = text.charCodeAt(from - 1);
    let verdict = verdictOn(name);
    if (
      verdict === 'no' &&
      code === 0x3d &&
      (lower === 'key' || lower === 'code') &&
      (before === 0x3f || before === 0x26)
    )
      verdict = 'yes';
    // `Client key: …`: what the key is for stands before a space.
    if (verdict === 'no' && /^(?:key|code)s?$/.test(lower) && before === 0x20 && from > 1)
      verdict = verdictOn(text.slice(Math.max(0, from - 20), from) + name);
    if (verdict === 'no' && this.#pair && (lower === 'value' || lower === 'val' || lower === 'content'))
      verdict = 'yes';
    if (verdict === 'no') {
      if (lower === 'name' || lower === 'key' || lower === 'header' || lower === 'field') this.#openPair(after);
      return after;
    }
    if (/(?:authorization|authenticate|cookie2?)$/.test(lower) && key.quote === -1) return this.#headerLine(after);
    if (lower.endsWith('-signature')) return this.#signatureLine(after);
    return this.#value(key, verdict);
  }

  /** `name: "X-Api-Key"`: the `value` beside it is a secret. */
  #openPair(after: number): void {
    const found = /^\s{0,8}(["'])([\w .-]{3,80})["']/.exec(this.#text.slice(after, after + 96));
    if (found !== null && verdictOn(found[2] ?? '') !== 'no') this.#pair = true;
  }

  /** The value after a secret name. */
  #value(key: Key, verdict: 'yes' | 'unless_word'): number {
    const text = this.#text;
    let from = this.#spaceEnd(key.after);
    const isColon = key.code === 0x3a;
    // Without quotes a value stands on the line of its name, or is folded below it.
    if (key.quote === -1 && !this.#sameOrFolded(key.after, from)) return from;
    if (text.charCodeAt(from) === 0x3e) from = this.#spaceEnd(from + 1);
    const code = text.charCodeAt(from);
    if (code === 0x5b && text.startsWith(REDACTED, from)) return this.#pass(from + REDACTED.length);
    if (isQuote(code)) return this.#string(from, verdict);
    if (code === 0x7b || code === 0x5b) return this.#nested(from, key);
    const to = this.#bareEnd(from, key);
    const value = text.slice(from, to);
    if (value === '') return to;
    if (key.quote === -1 && (isColon || verdict === 'unless_word') && isWord(value)) return from;
    if (isPlaceholder(value)) return this.#pass(to);
    if (/^(?:bearer|basic)$/i.test(value)) return from;
    if (key.quote !== -1) {
      if (verdict === 'unless_word' && /^-?\d/.test(value)) return to;
      // A number in JSON; what replaces it is a string.
      const quote = this.#quoteText(key.quote);
      return this.#cut(from, to, /^[-\d]/.test(value) ? `${quote}${REDACTED}${quote}` : mask(value));
    }
    return this.#cut(from, to, mask(value));
  }

  /** At most one line end, and then a line that is indented. */
  #sameOrFolded(after: number, from: number): boolean {
    let line = -1;
    for (let at = after; at < from; at += 1) {
      if (this.#text.charCodeAt(at) !== 0x0a) continue;
      if (line !== -1) return false;
      line = at;
    }
    return line === -1 || line < from - 1;
  }

  #bareEnd(from: number, key: Key): number {
    const text = this.#text;
    // A variable or a line of a configuration file ends at a space; a form also at `&`.
    const isLine =
      key.quote === -1 && (key.code === 0x3a ? this.#startsLine(key.from) : /^[A-Z][A-Z\d_]*$/.test(key.name));
    const outer = this.#depth?.[key.after - 1] ?? 0;
    let at = from;
    for (; at < this.#length; at += 1) {
      const code = text.charCodeAt(at);
      const isEnd = this.#is(at, VALUE_END) || (!isLine && (code === 0x26 || code === 0x3b || code === 0x2c));
      if (isEnd && !isDeeper(this.#depth?.[at] ?? 0, outer)) break;
    }
    // The bracket round a member is not part of its value; that of our own mark is.
    while (at > from && isCloser(text.charCodeAt(at - 1)) && !text.startsWith(REDACTED, at - REDACTED.length)) at -= 1;
    return at;
  }

  #startsLine(from: number): boolean {
    const text = this.#text;
    let at = from;
    while (at > 0 && from - at < 40 && [0x20, 0x09, 0x2d].includes(text.charCodeAt(at - 1))) at -= 1;
    return at === 0 || text.charCodeAt(at - 1) === 0x0a;
  }

  #string(open: number, verdict: 'yes' | 'unless_word'): number {
    const from = open + 1;
    const to = this.#closingQuote(open);
    const value = this.#text.slice(from, to);
    if (isPlaceholder(value)) return this.#pass(to);
    return value === '' || (verdict === 'unless_word' && isWord(value)) ? to : this.#cut(from, to, mask(value));
  }

  /** The next quote that closes the string, or the end of the text. */
  #closingQuote(open: number): number {
    const text = this.#text;
    const quote = text.charCodeAt(open);
    const depth = this.#depth?.[open] ?? 0;
    for (let at = open + 1; at < this.#length; at += 1)
      if (text.charCodeAt(at) === quote && closes(depth, this.#depth?.[at] ?? 0)) return at;
    return this.#length;
  }

  /** An object or list below a secret name goes as a whole. */
  #nested(from: number, key: Key): number {
    const text = this.#text;
    let open = 0;
    let isEmpty = true;
    let at = from;
    for (; at < this.#length; at += 1) {
      const code = text.charCodeAt(at);
      if (code === 0x7b || code === 0x5b) open += 1;
      else if (isCloser(code) && code !== 0x29) open -= 1;
      else if (!this.#is(at, SPACE)) {
        isEmpty = false;
        if (isQuote(code)) at = this.#closingQuote(at);
      }
      if (open === 0) break;
    }
    const to = Math.min(this.#length, at + 1);
    if (isEmpty) return to;
    const quote = key.quote === -1 ? '' : this.#quoteText(key.quote);
    return this.#cut(from, to, `${quote}${REDACTED}${quote}`);
  }

  /** The quote at a position as it is written, with its escapes. */
  #quoteText(at: number): string {
    const depth = this.#depth?.[at] ?? 0;
    const quote = this.#text.charAt(at);
    return depth >= 64 ? (quote === '"' ? '%22' : '%27') : '\\'.repeat(depth) + quote;
  }

  /** A credential header written as text: its value goes up to the end of the line or of the quotes, except the scheme. */
  #headerLine(after: number): number {
    const text = this.#text;
    const from = this.#spaceEnd(after);
    if (!this.#sameOrFolded(after, from)) return from;
    const first = text.charCodeAt(from);
    if (isQuote(first)) return this.#string(from, 'yes');
    if ((first === 0x5b || first === 0x7b) && !text.startsWith(REDACTED, from))
      return this.#nested(from, { name: '', from, quote: -1, code: 0x3a, after });
    let to = from;
    for (; to < this.#length; to += 1) {
      const code = text.charCodeAt(to);
      if (code === 0x0a || code === 0x0d || isQuote(code)) break;
    }
    const value = text.slice(from, to).trimEnd();
    if (isPlaceholder(value)) return this.#pass(from + value.length);
    if (value === '' || isWord(value)) return from + value.length;
    // The realm and the error of a challenge (RFC 9110 §11.6.1) are no secrets.
    if (/^[A-Za-z]{1,20} (?:realm|error|scope)=/.test(value.slice(0, 40))) return from;
    return this.#cut(from, from + value.length, mask(value));
  }

  #signatureLine(after: number): number {
    let from = this.#spaceEnd(after);
    if (isQuote(this.#text.charCodeAt(from))) from += 1;
    let to = from;
    while (to < this.#length && !this.#is(to, VALUE_END)) to += 1;
    const value = this.#text.slice(from, to);
    return value === '' || isWord(value)
      ? from
      : this.#cut(from, to, SIGNATURE.test(value) ? value.replace(MACS, MACS_MASKED) : mask(value));
  }

  /** A MAC of `Credicorp-Signature` outside its header (webhooks.md#verification): hex or base64 of some length. */
  #mac(from: number): number {
    let to = from;
    while (to < this.#length && this.#is(to, KEY)) to += 1;
    return to - from < 16 ? from : this.#cut(from, to, REDACTED);
  }

  /** `https://user:password@host`, `https://key@host` (RFC 3986 §3.2.1). */
  #loginInUrl(from: number): number {
    const text = this.#text;
    let colon = -1;
    let at = from;
    for (; at < this.#length; at += 1) {
      const code = text.charCodeAt(at);
      if (code === 0x2f || code === 0x3f || code === 0x23 || code === 0x40 || this.#is(at, VALUE_END)) break;
      if (code === 0x3a && colon === -1) colon = at;
    }
    const start = colon === -1 ? from : colon + 1;
    if (text.charCodeAt(at) !== 0x40 || start === at) return from;
    return this.#cut(start, at, mask(text.slice(start, at)));
  }

  /** `<password>…</password>`; a tag in prose has no end. */
  #tag(at: number): number {
    const text = this.#text;
    this.#pair = false;
    let end = at + 1;
    while (end < this.#length && end - at <= LONGEST_NAME && (this.#is(end, NAME) || text.charCodeAt(end) === 0x3a))
      end += 1;
    const name = text.slice(at + 1, end);
    this.#floor = at + 1;
    if (name.length < 3 || verdictOn(name) === 'no') return at + 1;
    let open = end;
    while (open < this.#length && text.charCodeAt(open) !== 0x3e && text.charCodeAt(open) !== 0x3c) open += 1;
    // Attributes are looked at on their own.
    if (text.charCodeAt(open) !== 0x3e) return end;
    if (text.charCodeAt(open - 1) === 0x2f) return end;
    return open === end ? this.#content(open + 1) : this.#attributesThenContent(end, open);
  }

  #attributesThenContent(end: number, open: number): number {
    const inner = new Scan(this.#text.slice(end, open), null).run();
    for (const cut of inner) this.#cuts.push({ from: cut.from + end, to: cut.to + end, put: cut.put });
    return this.#content(open + 1);
  }

  /** What stands between the tags: text, CDATA, or elements. */
  #content(from: number): number {
    const text = this.#text;
    let to = from;
    let hasElements = false;
    for (let open = 1; to < this.#length; to += 1) {
      if (text.charCodeAt(to) !== 0x3c) continue;
      if (text.startsWith('![CDATA[', to + 1)) {
        const close = text.indexOf(']]>', to);
        to = close === -1 ? this.#length - 1 : close + 2;
      } else if (text.charCodeAt(to + 1) === 0x2f) {
        open -= 1;
        if (open === 0) break;
      } else {
        // Prose: `use <token> or <secret>`.
        if (!hasElements && text.slice(from, Math.min(to, from + 200)).trim() !== '') return from;
        hasElements = true;
        open += 1;
      }
    }
    const value = text.slice(from, to).trim();
    if (value === '' || isPlaceholder(value)) return this.#pass(to);
    // Prose again: no end. Not many times, each has looked at the whole text.
    if (to === this.#length && (text.charCodeAt(from) === 0x20 || isWord(value)) && ++this.#endless < 4) return from;
    return this.#cut(from, to, REDACTED);
  }

  /** `sk_live_…`, `csk_…`, `pk_…`, `whsec_…`. */
  #prefix(at: number): number {
    const text = this.#text;
    const name = /(?:c?sk|pk|whsec)$/i.exec(text.slice(Math.max(0, at - 5), at))?.[0] ?? '';
    if (name === '' || (at > name.length && this.#is(at - name.length - 1, WORD))) return at + 1;
    const marker = /^(?:test|live|sbx)_/i.exec(text.slice(at + 1, at + 6))?.[0] ?? '';
    const from = at + 1 + marker.length;
    let to = from;
    if (text.charCodeAt(from) === 0x24) while (to < this.#length && !this.#is(to, VALUE_END)) to += 1;
    else while (to < this.#length && this.#is(to, KEY)) to += 1;
    const value = text.slice(from, to);
    // `sk_live_` alone names the prefix, and so does `sk_live`.
    if (text.startsWith(REDACTED, from)) return this.#pass(from + REDACTED.length);
    if (value === '' || isPlaceholder(value) || /^(?:test|live|sbx)$/i.test(value)) return to;
    return this.#cut(from, to, REDACTED);
  }

  /** Two to five base64url parts, the first an encoded JSON object (RFC 7519 §3, RFC 7516 §3). */
  #jwt(start: number): number {
    const text = this.#text;
    const isTokenCharacter = (at: number): boolean =>
      this.#is(at, WORD) || text.charAt(at) === '-' || text.charAt(at) === '_';
    if (!/^e(?:y[JA]|w[o0])/.test(text.slice(start, start + 3)) || (start > 0 && isTokenCharacter(start - 1)))
      return start + 1;
    let head = start;
    while (head < this.#length && isTokenCharacter(head)) head += 1;
    if (head - start < 10 || text.charAt(head) !== '.') return start + 1;
    let to = head;
    for (let dots = 0; to < this.#length && (isTokenCharacter(to) || text.charAt(to) === '.'); to += 1)
      if (text.charAt(to) === '.' && ++dots > 4) break;
    return to - head < 6 ? start + 1 : this.#cut(start, to, REDACTED);
  }

  /** `Bearer x` (RFC 6750 §2.1) and `Basic x` (RFC 7617 §2), but not the words in a sentence. */
  #scheme(start: number): number {
    const text = this.#text;
    const scheme = /^(?:bearer|basic)/i.exec(text.slice(start, start + 6))?.[0] ?? '';
    if (scheme === '' || (start > 0 && this.#is(start - 1, WORD))) return start + 1;
    let from = start + scheme.length;
    while (from < this.#length && (this.#is(from, SPACE) || text.charCodeAt(from) === 0x2b)) from += 1;
    if (from === start + scheme.length || (scheme.length === 5 && start < this.#looked)) return from;
    if (isQuote(text.charCodeAt(from))) from += 1;
    let to = from;
    while (to < this.#length && this.#is(to, KEY)) to += 1;
    const value = text.slice(from, to);
    if (text.startsWith(REDACTED, from)) return this.#pass(from + REDACTED.length);
    if (text.startsWith(REDACTED, to)) return this.#pass(to + REDACTED.length);
    if (value === '' || isWord(value) || isPlaceholder(value) || /^(?:realm|error|scope)=/.test(value.slice(0, 8)))
      return from;
    if (scheme.length === 5) {
      this.#looked = to;
      if (!Buffer.from(value, 'base64').includes(':')) return from;
    }
    return this.#cut(from, to, mask(value));
  }

  /** A private key in PEM or PGP armour, and `curl -u name:secret`. */
  #dash(at: number): number {
    const text = this.#text;
    const next = text.charCodeAt(at + 1);
    if (next === 0x2d && (text.charCodeAt(at + 5) | 0x20) === 0x62 && /^-----begin /i.test(text.slice(at, at + 11))) {
      const label = /^-----begin [a-z ]{0,40}private key[a-z ]{0,16}-----/i.exec(text.slice(at, at + 90))?.[0];
      if (label === undefined) return at + 11;
      const from = at + label.length;
      let to = from;
      while (to < this.#length && !(text.charCodeAt(to) === 0x2d && /^-----end/i.test(text.slice(to, to + 8)))) to += 1;
      return to === from ? to : this.#cut(from, to, REDACTED);
    }
    if (next !== 0x75 && !(next === 0x2d && /[up]/.test(text.charAt(at + 2)))) return at + 1;
    const option = /^(?:-u|--user|--proxy-user)[ =]["']?/.exec(text.slice(at, at + 16))?.[0];
    if (option === undefined || (at > 0 && !this.#is(at - 1, SPACE | VALUE_END))) return at + 1;
    let colon = -1;
    let to = at + option.length;
    for (; to < this.#length && !this.#is(to, VALUE_END); to += 1)
      if (colon === -1 && text.charCodeAt(to) === 0x3a) colon = to;
    return colon === -1 || colon + 1 === to ? at + 1 : this.#cut(colon + 1, to, mask(text.slice(colon + 1, to)));
  }
}

interface Key {
  name: string;
  from: number;
  /** Where the quote after the name stands; -1: the name has none. */
  quote: number;
  /** `=` or `:`. */
  code: number;
  /** Behind the separator. */
  after: number;
}

function isQuote(code: number): boolean {
  return code === 0x22 || code === 0x27 || code === 0x60;
}

function isCloser(code: number): boolean {
  return code === 0x29 || code === 0x5d || code === 0x7d;
}
