/**
 * The built program, run inside the test's own process: the same files as a start of `bin/run.js`, without the price of one.
 * What only a process has (signals, pipes that break, a terminal, its exit) is tested with `spawn.ts` and `terminal.ts`.
 */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Context, placesOf } from '../../src/lib/cli/context.ts';
import { type Ended, root } from './spawn.ts';
import { worldOf } from './world.ts';

process.env['TZ'] = 'UTC';

const script = join(root, 'bin', 'run.js');
const helper = join(root, 'dist', 'keychain-helper.js');
const built = import(pathToFileURL(join(root, 'dist', 'main.js')).href) as Promise<{
  run(argv: readonly string[], context: Context): Promise<number>;
}>;

/**
 * Runs one command line of the built program to its end.
 * @param env the whole environment, with its `HOME`
 */
export async function runInside(
  args: readonly string[],
  env: Record<string, string | undefined>,
  input = '',
  cwd = process.cwd(),
): Promise<Ended> {
  const home = env['HOME'] ?? root;
  const { context, said } = worldOf({ home, input });
  const { run } = await built;
  const status = await run(args, {
    ...context,
    env,
    cwd,
    paths: placesOf(env, home, process.platform),
    platform: process.platform,
    fromSource: false,
    program: [process.execPath, script],
    keychainHelper: [process.execPath, helper],
  });
  return { status, signal: null, ...said() };
}
