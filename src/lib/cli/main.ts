/** The hand-over from `bin`: the real world in, an exit status out. */
import { redactText } from '../contract/secrets.ts';
import { realContext, type Start } from './context.ts';
import { run } from './program.ts';

/** Runs the process's own command line and ends the process once every byte has reached its reader. */
export async function main(start: Start): Promise<void> {
  // Ended without a word, as when the event loop runs dry: our fault, whatever the reason.
  process.exitCode = 70;
  process.on('uncaughtException', (error) => crash(error));
  try {
    process.exit(await run(process.argv.slice(2), realContext(start)));
  } catch (error) {
    crash(error);
  }
}

/** What no command caught: one line, no source, no secret. */
function crash(error: unknown): never {
  const said = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  process.stderr.write(`error: this is a mistake in credicorp itself: ${redactText(said).slice(0, 500)}\n`);
  process.exit(70);
}
