/** The very first act of the program: the keychain's helper is started if the command will ask it, before anything else is loaded. */
import { type Helper, lendOnce, startHelper, willAsk } from '../auth/keychain-start.ts';
import { homeOf, placesOf } from './context.ts';

type Here = Pick<NodeJS.Process, 'argv' | 'env' | 'platform' | 'execPath' | 'execArgv'>;

/** @param helper the helper's file. @returns what `Context.startedHelper` is. Never throws: what is wrong with this machine is told later. */
export function startAhead({ argv, env, platform, execPath, execArgv }: Here, helper: string): () => Helper | null {
  try {
    const ask = willAsk(argv.slice(2), env, placesOf(env, homeOf(), platform).config);
    return lendOnce(ask ? startHelper([execPath, ...execArgv, helper], env) : null, () => performance.now());
  } catch {
    return () => null;
  }
}
