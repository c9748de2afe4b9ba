/** The page that `credicorp` without arguments prints: the first commands to try. */
import { colourOf } from './output/terminal-text.ts';
import type { Context } from './context.ts';

const LINES: readonly [command: string, does: string][] = [
  ['credicorp demo', 'a guided tour on the embedded sandbox; no account needed'],
  ['credicorp sandbox start', 'the whole API on your machine, offline'],
  ['credicorp login', 'use your own sandbox or live credentials'],
  ['credicorp apps create --company 16093826', 'a first application'],
  ['credicorp webhooks listen --forward localhost:3000/hook', 'signed webhooks, verified and forwarded'],
  ['credicorp --help', 'all commands'],
];

export async function startPage(context: Context, color = true): Promise<string> {
  const paint = await colourOf(context, context.stdout, color);
  const width = Math.max(...LINES.map(([command]) => command.length));
  const rows = LINES.map(([command, does]) => `  ${paint.bold(command.padEnd(width))}  ${paint.dim(does)}`);
  return `credicorp: loan applications, decisions, payment links and signed webhooks from the command line\n\n${rows.join('\n')}\n`;
}
