/**
 * Starts keychain helper processes, and reuses one that has answered for the next request of the same command.
 */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { Socket } from 'node:net';
import type { Readable, Writable } from 'node:stream';
import { childEnvironment } from '../../child-environment.ts';

export type Helper = ChildProcessByStdio<Writable, Readable, null>;
type Environ = Readonly<Record<string, string | undefined>>;

/** Starts a helper, which waits for a request. It does not keep the program alive, and ends with it. */
export function startHelper([program, ...args]: readonly [string, ...string[]], env: Environ): Helper {
  const child = spawn(program, args, {
    stdio: ['pipe', 'pipe', 'ignore'],
    env: helperEnvironment(env),
    windowsHide: true,
  });
  child.on('error', () => undefined).unref();
  for (const pipe of [child.stdin, child.stdout]) {
    if (pipe instanceof Socket) pipe.unref();
    pipe.on('error', () => undefined);
  }
  child.stdout.setEncoding('utf8');
  return child;
}

/** How long a helper waits for another request, in milliseconds. */
const IDLE_MS = 5000;

/** Holds a helper that has answered, for the next request of the same command: a mint reads and then writes. */
export interface HelperPool {
  take(): Helper | null;
  put(helper: Helper): void;
}

export function createHelperPool(): HelperPool {
  let idle: Helper | null = null;
  let timer: NodeJS.Timeout | undefined;
  return {
    take() {
      clearTimeout(timer);
      const kept = idle;
      idle = null;
      return kept !== null && isRunning(kept) ? kept : null;
    },
    put(helper) {
      idle?.kill('SIGKILL');
      idle = helper;
      clearTimeout(timer);
      timer = setTimeout(() => helper.kill('SIGKILL'), IDLE_MS).unref();
    },
  };
}

function isRunning({ pid, exitCode, signalCode }: Helper): boolean {
  return pid !== undefined && exitCode === null && signalCode === null;
}

/** Node's own options are not passed on either. */
function helperEnvironment(env: Environ): Record<string, string> {
  const passed = Object.entries(childEnvironment(env)).filter(([name]) => !name.startsWith('NODE_'));
  return Object.fromEntries(passed);
}
