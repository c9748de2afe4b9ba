/**
 * One JSON document in the spellings that common programs give it (webhooks.md#causes-of-a-refused-signature, `body_reserialised`). Works on the text's
 * own tokens, so that number texts, repeated members and the order of members survive: a sender's `1.0` must come back as `1.0`.
 */

/** A scalar other than a string keeps its source text; a string is decoded, because programs differ in how they escape. */
type Node =
  | { kind: 'text'; text: string }
  | { kind: 'string'; value: string }
  | { kind: 'list'; items: Node[] }
  | { kind: 'members'; members: [name: string, value: Node][] };

interface Style {
  name: string;
  /** 0 writes one line. */
  indent: number;
  comma: string;
  colon: string;
  escape: (value: string) => string;
  sorted: boolean;
}

/** Deeper documents are left unexplained rather than risk the stack; real events have about five levels. */
const MAX_DEPTH = 200;

/** The other spellings of a JSON text, in the order the page lists them; nothing when the text is not JSON. */
export function* respell(text: string): Generator<{ name: string; text: string }> {
  const node = read(text);
  if (node === null) return;
  for (const style of STYLES) yield { name: style.name, text: write(node, style, '\n') };
}

const plain = (value: string): string => JSON.stringify(value);
const ascii = (value: string): string =>
  plain(value).replaceAll(/[\u0080-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
const php = (value: string): string => ascii(value).replaceAll('/', '\\/');

const compact: Style = { name: 'compact JSON', indent: 0, comma: ',', colon: ':', escape: plain, sorted: false };
const spelled: Style[] = [
  compact,
  { ...compact, name: 'JSON indented by 2', indent: 2, colon: ': ' },
  { ...compact, name: 'JSON indented by 4', indent: 4, colon: ': ' },
  { ...compact, name: "JSON with Python's default separators", comma: ', ', colon: ': ' },
];
const STYLES: Style[] = [
  ...spelled.flatMap((style) => [style, { ...style, name: `${style.name}, non-ASCII as \\uxxxx`, escape: ascii }]),
  { ...compact, name: 'compact JSON with sorted keys', sorted: true },
  { ...compact, name: 'PHP-style JSON (\\/ and \\uxxxx)', escape: php },
];

function write(node: Node, style: Style, lineEnd: string): string {
  if (node.kind === 'text') return node.text;
  if (node.kind === 'string') return style.escape(node.value);
  const inner = lineEnd + ' '.repeat(style.indent);
  if (node.kind === 'list') {
    return wrap(
      '[',
      node.items.map((item) => write(item, style, inner)),
      ']',
    );
  }
  const members = style.sorted ? node.members.toSorted(([a], [b]) => byCodePoint(a, b)) : node.members;
  return wrap(
    '{',
    members.map(([name, value]) => style.escape(name) + style.colon + write(value, style, inner)),
    '}',
  );

  function wrap(open: string, parts: string[], close: string): string {
    if (parts.length === 0) return open + close;
    return style.indent === 0
      ? open + parts.join(style.comma) + close
      : open + inner + parts.join(style.comma + inner) + lineEnd + close;
  }
}

/** Python and PHP sort by code point; JavaScript's own order differs beyond U+FFFF. */
function byCodePoint(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

/** The tree of a text that `JSON.parse` accepts; null otherwise. */
function read(text: string): Node | null {
  try {
    JSON.parse(text);
  } catch {
    return null;
  }
  return new Reader(text.match(/"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\]:,]|[^\s{}[\]:,"]+/g) ?? []).value(0);
}

/** Walks over tokens that are known to be in order. */
class Reader {
  readonly #tokens: readonly string[];
  #at = 0;

  constructor(tokens: readonly string[]) {
    this.#tokens = tokens;
  }

  value(depth: number): Node | null {
    const token = this.#take();
    if (depth > MAX_DEPTH) return null;
    if (token === '[') return this.#list(depth);
    if (token === '{') return this.#members(depth);
    return token.startsWith('"') ? { kind: 'string', value: decode(token) } : { kind: 'text', text: token };
  }

  #list(depth: number): Node | null {
    const items: Node[] = [];
    while (!this.#passes(']')) {
      const item = this.value(depth + 1);
      if (item === null) return null;
      items.push(item);
      this.#passes(',');
    }
    return { kind: 'list', items };
  }

  #members(depth: number): Node | null {
    const found: [string, Node][] = [];
    while (!this.#passes('}')) {
      const name = decode(this.#take());
      this.#passes(':');
      const item = this.value(depth + 1);
      if (item === null) return null;
      found.push([name, item]);
      this.#passes(',');
    }
    return { kind: 'members', members: found };
  }

  #take(): string {
    return this.#tokens[this.#at++] ?? '';
  }

  #passes(token: string): boolean {
    const there = this.#tokens[this.#at] === token;
    if (there) this.#at += 1;
    return there;
  }
}

function decode(token: string): string {
  const value: unknown = JSON.parse(token);
  return typeof value === 'string' ? value : '';
}
