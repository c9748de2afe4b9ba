/** The hand-over from `bin`: the real world in, an exit status out. */
import { realContext } from './context.ts';
import { run } from './program.ts';

export interface Start {
  /** Folder of package.json. */
  root: string;
  /** The file that was started. */
  script: string;
  /** The keychain helper's file. */
  helper: string;
  fromSource?: boolean;
}

/** Runs the process's own command line and ends the process once every byte has reached its reader. */
export async function main(start: Start): Promise<void> {
  const context = realContext(start.root, start.script, start.helper);
  const status = await run(process.argv.slice(2), context, { fromSource: start.fromSource ?? false });
  process.exit(status);
}
