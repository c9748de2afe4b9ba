/** How the table of secret shapes reads the text round a trigger. Every scan is linear in what it passes over. */

/** Where a member's value stands. `nested` is a number, object or array, to be replaced by a string. */
interface ValueSpan {
  kind: 'quoted' | 'bare' | 'nested';
  from: number;
  to: number;
  /** The quote, with its backslashes, that a replacement needs. */
  quote: string;
}

/** True when the character before `at` cannot be part of the same word; `\n` and `%3D` end a word though a letter stands last. */
export function startsWord(text: string, at: number, wordCharacter = /[A-Za-z0-9]/): boolean {
  if (at === 0 || !wordCharacter.test(text.charAt(at - 1))) return true;
  return /(?:\\[bfnrt]|\\u[\da-f]{4}|%[\da-f]{2})$/i.test(text.slice(Math.max(0, at - 6), at));
}

/** A word of a sentence: letters only, small, not long. No secret is made like that. */
export function isWord(value: string): boolean {
  return /^[A-Za-z]?[a-z]{0,14}[,.;:!?]?$/.test(value);
}

/** What stands where a secret would: a variable, a command, `<your key>`, `***`, or our own mark. */
export function isPlaceholder(value: string): boolean {
  return (
    /^(?:\$\w{1,64}|\$\{\w{1,64}\}|\$\([\w -]{1,64}\)|<[\w -]{1,64}>|\*+|…|null|undefined|true|false)$/.test(value) ||
    /^(?:(?:bearer|basic) )?(?:(?:c?sk|pk)_(?:test_|live_|sbx_)?|whsec_)?\[redacted\]$/i.test(value)
  );
}

/** The value that begins at `from`, after a name written with `nameQuote` (empty, or a quote behind any number of backslashes). */
export function endOfValue(text: string, from: number, nameQuote: string): ValueSpan {
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
 * Where a string ends that was opened behind `depth` backslashes: at the next quote behind no more of them than that. A quote
 * inside the string has more. A string that never ends reaches to the end of the text.
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
