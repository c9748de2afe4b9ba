/** Colour, on a terminal only. Meaning is never carried by it alone. */
import type { Context, Output } from '../context.ts';

export interface Paint {
  dim(text: string): string;
  bold(text: string): string;
  good(text: string): string;
  bad(text: string): string;
  warn(text: string): string;
}

const same = (text: string): string => text;
const none: Paint = { dim: same, bold: same, good: same, bad: same, warn: same };

/** `--no-color` > `NO_COLOR` > `FORCE_COLOR` > `TERM=dumb` > a terminal (no-color.org, force-color.org). */
export function wantsColour(context: Pick<Context, 'env'>, output: Pick<Output, 'isTTY'>, flag: boolean): boolean {
  if (!flag || context.env['NO_COLOR']) return false;
  const forced = context.env['FORCE_COLOR'];
  if (forced !== undefined && forced !== '') return forced !== '0' && forced !== 'false';
  return output.isTTY === true && context.env['TERM'] !== 'dumb';
}

/** The paint for one output; chalk is loaded only where there is colour. */
export async function colourOf(context: Context, output: Output, flag: boolean): Promise<Paint> {
  if (!wantsColour(context, output, flag)) return none;
  const { Chalk } = await import('chalk');
  const chalk = new Chalk({ level: 1 });
  return { dim: chalk.dim, bold: chalk.bold, good: chalk.green, bad: chalk.red, warn: chalk.yellow };
}
