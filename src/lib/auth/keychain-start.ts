/**
 * Starts the keychain helper, ahead of its request where a command is likely to have one: a Node process takes about as long to start
 * as this program needs to find out what to ask. Until then the helper only loads its library; it asks the keychain nothing.
 */

import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { Socket } from 'node:net';
import type { Readable, Writable } from 'node:stream';

export type Helper = ChildProcessByStdio<Writable, Readable, null>;
type Environ = Readonly<Record<string, string | undefined>>;

/** It waits for its request and keeps nobody alive; whoever started it may forget it, and it ends with its starter. */
export function startHelper([program, ...args]: readonly [string, ...string[]], env: Environ): Helper {
  const child = spawn(program, args, {
    stdio: ['pipe', 'pipe', 'ignore'],
    env: childEnvironment(env),
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

/** Older than this, a helper nobody asked is near its own end (`keychain-helper`), and a fresh one is the safer choice. */
const OLDEST_MS = 10_000;
/** So long a helper waits for another request. */
const IDLE_MS = 5000;

/** Gives the helper that was started ahead to the first who asks, null to everybody else, and when it did not stay alive. */
export function lendOnce(helper: Helper | null, ticks: () => number): () => Helper | null {
  const until = ticks() + OLDEST_MS;
  let left = helper;
  return () => {
    const lent = left;
    left = null;
    if (lent === null || !lives(lent)) return null;
    if (ticks() < until) return lent;
    lent.kill('SIGKILL');
    return null;
  };
}

/** Where a helper that has answered waits for the next request of the same command: a mint reads and then writes. */
export interface HelperShelf {
  take(): Helper | null;
  put(helper: Helper): void;
}

/** @param first the helper that was started ahead */
export function helperShelf(first: () => Helper | null = () => null): HelperShelf {
  let idle: Helper | null = null;
  let timer: NodeJS.Timeout | undefined;
  return {
    take() {
      clearTimeout(timer);
      const kept = idle;
      idle = null;
      return kept !== null && lives(kept) ? kept : first();
    },
    put(helper) {
      idle?.kill('SIGKILL');
      idle = helper;
      clearTimeout(timer);
      timer = setTimeout(() => helper.kill('SIGKILL'), IDLE_MS).unref();
    },
  };
}

function lives({ pid, exitCode, signalCode }: Helper): boolean {
  return pid !== undefined && exitCode === null && signalCode === null;
}

/** Credentials and Node's own options are not passed on. */
function childEnvironment(env: Environ): Record<string, string> {
  const passed: Record<string, string> = {};
  for (const [name, value] of Object.entries(env)) {
    if (value !== undefined && !/^(?:CC_|CREDICORP_|NODE_)/.test(name)) passed[name] = value;
  }
  return passed;
}
