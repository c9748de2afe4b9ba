/** Draws a URL as a QR code on stderr: stdout is data, and may be going into a variable. */
import { wantsColour } from './terminal-text.ts';
import type { Context } from '../context.ts';
import { note } from './write.ts';

/** Draws the code if stderr is a terminal that is wide enough; otherwise prints why it does not. */
export async function showQr(context: Context, url: string, color: boolean): Promise<void> {
  if (context.stderr.isTTY !== true) return note(context, 'note: --qr needs a terminal, and stderr is not one');
  const { encode } = await import('uqr');
  const { data, size } = encode(url, { ecc: 'M', border: 2 });
  if (size > (context.stderr.columns || 80)) {
    return note(context, `note: the terminal is too narrow for the QR code: it needs ${size} columns`);
  }
  const paint = wantsColour(context, context.stderr, color) ? whiteOnBlack : (line: string) => line;
  for (const line of qrLines(data)) note(context, paint(line));
}

/** Two modules in one character, so that they are square. */
const HALVES = [' ', '▄', '▀', '█'] as const;

/**
 * Light modules are drawn and dark ones left out: right on the dark background of most terminals.
 * @param dark rows of modules, true for dark
 */
export function qrLines(dark: readonly (readonly boolean[])[]): string[] {
  const lines: string[] = [];
  for (let y = 0; y < dark.length; y += 2) {
    const lower = dark[y + 1];
    const half = (upperDark: boolean, x: number): string =>
      HALVES[(upperDark ? 0 : 2) + ((lower?.[x] ?? true) ? 0 : 1)] ?? ' ';
    lines.push((dark[y] ?? []).map(half).join(''));
  }
  return lines;
}

/** Sets both colours, so that a camera can read it on any background. */
function whiteOnBlack(line: string): string {
  return `\u001b[38;5;231;48;5;16m${line}\u001b[0m`;
}
