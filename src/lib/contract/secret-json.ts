/**
 * Finds secrets in JSON by its meaning: by decoded names of members, by pairs of `name` and `value`, and in JSON inside strings. It reads
 * the text itself, so that everything but the masked values stays as it was sent, numbers included (RFC 8259).
 */
import { unescapeJson } from './escaped-text.ts';
import { isPlaceholder, isWord, mask, REDACTED, type Verdict, verdictOn } from './secret-names.ts';
import { type Cut, cutsInText } from './secret-text.ts';

/** JSON in strings is read as JSON this many levels deep; below that as text. */
const LEVELS = 3;

/** The cuts that take the secrets out of a text: JSON as far as it goes, the rest as text. */
export function cutsIn(text: string, level = 0): Cut[] {
  const cuts: Cut[] = [];
  const rest = level < LEVELS && /^\s{0,64}["[{]/.test(text.slice(0, 65)) ? new JsonScan(text, level, cuts).run() : 0;
  if (rest < text.length)
    for (const { from, to, put } of cutsInText(rest === 0 ? text : text.slice(rest)))
      cuts.push({ from: from + rest, to: to + rest, put });
  return cuts;
}

interface Frame {
  isObject: boolean;
  /** Verdict on the member that is being read. */
  member: Verdict;
  name: string;
  /** A member `name` that names a secret was seen. */
  pair: boolean;
  /** The string in the member `value`. */
  value: Cut | null;
  cutsBefore: number;
}

interface StringEnd {
  to: number;
  /** Something in it needs a closer look. */
  special: boolean;
  escaped: boolean;
  /** ASCII without escapes. */
  isPlain: boolean;
}

const NAMES = new Set(['name', 'key', 'header', 'field', 'Name', 'Key']);
const VALUES = new Set(['value', 'val', 'content', 'Value']);

/** Names of members without a secret in them. */
const openNames = new Set<string>();

class JsonScan {
  readonly #text: string;
  readonly #level: number;
  readonly #cuts: Cut[];
  readonly #frames: Frame[] = [];
  #at = 0;
  /** Where text begins again when this is no JSON after all. */
  #restart = 0;

  constructor(text: string, level: number, cuts: Cut[]) {
    this.#text = text;
    this.#level = level;
    this.#cuts = cuts;
  }

  /** @returns where the JSON ends: the length of the text, also when the text was cut off within the JSON */
  run(): number {
    for (;;) {
      this.#skipSpace();
      if (this.#at >= this.#text.length) return this.#text.length;
      const before = this.#restart;
      this.#restart = this.#at;
      const start = this.#at;
      if (!this.#value()) {
        // `"token": …`: what was read before was the beginning of a text.
        if (this.#restart === start && !/\n/.test(this.#text.slice(Math.max(0, start - 1), start)))
          this.#restart = before;
        while (this.#cuts.length > 0 && (this.#cuts.at(-1)?.to ?? 0) > this.#restart) this.#cuts.pop();
        return this.#restart;
      }
    }
  }

  /** One value with everything in it. @returns false when the text is no JSON from `#restart` on */
  #value(): boolean {
    const text = this.#text;
    do {
      this.#skipSpace();
      const frame = this.#frames.at(-1);
      const code = text.charCodeAt(this.#at);
      if (this.#at >= text.length) return true;
      if (frame !== undefined && (code === 0x7d || code === 0x5d)) {
        if (frame.isObject !== (code === 0x7d)) return false;
        this.#at += 1;
        this.#close(frame);
        continue;
      }
      if (frame?.isObject === true) {
        if (!this.#name(frame)) return false;
        if (this.#at >= text.length) return true;
      } else if (frame !== undefined) this.#restart = this.#at;
      if (!this.#scalarOrOpen(frame)) return false;
    } while (this.#frames.length > 0);
    return true;
  }

  #skipSpace(): void {
    for (; this.#at < this.#text.length; this.#at += 1) {
      const code = this.#text.charCodeAt(this.#at);
      // A comma too: one too many does no harm here.
      const isComma = code === 0x2c && this.#frames.length > 0;
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09 && !isComma) return;
    }
  }

  #close(frame: Frame): void {
    this.#frames.pop();
    const { pair, value, cutsBefore } = frame;
    if (!pair || value === null) return;
    // The value may stand before the name.
    const inside = this.#cuts.splice(cutsBefore).filter(({ from, to }) => to <= value.from || from >= value.to);
    this.#cuts.push(...[...inside, value].sort((a, b) => a.from - b.from));
  }

  /** The name of the next member, up to its value. */
  #name(frame: Frame): boolean {
    const text = this.#text;
    this.#restart = this.#at;
    if (text.charCodeAt(this.#at) !== 0x22) return false;
    const from = this.#at + 1;
    const { to, isPlain, special, escaped } = this.#stringEnd(from);
    this.#at = to + 1;
    // A value goes on for as long as the text does; a name does not.
    if (to >= text.length) return false;
    this.#skipSpace();
    if (text.charCodeAt(this.#at) !== 0x3a) return false;
    this.#at += 1;
    this.#skipSpace();
    if (special) this.#lookInName(from, to, escaped);
    frame.name = isPlain ? text.slice(from, to) : this.#decoded(from, to);
    frame.member = verdictOn(frame.name);
    return true;
  }

  /** A secret may stand in a name too; the usual names come again and again. */
  #lookInName(from: number, to: number, escaped: boolean): void {
    const name = this.#text.slice(from, Math.min(to, from + 64));
    if (openNames.has(name) && to - from < 64) return;
    const before = this.#cuts.length;
    this.#inside(from, to, escaped);
    if (this.#cuts.length > before || openNames.size > 2000) return;
    openNames.add(name);
  }

  #decoded(from: number, to: number): string {
    const text = unescapeJson(this.#text, from, Math.min(to, from + 512))?.text ?? this.#text.slice(from, to);
    return text.replace(/[\u00ad\u200b-\u200d\u2060\ufeff]/g, '');
  }

  #scalarOrOpen(frame: Frame | undefined): boolean {
    const text = this.#text;
    const from = this.#at;
    const code = text.charCodeAt(from);
    const verdict = frame?.member ?? 'no';
    if (code === 0x22) {
      this.#string(frame, from + 1);
      return true;
    }
    if (code === 0x7b || code === 0x5b) {
      if (verdict !== 'no') return this.#whole();
      this.#at += 1;
      const cutsBefore = this.#cuts.length;
      this.#frames.push({ isObject: code === 0x7b, member: 'no', name: '', pair: false, value: null, cutsBefore });
      return true;
    }
    const word = /^(?:true|false|null)/.exec(text.slice(from, from + 5))?.[0];
    if (word !== undefined) {
      this.#at += word.length;
      return this.#endsScalar();
    }
    while (this.#at < text.length && isNumberCharacter(text.charCodeAt(this.#at))) this.#at += 1;
    // A word that the text breaks off in.
    if (this.#at === from)
      return (
        text.length - from < 5 && /^(?:t(?:ru?)?|f(?:a(?:ls?)?)?|n(?:ul?)?)$/.test(text.slice(from)) && this.#end()
      );
    if (!this.#endsScalar()) return false;
    const isPaired = frame?.isObject === true && VALUES.has(frame.name);
    const cut = { from, to: this.#at, put: `"${REDACTED}"` };
    if (verdict === 'yes') this.#cuts.push(cut);
    else if (isPaired) frame.value = cut;
    return true;
  }

  #end(): true {
    this.#at = this.#text.length;
    return true;
  }

  #endsScalar(): boolean {
    const code = this.#text.charCodeAt(this.#at);
    return Number.isNaN(code) || /[\s,\]}]/.test(String.fromCharCode(code));
  }

  #string(frame: Frame | undefined, from: number): void {
    const text = this.#text;
    const { to, special, escaped } = this.#stringEnd(from);
    this.#at = Math.min(text.length, to + 1);
    const verdict = frame?.member ?? 'no';
    const value = (): string => (escaped && to - from < 200 ? this.#decoded(from, to) : text.slice(from, to));
    if (frame?.isObject === true && NAMES.has(frame.name) && verdictOn(value()) !== 'no') frame.pair = true;
    if (verdict === 'yes' || (verdict === 'unless_word' && !isWord(value()))) {
      if (to > from && !isPlaceholder(value())) this.#cuts.push({ from, to, put: mask(value()) });
      return;
    }
    if (frame?.isObject === true && VALUES.has(frame.name) && to > from && !isPlaceholder(value()))
      frame.value = { from, to, put: mask(value()) };
    if (special) this.#inside(from, to, escaped);
  }

  /** The text in a string is read like any other, JSON included. */
  #inside(from: number, to: number, escaped: boolean): void {
    if (!escaped) {
      for (const cut of cutsIn(this.#text.slice(from, to), this.#level + 1))
        this.#cuts.push({ from: cut.from + from, to: cut.to + from, put: inString(cut.put) });
      return;
    }
    const decoded = unescapeJson(this.#text, from, to);
    const found = decoded === null ? cutsInText(this.#text.slice(from, to)) : cutsIn(decoded.text, this.#level + 1);
    for (const cut of found)
      this.#cuts.push({
        from: decoded === null ? cut.from + from : (decoded.at[cut.from] ?? from),
        to: decoded === null ? cut.to + from : (decoded.at[cut.to] ?? to),
        put: inString(cut.put),
      });
  }

  /** An object or list below a secret name goes as a whole. */
  #whole(): boolean {
    const text = this.#text;
    const from = this.#at;
    let open = 0;
    let isEmpty = true;
    for (; this.#at < text.length; this.#at += 1) {
      const code = text.charCodeAt(this.#at);
      if (code === 0x7b || code === 0x5b) open += 1;
      else if (code === 0x7d || code === 0x5d) open -= 1;
      else if (code > 0x20) isEmpty = false;
      if (code === 0x22) this.#at = this.#stringEnd(this.#at + 1).to;
      if (open === 0) break;
    }
    this.#at = Math.min(text.length, this.#at + 1);
    if (!isEmpty) this.#cuts.push({ from, to: this.#at, put: `"${REDACTED}"` });
    return true;
  }

  #stringEnd(from: number): StringEnd {
    const text = this.#text;
    let special = false;
    let escaped = false;
    let isPlain = true;
    let to = from;
    for (; to < text.length; to += 1) {
      const code = text.charCodeAt(to);
      if (code === 0x22) break;
      if (code === 0x5c) {
        escaped = true;
        to += 1;
      } else if (code > 0x7e) isPlain = false;
      else if (SPECIAL[code] === 1) special = true;
    }
    isPlain &&= !escaped;
    return { to: Math.min(to, text.length), special: special || !isPlain, escaped, isPlain };
  }
}

/** A text without any of these holds no secret that its looks give away. */
const SPECIAL = new Uint8Array(128);
for (const character of '=:_.%&<- \t\n+{[') SPECIAL[character.charCodeAt(0)] = 1;

function isNumberCharacter(code: number): boolean {
  return (
    (code >= 0x30 && code <= 0x39) || code === 0x2d || code === 0x2b || code === 0x2e || code === 0x65 || code === 0x45
  );
}

function inString(put: string): string {
  return JSON.stringify(put).slice(1, -1);
}
