/**
 * Everything a command gets from outside, in one value: streams, environment, clock, randomness, folders, signals. This file alone
 * touches `process` and the real ones; a test makes its own value and runs commands with its own streams and clock.
 */
import { spawnSync } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { homedir, tmpdir, userInfo } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { childEnvironment } from '../child-environment.ts';
import type { Identity } from '../auth/credentials/client-identity.ts';
import { redactStart } from '../contract/secrets.ts';
import { usage } from '../failure.ts';
import { processStart } from '../files/process-start.ts';

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
  /** For secrets and ids: cannot be guessed. */
  secureBytes(count: number): Buffer;
  /** Aborted when the program is asked to stop; `reason` is an `Interruption`. */
  readonly signal: AbortSignal;
  /** Asks the program to stop. */
  interrupt(why: Interruption): void;
  /** Removes other listeners for stream errors: oclif's would throw whatever is not a closed pipe. */
  ownStreams(): void;
  /** Makes writing to a terminal non-blocking, so that a stopped terminal (Ctrl-S) does not stop a server that prints to it. */
  neverBlock(): void;
  /** Sends a signal to another process; `0` sends none. @returns whether that process exists */
  signalProcess(pid: number, signal: NodeJS.Signals | 0): boolean;
  /** Text that differs between processes that had the same pid; null when there is none, empty when the system tells no more. */
  processStart(pid: number): string | null;
  /** What a terminal does with jobs and keys, for a command that reads single keys. */
  readonly jobs: JobControl;
  /** Where configuration (profiles) and state (store, running sandbox, locks) live. */
  readonly paths: { readonly config: string; readonly state: string };
  /** Where this system keeps temporary files. */
  readonly temporaryFolder: string;
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
  /** In a command that a running server starts: throws for another identity than the server began with. */
  readonly assertSameIdentity?: (identity: Identity) => void;
}

export interface JobControl {
  /** Whether the terminal is ours. A process that a shell runs in the background is stopped when it reads a key or changes a mode. */
  isForeground(): boolean;
  /**
   * Has the terminal hand over each key as it is typed, without showing it, or sets it back. Its signals (Ctrl-C, Ctrl-Z) and Ctrl-S stay;
   * on Windows Ctrl-C comes as a key. Node itself sets a terminal back when the process exits, in a crash too.
   * @returns whether that was possible
   */
  readKeys(on: boolean): boolean;
  /** Calls `stop` before a signal (SIGTSTP, SIGQUIT) stops the process, and `go` when it goes on. @returns ends that */
  watch(stop: () => void, go: () => void): () => void;
  /** What Ctrl-C does, where it comes as a key. */
  pressCtrlC(): void;
}

/** The key under which a context is handed through oclif's load options to the command. */
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
  fromSource?: boolean;
}

/**
 * Runs this process's own command line and ends the process with its exit status, once every byte has reached its reader.
 * @param run one command line in a context
 */
export async function runProcess(
  start: Start,
  run: (argv: readonly string[], context: Context) => Promise<number>,
): Promise<void> {
  // The status if the event loop runs dry before the command has ended: a bug of ours, whatever the reason.
  process.exitCode = 70;
  process.on('uncaughtException', (error) => crash(error));
  try {
    process.exit(await run(process.argv.slice(2), realContext(start)));
  } catch (error) {
    crash(error);
  }
}

/** For what no command caught: one line, no stack, no secret. */
function crash(error: unknown): never {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  process.stderr.write(`error: this is a bug in credicorp: ${redactStart(text, 500)}\n`);
  process.exit(70);
}

/** The context of this process. */
function realContext({ root, script, helper, fromSource = false }: Start): Context {
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
    secureBytes: randomBytes,
    signal: controller.signal,
    interrupt,
    ownStreams: () => {
      process.stdout.removeAllListeners('error').on('error', onError);
    },
    neverBlock: () => [process.stdout, process.stderr].forEach(unblock),
    signalProcess,
    processStart: (pid) => processStart(pid, process.platform, (id) => signalProcess(id, 0)),
    jobs: jobControl,
    paths: placesOf(env, home, process.platform),
    temporaryFolder: tmpdir(),
    nodeVersion: process.version,
    pid: process.pid,
    root,
    fromSource,
    program: [process.execPath, ...process.execArgv, script],
    keychainHelper: [process.execPath, ...process.execArgv, helper],
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

/** Node blocks on writes to a terminal and has no public switch for it; where the private one is missing, nothing changes. */
function unblock(stream: object & { isTTY?: boolean }): void {
  const handle: unknown = stream.isTTY === true ? Reflect.get(stream, '_handle') : null;
  if (typeof handle !== 'object' || handle === null) return;
  const setBlocking: unknown = Reflect.get(handle, 'setBlocking');
  if (typeof setBlocking === 'function') setBlocking.call(handle, false);
}

function signalProcess(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, signal);
  } catch (error) {
    // EPERM: it exists, and is somebody else's.
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

const jobControl: JobControl = {
  isForeground() {
    if (process.platform === 'win32') return true;
    if (process.platform !== 'linux')
      return outputOf('ps', '-o', 'stat=', '-p', String(process.pid))?.includes('+') === true;
    // proc(5): after the name in brackets come state, parent, process group, session, terminal, and the group that owns the terminal.
    const [, , group, , , owner] = readFileSync('/proc/self/stat', 'utf8').split(') ').at(-1)?.split(' ') ?? [];
    return group === owner;
  },
  readKeys(on) {
    // Node's raw mode would take away Ctrl-Z and Ctrl-S, and setting it back at exit would stop a process in the background.
    if (process.platform === 'win32') process.stdin.setRawMode(on);
    else if (!on) return outputOf('stty', modes) !== null;
    else {
      modes = outputOf('stty', '-g')?.trim() ?? '';
      return modes !== '' && outputOf('stty', '-icanon', '-echo', 'min', '1', 'time', '0') !== null;
    }
    return true;
  },
  watch(stop, go) {
    if (process.platform === 'win32') return () => undefined;
    const onStop = (): void => {
      stop();
      process.kill(process.pid, 'SIGSTOP');
    };
    const onQuit = (): void => {
      stop();
      process.off('SIGQUIT', onQuit).kill(process.pid, 'SIGQUIT');
    };
    process.on('SIGTSTP', onStop).on('SIGCONT', go).on('SIGQUIT', onQuit);
    return () => void process.off('SIGTSTP', onStop).off('SIGCONT', go).off('SIGQUIT', onQuit);
  },
  pressCtrlC: () => void process.emit('SIGINT'),
};

/** The terminal's modes before keys were read. */
let modes = '';

/** A small program of the system, on our terminal. @returns what it wrote; null when it failed */
function outputOf(command: string, ...args: string[]): string | null {
  const { status, stdout } = spawnSync(command, args, {
    env: childEnvironment(process.env),
    stdio: ['inherit', 'pipe', 'ignore'],
    encoding: 'utf8',
  });
  return status === 0 ? stdout : null;
}

/** `HOME` may be empty or relative; secrets must not end up in whatever folder is current. */
function homeOf(): string {
  return isAbsolute(homedir()) ? homedir() : userInfo().homedir;
}

function folderOf(): string {
  try {
    return process.cwd();
  } catch {
    throw usage('the current folder no longer exists', { next: 'change to another one: cd' });
  }
}

/** The first signal interrupts the command, a second one exits at once. */
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
