/**
 * JSON without loss: a number that a double cannot reproduce (9007199254740993, 1.0, 1e400) is kept as its source text and
 * written unchanged. Built on the engine's source-text access (`JSON.rawJSON`).
 */

interface ReviverContext {
  source?: string;
}

interface LosslessJson {
  parse(text: string, reviver: (key: string, value: unknown, context: ReviverContext) => unknown): unknown;
  rawJSON(text: string): object;
}

const lossless = JSON as unknown as LosslessJson;

/** Finds numbers that a double may not reproduce, at the positions where JSON allows a number. */
const LOSSY_NUMBER = /(?:^|"\s*:|[[,])\s*-?(?:\d+[.eE]|\d{16}|(?<=-)0)/;

/** Parses JSON text. @throws SyntaxError when the text is not JSON. */
export function parseJson(text: string): unknown {
  // Without a long or fractional number nothing can be lost, and the plain parser is several times faster.
  if (!LOSSY_NUMBER.test(text)) return JSON.parse(text);
  return lossless.parse(text, (_key, value, context) =>
    typeof value === 'number' && context.source !== undefined && String(value) !== context.source
      ? lossless.rawJSON(context.source)
      : value,
  );
}

/** Compact JSON, or indented by `indent` spaces. Numbers whose text was kept are written unchanged. */
export function writeJson(value: unknown, indent?: number): string {
  return JSON.stringify(value, undefined, indent) ?? 'null';
}

/**
 * What a terminal obeys: C0 (escape sequences begin with one), delete, C1, the marks that reorder text (a way to show one thing and mean
 * another), and the separators that some programs take for line ends.
 */
// oxlint-disable-next-line no-control-regex
export const CONTROL_CHARACTERS = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** JSON text with every character that a terminal would obey escaped: the same document. */
export function safeJson(json: string): string {
  return json.replace(CONTROL_CHARACTERS, (character) => (character === '\n' ? character : unicodeEscape(character)));
}

/** The JSON escape of a character: `\u001b`. */
export function unicodeEscape(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

/** The source text of a scalar in the document; objects and arrays as compact JSON. */
export function scalarText(value: unknown): string {
  if (value === null || value === undefined) return '';
  if (typeof value === 'string') return value;
  return writeJson(value);
}

/** A plain record (not null, not an array, not a kept number), for reading outside data member by member. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !isKeptNumber(value);
}

/** True for a number whose text was kept because a double cannot hold it. */
export function isKeptNumber(value: unknown): boolean {
  return (JSON as unknown as { isRawJSON(value: unknown): boolean }).isRawJSON(value);
}
