/** Text that came from outside, made safe and short enough for a terminal or a tab-separated line. */

// CSI, OSC (with either end), DCS/SOS/PM/APC strings, and two-byte escapes.
const ESCAPES =
  // oxlint-disable-next-line no-control-regex
  /\u001b\[[0-?]*[ -/]*[@-~]|\u009b[0-?]*[ -/]*[@-~]|\u001b\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|\u001b[PX^_][^\u001b]*(?:\u001b\\)?|\u001b[ -/]*[0-~]/g;
// C0 and C1 without line feed, delete, and the marks that reorder text (a way to show one thing and mean another).
// oxlint-disable-next-line no-control-regex
const CONTROLS = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** Removes escape sequences and control characters; line feeds stay. */
export function plain(text: string): string {
  return text.replace(ESCAPES, '').replace(CONTROLS, ' ');
}

/** `plain`, on one line. */
export function plainLine(text: string): string {
  return plain(text).replace(/\s*\n\s*/g, ' ');
}

/** One cell of a tab-separated line: nothing cut; tab and line ends as `\t`, `\n`, `\r` so that a row stays a row. */
export function cell(text: string): string {
  return text.replaceAll('\t', '\\t').replaceAll('\n', '\\n').replaceAll('\r', '\\r');
}

/** Cuts to `width` characters with `…`. For a terminal only. */
export function cut(text: string, width: number): string {
  const characters = [...text];
  return characters.length <= width ? text : `${characters.slice(0, Math.max(0, width - 1)).join('')}…`;
}
