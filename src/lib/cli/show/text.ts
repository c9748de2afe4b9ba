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

/** Cuts to `width` columns with `…`. For a terminal only. */
export function cut(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  let kept = '';
  let room = width - 1;
  for (const character of text) {
    room -= widthOf(character);
    if (room < 0) break;
    kept += character;
  }
  return width <= 0 ? '' : `${kept}…`;
}

/** Columns a text takes on a terminal: two for wide characters (Unicode TR 11) and emoji, none for marks that join the one before. */
export function widthOf(text: string): number {
  if (/^[ -~]*$/.test(text)) return text.length;
  let columns = 0;
  for (const character of text) columns += JOINING.test(character) ? 0 : WIDE.test(character) ? 2 : 1;
  return columns;
}

const JOINING = /[\p{Mn}\p{Me}\p{Cf}]/u;
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}\p{Emoji_Presentation}]/u;
