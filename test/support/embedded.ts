/** The embedded sandbox, started in this process by its own command, on a free port and with a home of its own. */
import { setImmediate as turn } from 'node:timers/promises';
import { run } from '../../src/lib/cli/program.ts';
import { type World, worldOf } from './world.ts';

export interface RunningSandbox {
  url: string;
  stop(): Promise<void>;
}

/** @param home its folder, or a whole world. @param flags `--port` among them takes the place of any free one */
export async function startSandbox(home: string | World, ...flags: string[]): Promise<RunningSandbox> {
  const { context, said } = worldOf(typeof home === 'string' ? { home } : home);
  const port = flags.includes('--port') ? [] : ['--port', '0'];
  const ended = run(['sandbox', 'start', ...port, '--json', ...flags], context);
  let over = false;
  void ended.then(() => (over = true));
  while (!said().stdout.includes('\n')) {
    if (over) throw new Error(`the sandbox ended: ${said().stderr}`);
    await turn();
  }
  const ready = JSON.parse(said().stdout) as { base_url: string };
  return {
    url: ready.base_url,
    stop: async () => {
      context.interrupt('SIGINT');
      await ended;
    },
  };
}
