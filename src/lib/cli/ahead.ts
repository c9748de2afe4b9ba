/** The very first act of the program: the keychain's helper is started if the command will ask it, before anything else is loaded. */
import type { Helper } from '../auth/keychain-start.ts';
import { willAsk } from '../auth/will-ask.ts';
import { homeOf, placesOf } from './context.ts';

type Here = Pick<NodeJS.Process, 'argv' | 'env' | 'platform' | 'execPath' | 'execArgv'>;

/** @param helper the helper's file. @returns what `Context.startedHelper` is. Never rejects: what is wrong with this machine is told later. */
export async function startAhead(
  { argv, env, platform, execPath, execArgv }: Here,
  helper: string,
): Promise<() => Helper | null> {
  try {
    if (!willAsk(argv.slice(2), env, placesOf(env, homeOf(), platform).config)) return () => null;
    const { lendOnce, startHelper } = await import('../auth/keychain-start.ts');
    return lendOnce(startHelper([execPath, ...execArgv, helper], env), () => performance.now());
  } catch {
    return () => null;
  }
}
