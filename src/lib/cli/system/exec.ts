/** A command of the user's that runs beside us, in a shell. */
import { spawn } from 'node:child_process';
import type { Context } from '../context.ts';

export interface Beside {
  /** Resolves with its status as a shell would give it: 128 and the signal's number where a signal ended it. */
  ended: Promise<number>;
  /** Asks it to end, and insists after 3 s. */
  stop(): Promise<void>;
}

/** Its output goes to stderr: stdout is ours, and is data. @param extra variables it gets besides ours */
export function runBeside(context: Context, command: string, extra: Readonly<Record<string, string>>): Beside {
  const child = spawn(command, {
    shell: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...context.env, ...extra } as NodeJS.ProcessEnv,
    cwd: context.cwd,
    // A group of its own, so that what the shell started ends with it.
    detached: context.platform !== 'win32',
  });
  // No faster than stderr is read: a stopped terminal must not fill our memory.
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => {
      stream.pause();
      context.stderr.write(chunk, () => stream.resume());
    });
  const send = (signal: NodeJS.Signals): void => {
    if (child.pid !== undefined) context.signalProcess(context.platform === 'win32' ? child.pid : -child.pid, signal);
  };
  const ended = new Promise<number>((resolve) => {
    child.once('error', () => resolve(127));
    child.once('exit', (status, signal) => {
      // What the shell left running (an app in the background) ends with it; its last words are waited for.
      send('SIGTERM');
      const insist = setTimeout(() => send('SIGKILL'), PATIENCE_MS);
      child.once('close', () => {
        clearTimeout(insist);
        resolve(status ?? 128 + (NUMBERS[signal ?? ''] ?? 0));
      });
    });
  });
  return {
    ended,
    async stop() {
      send('SIGTERM');
      const insist = setTimeout(() => send('SIGKILL'), PATIENCE_MS);
      await ended;
      clearTimeout(insist);
    },
  };
}

const PATIENCE_MS = 3000;
const NUMBERS: Record<string, number | undefined> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGKILL: 9,
  SIGTERM: 15,
  SIGSEGV: 11,
  SIGABRT: 6,
};
