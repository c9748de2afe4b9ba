/**
 * Finds out why a well-formed signature does not match (webhooks.md#causes-of-a-refused-signature, lower half). Common mistakes are tried
 * in the order of that table, one at a time, never two combined. Finding one does not change the verdict: a MAC of the body alone
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

/** True when the MAC of the message parts with this key equals one of the received MACs. */
type Matches = (secret: string | Uint8Array, message: readonly (string | Uint8Array)[]) => boolean;

interface Mismatch {
  body: Uint8Array;
  secrets: readonly string[];
  /** The time as written in its header; empty in a scheme without a time. */
  t: string;
  /** The message that the scheme signs for a body. */
  message: (body: Uint8Array) => readonly (string | Uint8Array)[];
  otherEnvironmentSecrets?: readonly string[];
  otherEndpointSecrets?: readonly string[];
}

interface Explanation {
  cause: MismatchCause;
  detail: string | null;
}

/** The first explanation that matches, else `wrong_secret`. */
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

/** Largest body that is serialised again in other styles: for a megabyte that would block a receiver for a second. Real events have a few kilobytes. */
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
  yield { cause, detail: 'a line break at the end was lost in transit', body: latin1Bytes(`${text}\n`) };
  yield { cause, detail: 'a line break at the end was lost in transit', body: latin1Bytes(`${text}\r\n`) };
  const trimmed = withoutFinalLineEnds(text);
  if (trimmed !== text)
    yield { cause, detail: 'a line break at the end was added in transit', body: latin1Bytes(trimmed) };
  if (text.includes('\r\n')) {
    yield { cause, detail: 'line endings became \\r\\n in transit', body: latin1Bytes(text.replaceAll('\r\n', '\n')) };
  }
  if (/(?<!\r)\n/.test(text)) {
    yield {
      cause,
      detail: 'line endings became \\n in transit',
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

/** A JSON value. Numbers, booleans and null keep their source text; strings are decoded, because programs escape them differently. */
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

/** Deepest nesting that is tried, to bound the recursion; real events have about five levels. */
const MAX_DEPTH = 200;

/** The same JSON document serialised in other styles, in documented order; nothing when the text is not JSON. */
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

/** Compares by code point, as Python and PHP sort; JavaScript's own order differs beyond U+FFFF. */
function byCodePoint(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

/** Parses a JSON text; null when `JSON.parse` does not accept it. */
function read(text: string): Node | null {
  try {
    JSON.parse(text);
  } catch {
    return null;
  }
  return new Reader(text.match(/"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\]:,]|[^\s{}[\]:,"]+/g) ?? []).value(0);
}

/** Builds the tree from the tokens of a text that is known to be valid JSON. */
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
