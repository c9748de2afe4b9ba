/** Starts programs as a user's shell would, with an environment of their own. */
import { type ChildProcess, type ChildProcessByStdio, spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { freshFolder } from './folder.ts';

export const root = join(import.meta.dirname, '..', '..');

/** One compile cache for all tests: a program that is compiled anew for each home takes half as long again to start. */
export const cache = join(root, 'node_modules', '.cache');

export interface Ended {
  status: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

export type Child = ChildProcessByStdio<Writable, Readable, Readable>;

/** A home of its own, so that nothing of the developer's machine is read or written. Removed by `[Symbol.dispose]`. */
export function freshHome(): { path: string; env: Record<string, string>; [Symbol.dispose](): void } {
  const path = freshFolder();
  const env = {
    ...{ PATH: process.env['PATH'] ?? '', HOME: path, XDG_RUNTIME_DIR: path, TZ: 'UTC' },
    XDG_CACHE_HOME: cache,
  };
  return { path, env, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

/** A test that failed has no time to stop what it started: that ends with the test's process at the latest. */
export const running = new Set<ChildProcess>();
process.on('exit', () => running.forEach((child) => child.kill('SIGKILL')));

/** Starts a script under this Node. */
export function start(
  script: string,
  args: readonly string[],
  env: Record<string, string | undefined>,
  cwd?: string,
): Child {
  const place = cwd === undefined ? {} : { cwd };
  const child = spawn(process.execPath, [join(root, script), ...args], {
    ...{ env, ...place },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  running.add(child);
  child.on('exit', () => running.delete(child));
  return child;
}

/** Runs a script to its end. Killed after the limit: no test may hang. */
export function finish(child: Child, input = '', limitMs = 30_000): Promise<Ended> {
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
  const limit = setTimeout(() => child.kill('SIGKILL'), limitMs);
  return new Promise((resolve) =>
    child.on('close', (status, signal) => {
      clearTimeout(limit);
      resolve({ status, signal, stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(err).toString() });
    }),
  );
}

/** Starts and finishes. */
export function runScript(
  script: string,
  args: readonly string[],
  env: Record<string, string | undefined>,
  input = '',
): Promise<Ended> {
  return finish(start(script, args, env), input);
}

/** Resolves when a stream has carried the text; rejects when it ends without it. */
export function seen(stream: Readable, text: string | RegExp): Promise<string> {
  return new Promise((resolve, reject) => {
    let all = '';
    const look = (chunk: Buffer): void => {
      all += chunk.toString();
      if (typeof text === 'string' ? all.includes(text) : text.test(all)) done(() => resolve(all));
    };
    const ended = (): void => done(() => reject(new Error(`ended without ${String(text)}: ${all}`)));
    const done = (act: () => void): void => {
      stream.off('data', look);
      stream.off('end', ended);
      act();
    };
    stream.on('data', look);
    stream.on('end', ended);
  });
}
