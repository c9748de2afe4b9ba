/** Text for a terminal: control characters escaped, cut to a width, coloured; times in the local zone. */
import { CONTROL_CHARACTERS, unicodeEscape } from '../../contract/json.ts';
import type { Context, Output } from '../context.ts';

const SHORT_ESCAPES: Readonly<Record<string, string>> = { '\t': '\\t', '\n': '\\n', '\r': '\\r' };

/** Characters that a terminal would obey, as `\n`, `\t` or `\u001b`: text from outside cannot control the terminal, and stays on one line. */
export function escapeControls(text: string): string {
  return text.replace(CONTROL_CHARACTERS, (character) => SHORT_ESCAPES[character] ?? unicodeEscape(character));
}

/** `escapeControls` for text of several lines: line ends stay, a tab becomes a space. */
export function plain(text: string): string {
  const lines = text.replace(/\r\n/g, '\n').replace(/\t/g, ' ');
  return lines.replace(CONTROL_CHARACTERS, (character) => (character === '\n' ? character : escapeControls(character)));
}

/** `plain`, on one line. */
export function plainLine(text: string): string {
  return plain(text).replace(/\s*\n\s*/g, ' ');
}

/** Cuts to `width` columns, with `…` at the end. */
export function cut(text: string, width: number): string {
  if (displayWidth(text) <= width) return text;
  let kept = '';
  let room = width - 1;
  for (const character of text) {
    room -= displayWidth(character);
    if (room < 0) break;
    kept += character;
  }
  return width <= 0 ? '' : `${kept}…`;
}

/** Text on as many lines as it takes, broken between words where words are short enough, behind `indent` spaces. */
export function wrapped(text: string, indent: number, width: number): string[] {
  const room = Math.max(20, width - indent);
  const lines: string[] = [];
  let current = '';
  for (const word of plainLine(text)
    .split(' ')
    .flatMap((whole) => pieces(whole, room))) {
    if (current !== '' && displayWidth(current) + 1 + displayWidth(word) > room) {
      lines.push(current);
      current = word;
    } else current = current === '' ? word : `${current} ${word}`;
  }
  return [...lines, current].map((piece) => ' '.repeat(indent) + piece);
}

/** A word in pieces of at most `room` columns. */
function pieces(word: string, room: number): string[] {
  if (displayWidth(word) <= room) return [word];
  const cuts: string[] = [];
  let [piece, taken] = ['', 0];
  for (const character of word) {
    const width = displayWidth(character);
    if (taken + width > room) {
      cuts.push(piece);
      [piece, taken] = ['', 0];
    }
    piece += character;
    taken += width;
  }
  return [...cuts, piece];
}

/** Columns that a text takes on a terminal: two for wide characters (Unicode TR 11) and emoji, none for combining marks. */
export function displayWidth(text: string): number {
  if (/^[ -~]*$/.test(text)) return text.length;
  let columns = 0;
  for (const character of text) columns += COMBINING.test(character) ? 0 : WIDE.test(character) ? 2 : 1;
  return columns;
}

const COMBINING = /[\p{Mn}\p{Me}\p{Cf}]/u;
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}\p{Emoji_Presentation}]/u;

/** Colours for one output. Colour never carries meaning alone. */
export interface Paint {
  dim(text: string): string;
  bold(text: string): string;
  good(text: string): string;
  bad(text: string): string;
  warn(text: string): string;
}

const same = (text: string): string => text;
const NO_COLOUR: Paint = { dim: same, bold: same, good: same, bad: same, warn: same };

/** Whether to colour: `--no-color` > `NO_COLOR` > `FORCE_COLOR` > `TERM=dumb` > a terminal (no-color.org, force-color.org). */
export function wantsColour(context: Pick<Context, 'env'>, output: Pick<Output, 'isTTY'>, flag: boolean): boolean {
  if (!flag || context.env['NO_COLOR']) return false;
  const forced = context.env['FORCE_COLOR'];
  if (forced !== undefined && forced !== '') return forced !== '0' && forced !== 'false';
  return output.isTTY === true && context.env['TERM'] !== 'dumb';
}

/** The colours for one output; chalk is loaded only where there is colour. */
export async function colourOf(context: Context, output: Output, flag: boolean): Promise<Paint> {
  if (!wantsColour(context, output, flag)) return NO_COLOUR;
  const { Chalk } = await import('chalk');
  const chalk = new Chalk({ level: 1 });
  return { dim: chalk.dim, bold: chalk.bold, good: chalk.green, bad: chalk.red, warn: chalk.yellow };
}

/** `2026-06-29 11:14:02 +01:00`. @param instant ISO 8601, or milliseconds since the epoch */
export function localTime(instant: string | number): string {
  const at = new Date(instant);
  const offset = -at.getTimezoneOffset();
  const sign = offset < 0 ? '-' : '+';
  const zone = `${sign}${two(Math.floor(Math.abs(offset) / 60))}:${two(Math.abs(offset) % 60)}`;
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())} ${zone}`;
}

/**
 * Headings for lines that show only the time of day: called before each line, it returns `2026-06-29, times at +01:00` for the first line
 * and whenever day or zone change, else null.
 */
export function createDayHeading(): (at: string | number) => string | null {
  let last = '';
  return (at) => {
    const [day = '', , zone = ''] = localTime(at).split(' ');
    const heading = `${day}, times at ${zone}`;
    if (heading === last) return null;
    last = heading;
    return heading;
  };
}

function two(n: number): string {
  return String(n).padStart(2, '0');
}
