/**
 * Why a signature that has the right shape does not match (webhooks.md#causes-of-a-refused-signature, lower half). Explanations are tried in the order
 * of that table, one change at a time, never two together. Finding one changes nothing about the verdict: a body-only MAC
 * stays refused.
 */

export type MismatchCause =
  | 'body_only_hmac'
  | 'whitespace_in_secret'
  | 'quoted_secret'
  | 'secret_prefix_removed'
  | 'wrong_signed_string'
  | 'body_newline_changed'
  | 'body_reserialised'
  | 'secret_other_environment'
  | 'secret_other_endpoint'
  | 'wrong_secret';

/** Says whether the MAC of the joined message parts under this key equals one of the delivered ones. */
type Matches = (secret: string | Uint8Array, message: readonly (string | Uint8Array)[]) => boolean;

interface Mismatch {
  body: Uint8Array;
  secrets: readonly string[];
  /** As written; empty where nothing says when it was signed. */
  t: string;
  /** What the scheme signs of a body. */
  message: (body: Uint8Array) => readonly (string | Uint8Array)[];
  otherEnvironmentSecrets?: readonly string[];
  otherEndpointSecrets?: readonly string[];
}

interface Explanation {
  cause: MismatchCause;
  detail: string | null;
}

/** The first explanation that holds, else `wrong_secret`. */
export function explainMismatch(matches: Matches, input: Mismatch): Explanation {
  for (const candidate of candidates(input)) {
    if (matches(candidate.secret, candidate.message)) return { cause: candidate.cause, detail: candidate.detail };
  }
  return { cause: 'wrong_secret', detail: null };
}

interface Candidate extends Explanation {
  secret: string | Uint8Array;
  message: readonly (string | Uint8Array)[];
}

function* candidates(input: Mismatch): Generator<Candidate> {
  const { body, secrets, t } = input;
  const plain = input.message(body);
  for (const secret of secrets) yield { cause: 'body_only_hmac', detail: null, secret, message: [body] };
  for (const spell of [paddedSecrets, unquotedSecrets, strippedSecrets]) {
    for (const secret of secrets) for (const other of spell(secret)) yield { ...other, message: plain };
  }
  for (const secret of secrets) {
    yield { cause: 'wrong_signed_string', detail: 't + body, without the dot', secret, message: [t, body] };
    yield { cause: 'wrong_signed_string', detail: 'body + "." + t', secret, message: [body, `.${t}`] };
  }
  for (const other of otherBodies(body)) {
    for (const secret of secrets) yield { ...other, secret, message: input.message(other.body) };
  }
  for (const secret of input.otherEnvironmentSecrets ?? []) {
    yield { cause: 'secret_other_environment', detail: null, secret, message: plain };
  }
  for (const secret of input.otherEndpointSecrets ?? []) {
    yield { cause: 'secret_other_endpoint', detail: null, secret, message: plain };
  }
}

interface OtherSecret extends Explanation {
  secret: string | Uint8Array;
}

function* paddedSecrets(secret: string): Generator<OtherSecret> {
  const cause = 'whitespace_in_secret';
  if (secret.trim() !== secret) {
    yield { cause, detail: 'the configured secret has white space around it', secret: secret.trim() };
  }
  const detail = "the signer's copy of the secret ends in a line break";
  yield { cause, detail, secret: `${secret}\n` };
  yield { cause, detail, secret: `${secret}\r\n` };
}

function* unquotedSecrets(secret: string): Generator<OtherSecret> {
  const inner = /^(["'])(.+)\1$/s.exec(secret)?.[2];
  if (inner !== undefined) yield { cause: 'quoted_secret', detail: null, secret: inner };
}

function* strippedSecrets(secret: string): Generator<OtherSecret> {
  const rest = secret.startsWith('whsec_') ? secret.slice('whsec_'.length) : '';
  if (rest === '') return;
  yield { cause: 'secret_prefix_removed', detail: 'as text', secret: rest };
  if (/^[A-Za-z0-9+/_-]+={0,2}$/.test(rest)) {
    yield { cause: 'secret_prefix_removed', detail: 'base64-decoded', secret: Buffer.from(rest, 'base64') };
  }
}

/** Ten spellings of a megabyte of small members would hold a receiver up for a second; real events have a few kilobytes. */
const MAX_RESPELLED_BYTES = 128 * 1024;

interface OtherBody extends Explanation {
  body: Uint8Array;
}

function* otherBodies(body: Uint8Array): Generator<OtherBody> {
  yield* otherLineEnds(body);
  const text = body.byteLength > MAX_RESPELLED_BYTES ? null : utf8(body);
  if (text === null) return;
  for (const { name, text: other } of respell(text)) {
    yield { cause: 'body_reserialised', detail: `signed as ${name}`, body: Buffer.from(other, 'utf8') };
  }
}

/** Works on bytes: latin1 maps each byte to one character and back. */
function* otherLineEnds(body: Uint8Array): Generator<OtherBody> {
  const text = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('latin1');
  const cause = 'body_newline_changed';
  yield { cause, detail: 'a final line end was lost on the way', body: latin1Bytes(`${text}\n`) };
  yield { cause, detail: 'a final line end was lost on the way', body: latin1Bytes(`${text}\r\n`) };
  const trimmed = withoutFinalLineEnds(text);
  if (trimmed !== text) yield { cause, detail: 'a final line end was added on the way', body: latin1Bytes(trimmed) };
  if (text.includes('\r\n')) {
    yield { cause, detail: 'line ends became \\r\\n on the way', body: latin1Bytes(text.replaceAll('\r\n', '\n')) };
  }
  if (/(?<!\r)\n/.test(text)) {
    yield {
      cause,
      detail: 'line ends became \\n on the way',
      body: latin1Bytes(text.replaceAll(/(?<!\r)\n/g, '\r\n')),
    };
  }
}

function latin1Bytes(text: string): Uint8Array {
  return Buffer.from(text, 'latin1');
}

/** A loop, because `/[\r\n]+$/` takes quadratic time on a body full of line ends. */
function withoutFinalLineEnds(text: string): string {
  let end = text.length;
  while (end > 0 && (text[end - 1] === '\n' || text[end - 1] === '\r')) end -= 1;
  return text.slice(0, end);
}

function utf8(body: Uint8Array): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body);
  } catch {
    return null;
  }
}

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

/** Deeper documents are not tried, to keep the recursion short; real events have about five levels. */
const MAX_DEPTH = 200;

/** The other spellings of a JSON text, in the order the page lists them; nothing when the text is not JSON. */
function* respell(text: string): Generator<{ name: string; text: string }> {
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
