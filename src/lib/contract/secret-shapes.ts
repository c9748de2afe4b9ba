/**
 * Patterns that find secrets in text (partner-api.md#credential-kinds). Each pattern has a trigger, a literal that is cheap to search for,
 * and a function that looks at the text around the trigger and returns the part to redact. All triggers are searched for in one pass.
 */

const REDACTED = '[redacted]';

interface Cut {
  from: number;
  to: number;
  put: string;
}

type CutAt = (text: string, start: number, end: number) => Cut | null;

interface Shape {
  /** Searched for case-insensitively. */
  words: readonly string[];
  cut: CutAt;
}

const SHAPES: readonly Shape[] = [
  { words: ['authorization', 'cookie'], cut: cutHeaderLine },
  { words: spelled('client', 'signing', 'webhook', '').map((of) => `${of}secret`), cut: cutMember },
  { words: spelled('secret', 'private', 'api', 'access').map((of) => `${of}key`), cut: cutMember },
  { words: ['token', 'password', 'passphrase', 'client_assertion'], cut: cutMember },
  { words: ['sk_', 'csk_', 'pk_', 'whsec_'], cut: cutKey },
  { words: ['eyJ', 'eyA', 'ewo', 'ew0'], cut: cutJwt },
  { words: ['bearer', 'basic'], cut: cutScheme },
  { words: ['-signature'], cut: cutSignatureLine },
  { words: ['v0=', 'v1=', 'v2='], cut: cutMac },
  { words: ['://'], cut: cutUserInfo },
  { words: ['key', 'sig', 'signature', 'auth', 'jwt'].flatMap((key) => [`?${key}=`, `&${key}=`]), cut: cutQueryValue },
  { words: ['-----BEGIN '], cut: cutPrivateKey },
];

/** The cut that belongs to a trigger, by the trigger in lower case. */
export const CUTS: ReadonlyMap<string, CutAt> = new Map(
  SHAPES.flatMap(({ words, cut }) => words.map((word) => [word.toLowerCase(), cut])),
);

/** Every trigger; where one begins with another the longer comes first. */
export const TRIGGERS = [...CUTS.keys()]
  .sort((a, b) => b.length - a.length)
  .map((word) => word.replace('?', '\\?').replace('//', '\\/\\/'))
  .join('|');

/** `client_`, `client-` and `client`; an empty name stands for itself. */
function spelled(...names: string[]): string[] {
  return names.flatMap((name) => (name === '' ? [name] : [`${name}_`, `${name}-`, name]));
}

/** The part of a secret value that may be shown: its scheme and its published prefix. A reference to a variable is not a secret. */
export function mask(value: string): string {
  if (isPlaceholder(value)) return value;
  const parts = /^((?:bearer|basic)\s+)?((?:c?sk|pk)_(?:test_|live_|sbx_)?|whsec_)?(.*)$/is.exec(value);
  const shown = `${parts?.[1] ?? ''}${parts?.[2] ?? ''}`;
  const rest = parts?.[3] ?? '';
  return rest === '' || isPlaceholder(rest) ? value : shown + REDACTED;
}

/** webhooks.md#verification: `t=<seconds>,v1=<hex>`; the time is useful in a log, the MAC is not shown. */
export function maskSignature(value: string): string {
  if (!/(?:^|,)\s*v\w*=/.test(value)) return mask(value);
  return value.replace(/((?:^|,)\s*v\w*=)[^,]*/g, `$1${REDACTED}`);
}

function cutKey(text: string, start: number, end: number): Cut | null {
  if (!startsWord(text, start)) return null;
  const to = runEnd(/[\w\-.~+/=%]*/y, text, end);
  const marker = /^(?:test|live|sbx)_/.exec(text.slice(end, end + 5))?.[0] ?? '';
  const from = end + marker.length;
  // `sk_live_` alone names the prefix, and so does `sk_live`.
  if (to <= from || /^(?:test|live|sbx)$/.test(text.slice(from, to))) return null;
  return { from, to, put: REDACTED };
}

/** Two to five base64url parts, the first an encoded JSON object (RFC 7519 §3, RFC 7516 §3). */
function cutJwt(text: string, start: number, end: number): Cut | null {
  if (!/^e(?:y[JA]|w[o0])$/.test(text.slice(start, end)) || !startsWord(text, start, /[\w-]/)) return null;
  const head = runEnd(/[\w-]*/y, text, end);
  if (head - start < 10 || text.charAt(head) !== '.') return null;
  const to = runEnd(/(?:\.[\w-]*){1,4}/y, text, head);
  return to - head < 6 ? null : { from: start, to, put: REDACTED };
}

/** `Bearer x` (RFC 6750 §2.1) and `Basic x` (RFC 7617 §2), but not the words in a sentence. */
function cutScheme(text: string, start: number, end: number): Cut | null {
  if (!startsWord(text, start)) return null;
  const from = runEnd(/(?: |\+|%20)+/y, text, end);
  const to = runEnd(/[\w\-.~+/%=]*/y, text, from);
  const value = text.slice(from, to);
  if (from === end || to === from || isWord(value) || /^(?:realm|error|scope)=/.test(value)) return null;
  const basic = text.slice(start, end).toLowerCase() === 'basic';
  if (basic && !Buffer.from(value, 'base64').includes(':')) return null;
  return { from, to, put: mask(value) };
}

/** A credential header written as text: its value is redacted up to the end of the line or of the quotes, except the scheme. */
function cutHeaderLine(text: string, _start: number, end: number): Cut | null {
  const from = runEnd(/(?:\\*["'])?\s{0,8}[:=]\s{0,8}(?:\\*["'])?/y, text, end);
  if (from === end) return null;
  const to = runEnd(/[^\r\n"'\\]*/y, text, from);
  const value = text.slice(from, to).trimEnd();
  if (value === '' || isWord(value) || /^(?:[[{]|null\b)/.test(value)) return null;
  return { from, to: from + value.length, put: mask(value) };
}

function cutSignatureLine(text: string, _start: number, end: number): Cut | null {
  const from = runEnd(/(?:\\*["'])?\s{0,8}[:=]\s{0,8}(?:\\*["'])?/y, text, end);
  const to = runEnd(/[^\s"'\\]*/y, text, from);
  return from === end || to === from ? null : { from, to, put: maskSignature(text.slice(from, to)) };
}

/** A member, field or variable whose name says that its value is secret: JSON at any depth of quoting, form, query, shell. */
function cutMember(text: string, start: number, end: number): Cut | null {
  // `missing_api_key` and `invalid_token` are error codes (partner-api.md#errors).
  if (/(?:missing|invalid)_$/i.test(text.slice(Math.max(0, start - 8), start))) return null;
  const separator = match(/(\\*["']|%22)?(?:\s|%20){0,8}([:=]|%3[ad])(?:\s|%20){0,8}/iy, text, end);
  if (!separator) return null;
  const [whole, quote = '', sign = ''] = separator;
  const from = end + whole.length;
  const value = endOfValue(text, from, quote);
  const found = text.slice(value.from, value.to);
  if (found === '' || isPlaceholder(found)) return null;
  if (value.kind === 'nested') {
    return { from: value.from, to: value.to, put: `${value.quote}${REDACTED}${value.quote}` };
  }
  if (value.kind === 'bare') {
    if (/^(?:bearer|basic)$/i.test(found)) return null;
    // Prose: `secret: not stored`. Without any quotes, only a compound name makes what follows a colon a secret.
    const compound = /[_-]/.test(text.slice(Math.max(0, start - 1), end));
    if (quote === '' && sign !== '=' && !/%3d/i.test(sign) && (!compound || isWord(found))) return null;
  }
  return { from: value.from, to: value.to, put: mask(found) };
}

/** A MAC of `Credicorp-Signature` outside its header (webhooks.md#verification): hex or base64 of some length. */
function cutMac(text: string, start: number, end: number): Cut | null {
  if (!startsWord(text, start)) return null;
  const to = runEnd(/[\w+/=-]*/y, text, end);
  return to - end < 16 ? null : { from: end, to, put: REDACTED };
}

/** `https://user:password@host`, `https://key@host` (RFC 3986 §3.2.1). */
function cutUserInfo(text: string, _start: number, end: number): Cut | null {
  const at = runEnd(/[^\s/?#@"'<>\\]*/y, text, end);
  if (at === end || text.charAt(at) !== '@') return null;
  const colon = text.slice(end, at).indexOf(':');
  const from = colon === -1 ? end : end + colon + 1;
  return from === at ? null : { from, to: at, put: mask(text.slice(from, at)) };
}

function cutQueryValue(text: string, _start: number, end: number): Cut | null {
  const to = runEnd(/[^\s&#"'<>\\]*/y, text, end);
  return to === end ? null : { from: end, to, put: mask(text.slice(end, to)) };
}

function cutPrivateKey(text: string, _start: number, end: number): Cut | null {
  const label = runEnd(/[A-Z ]{0,40}PRIVATE KEY-----/y, text, end);
  if (label === end) return null;
  const close = text.indexOf('-----END', label);
  const to = close === -1 ? text.length : close;
  return text.slice(label, to) === REDACTED ? null : { from: label, to, put: REDACTED };
}

function runEnd(run: RegExp, text: string, from: number): number {
  return from + (match(run, text, from)?.[0].length ?? 0);
}

function match(sticky: RegExp, text: string, from: number): RegExpExecArray | null {
  sticky.lastIndex = from;
  return sticky.exec(text);
}

/** Position of a member's value. `nested` is a number, object or array, to be replaced by a string. */
interface ValueSpan {
  kind: 'quoted' | 'bare' | 'nested';
  from: number;
  to: number;
  /** The quote, with its backslashes, that a replacement needs. */
  quote: string;
}

/** True when the character before `at` cannot be part of the same word; `\n` and `%3D` end a word although their last character is a letter. */
function startsWord(text: string, at: number, wordCharacter = /[A-Za-z0-9]/): boolean {
  if (at === 0 || !wordCharacter.test(text.charAt(at - 1))) return true;
  return /(?:\\[bfnrt]|\\u[\da-f]{4}|%[\da-f]{2})$/i.test(text.slice(Math.max(0, at - 6), at));
}

/** A word of a sentence: short, lower-case letters only. No secret looks like that. */
function isWord(value: string): boolean {
  return /^[A-Za-z]?[a-z]{0,14}[,.;:!?]?$/.test(value);
}

/** A placeholder instead of a secret: a variable, a command, `<your key>`, `***`, or our own redaction mark. */
function isPlaceholder(value: string): boolean {
  return (
    /^(?:\$\w{1,64}|\$\{\w{1,64}\}|\$\([\w -]{1,64}\)|<[\w -]{1,64}>|\*+|…|null|undefined|true|false)$/.test(value) ||
    /^(?:(?:bearer|basic) )?(?:(?:c?sk|pk)_(?:test_|live_|sbx_)?|whsec_)?\[redacted\]$/i.test(value)
  );
}

/** The value that begins at `from`, after a name written with `nameQuote` (empty, or a quote behind any number of backslashes). */
function endOfValue(text: string, from: number, nameQuote: string): ValueSpan {
  const open = sticky(/(\\*)(["'])|%22/y, text, from);
  if (open?.[0] === '%22') return quotedPercent(text, from + 3);
  if (open) {
    const at = from + open[0].length;
    return {
      kind: 'quoted',
      from: at,
      to: closingQuote(text, at, open[1]?.length ?? 0, open[2] ?? '"'),
      quote: open[0],
    };
  }
  if (nameQuote !== '' && /[[{]/.test(text.charAt(from))) {
    return { kind: 'nested', from, to: closingBracket(text, from, nameQuote), quote: nameQuote };
  }
  const scalar = nameQuote === '' ? null : sticky(/(?:-?\d[\d.eE+-]*|null|true|false)(?=[\s,}\]\\]|$)/y, text, from);
  if (scalar) return { kind: 'nested', from, to: from + scalar[0].length, quote: nameQuote };
  const bare = sticky(/[^\s&"'<>;,\\]*/y, text, from)?.[0] ?? '';
  return { kind: 'bare', from, to: from + bare.length, quote: '' };
}

function quotedPercent(text: string, from: number): ValueSpan {
  const close = text.indexOf('%22', from);
  const to = Math.min(close === -1 ? text.length : close, from + (sticky(/[^\s"'&]*/y, text, from)?.[0].length ?? 0));
  return { kind: 'quoted', from, to, quote: '%22' };
}

/**
 * The end of a string whose opening quote has `depth` backslashes before it: the next quote with no more backslashes than that. A quote
 * inside the string has more. A string without an end reaches to the end of the text.
 */
function closingQuote(text: string, from: number, depth: number, quote: string): number {
  for (let at = text.indexOf(quote, from); at !== -1; at = text.indexOf(quote, at + 1)) {
    let slashes = 0;
    while (slashes < at - from && text.charAt(at - 1 - slashes) === '\\') slashes += 1;
    // An even run in front of a plain quote is escaped backslashes, and the quote does close.
    const escaped = depth === 0 ? slashes % 2 === 1 : slashes > depth && Math.floor(slashes / (depth + 1)) % 2 === 1;
    if (!escaped) return at - Math.min(slashes, depth);
  }
  return text.length;
}

function closingBracket(text: string, from: number, quote: string): number {
  let depth = 0;
  for (let at = from; at < text.length; at += 1) {
    const character = text.charAt(at);
    if (character === '[' || character === '{') depth += 1;
    else if (character === ']' || character === '}') depth -= 1;
    else if (text.startsWith(quote, at))
      at = closingQuote(text, at + quote.length, quote.length - 1, quote.slice(-1)) + quote.length - 1;
    if (depth === 0) return at + 1;
  }
  return text.length;
}

function sticky(pattern: RegExp, text: string, from: number): RegExpExecArray | null {
  pattern.lastIndex = from;
  return pattern.exec(text);
}
