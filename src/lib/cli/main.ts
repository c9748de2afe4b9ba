/** The hand-over from `bin`: the real world in, an exit status out. */
import { realContext, type Start } from './context.ts';
import { run } from './program.ts';

/** Runs the process's own command line and ends the process once every byte has reached its reader. */
export async function main(start: Start): Promise<void> {
  const context = realContext(start);
  const status = await run(process.argv.slice(2), context);
  process.exit(status);
}
