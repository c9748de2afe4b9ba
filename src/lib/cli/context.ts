/**
 * Everything the outside world lends a command, in one value. This file alone touches `process`, the clock, randomness and the
 * file system's real places; a test makes its own value and runs commands with its own streams and clock.
 */
import { randomUUID } from 'node:crypto';
import { homedir, userInfo } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import type { Helper } from '../auth/keychain-start.ts';
import { usage } from '../failure.ts';

/** A place to write to; `isTTY` and `columns` as Node's own streams have them. */
export interface Output {
  write(chunk: string | Uint8Array, callback?: (error?: Error | null) => void): boolean;
  on(event: 'error', listener: (error: NodeJS.ErrnoException) => void): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

/** Why the program was asked to stop. `reader_gone`: nobody reads stdout any more (`| head -1`), which is not an error. */
export type Interruption = 'SIGINT' | 'SIGTERM' | 'SIGHUP' | 'reader_gone' | 'not_written';

export interface Context {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly home: string;
  readonly platform: NodeJS.Platform;
  readonly stdin: NodeJS.ReadableStream & { readonly isTTY?: boolean };
  readonly stdout: Output;
  readonly stderr: Output;
  /** Milliseconds since the epoch. */
  now(): number;
  /** Milliseconds on a clock that never jumps. */
  ticks(): number;
  /** 0 ≤ n < 1. */
  random(): number;
  uuid(): string;
  /** Aborted when the program shall stop; `reason` is an `Interruption`. */
  readonly signal: AbortSignal;
  /** Asks the program to stop. */
  interrupt(why: Interruption): void;
  /** Takes back the streams' errors from whoever else listens for them: oclif throws what is not a closed pipe. */
  ownStreams(): void;
  /** A terminal that was stopped (Ctrl-S) shall stop the reading only: for programs that serve others while they print. */
  neverBlock(): void;
  /** Little memory rather than speed, from here on: for work of any length that mostly waits. */
  frugal(): void;
  /** Sends a signal to another process, `0` only asks. @returns whether that process exists. */
  signalProcess(pid: number, signal: NodeJS.Signals | 0): boolean;
  /** Where configuration (profiles) and state (store, running sandbox, locks) live. */
  readonly paths: { readonly config: string; readonly state: string };
  /** `v24.15.0` */
  readonly nodeVersion: string;
  /** This process's own number. */
  readonly pid: number;
  /** Folder of the installed package: its package.json, manifest and built files. */
  readonly root: string;
  /** Commands are read from the sources instead of from the manifest (bin/dev.js). */
  readonly fromSource: boolean;
  /** How to start this program again, for `sandbox start --background`: interpreter, its flags and the script. */
  readonly program: readonly [string, ...string[]];
  /** How to start the keychain helper. */
  readonly keychainHelper: readonly [string, ...string[]];
  /** The helper that was started ahead, for the first who asks; null when there is none. */
  startedHelper(): Helper | null;
}

/** The key under which a context travels through oclif's load options to the command (house rule for tests). */
export const contextKey: unique symbol = Symbol.for('credicorp.context');

/** The context a command was started with. */
export function contextOf(command: { config: { options: object } }): Context {
  return Reflect.get(command.config.options, contextKey) as Context;
}

export interface Start {
  /** Folder of package.json. */
  root: string;
  /** The file that was started. */
  script: string;
  /** The keychain helper's file. */
  helper: string;
  /** See `Context.startedHelper`. */
  startedHelper: () => Helper | null;
  fromSource?: boolean;
}

/** The real world. */
export function realContext({ root, script, helper, startedHelper, fromSource = false }: Start): Context {
  const controller = new AbortController();
  const env = process.env;
  const interrupt = (why: Interruption): void => controller.abort(why);
  listenForSignals(interrupt, controller.signal);
  const onError = (error: NodeJS.ErrnoException): void =>
    interrupt(error.code === 'EPIPE' ? 'reader_gone' : 'not_written');
  process.stdout.on('error', onError);
  process.stderr.on('error', () => undefined);
  const home = homeOf();
  return {
    env,
    get cwd() {
      return folderOf();
    },
    home,
    platform: process.platform,
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    now: Date.now,
    ticks: () => performance.now(),
    random: Math.random,
    uuid: randomUUID,
    signal: controller.signal,
    interrupt,
    ownStreams: () => {
      process.stdout.removeAllListeners('error').on('error', onError);
    },
    neverBlock: () => [process.stdout, process.stderr].forEach(unblock),
    frugal,
    signalProcess,
    paths: placesOf(env, home, process.platform),
    nodeVersion: process.version,
    pid: process.pid,
    root,
    fromSource,
    program: [process.execPath, ...process.execArgv, script],
    keychainHelper: [process.execPath, ...process.execArgv, helper],
    startedHelper,
  };
}

/** XDG base directories, macOS `Library`, Windows `AppData`; `CREDICORP_CONFIG_DIR` and `CREDICORP_STATE_DIR` first. */
export function placesOf(
  env: Readonly<Record<string, string | undefined>>,
  home: string,
  platform: NodeJS.Platform,
): Context['paths'] {
  const given = (name: string): string | undefined => env[name] || undefined;
  const config = given('CREDICORP_CONFIG_DIR');
  const state = given('CREDICORP_STATE_DIR');
  if (platform === 'darwin') {
    const library = join(home, 'Library', 'Application Support', 'credicorp');
    return { config: config ?? library, state: state ?? join(library, 'state') };
  }
  if (platform === 'win32') {
    const roaming = join(given('APPDATA') ?? join(home, 'AppData', 'Roaming'), 'credicorp');
    const local = join(given('LOCALAPPDATA') ?? join(home, 'AppData', 'Local'), 'credicorp');
    return { config: config ?? roaming, state: state ?? local };
  }
  return {
    config: config ?? join(given('XDG_CONFIG_HOME') ?? join(home, '.config'), 'credicorp'),
    state: state ?? join(given('XDG_STATE_HOME') ?? join(home, '.local', 'state'), 'credicorp'),
  };
}

/** Node writes to a terminal as to a file: the whole program waits. It has no public switch for that; without one all stays as it is. */
function unblock(stream: object & { isTTY?: boolean }): void {
  const handle: unknown = stream.isTTY === true ? Reflect.get(stream, '_handle') : null;
  if (typeof handle !== 'object' || handle === null) return;
  const setBlocking: unknown = Reflect.get(handle, 'setBlocking');
  if (typeof setBlocking === 'function') setBlocking.call(handle, false);
}

/**
 * V8 reads these each time it decides: garbage is collected sooner, and nothing is compiled for speed, which takes memory of its own.
 * The HTTP parser is WebAssembly; compiling that anew for speed while it runs is the dearest of all, about 10 MB.
 */
function frugal(): void {
  for (const flag of [
    ...['--optimize-for-size', '--no-opt', '--no-maglev', '--no-sparkplug', '--max-semi-space-size=1'],
    ...['--no-wasm-tier-up', '--no-wasm-dynamic-tiering'],
  ])
    setFlagsFromString(flag);
}

function signalProcess(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, signal);
  } catch (error) {
    // EPERM: it exists, and is somebody else's.
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

/** `HOME` may be empty or relative, and nobody's secrets shall land in whatever folder happens to be current. */
export function homeOf(): string {
  return isAbsolute(homedir()) ? homedir() : userInfo().homedir;
}

function folderOf(): string {
  try {
    return process.cwd();
  } catch {
    throw usage('the current folder does not exist any more', { next: 'change to another one: cd' });
  }
}

/** A second Ctrl-C leaves at once: whoever presses it twice has waited long enough. */
function listenForSignals(interrupt: (why: Interruption) => void, signal: AbortSignal): void {
  const on = (name: 'SIGINT' | 'SIGTERM' | 'SIGHUP', status: number): void => {
    process.on(name, () => {
      if (signal.aborted) process.exit(status);
      interrupt(name);
    });
  };
  on('SIGINT', 130);
  on('SIGTERM', 143);
  on('SIGHUP', 129);
}
