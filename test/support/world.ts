/** A context made by hand: several commands run in one process, each with its own streams, clock and places. */
import { randomBytes, randomUUID } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { type Context, type Interruption, type Output, placesOf } from '../../src/lib/cli/context.ts';
import { run } from '../../src/lib/cli/program.ts';
import { processStart } from '../../src/lib/files/process-start.ts';
import { root } from './spawn.ts';

export interface World {
  /** Is stdout (and stderr, stdin) a terminal? */
  terminal?: boolean;
  columns?: number;
  env?: Record<string, string>;
  home: string;
  /** Folder of the program's package.json; the real program unless told. */
  root?: string;
  input?: string;
  now?: () => number;
  /** 0 ≤ n < 1; with 0 no retry waits. */
  random?: () => number;
}

export interface Said {
  status: number;
  stdout: string;
  stderr: string;
}

/** Runs one command line in this process. */
export async function command(world: World, ...argv: string[]): Promise<Said> {
  const { context, said } = worldOf(world);
  const status = await run(argv, context);
  return { status, ...said() };
}

export function worldOf(world: World): { context: Context; said: () => { stdout: string; stderr: string } } {
  const controller = new AbortController();
  const stdout = new Captured(world.terminal === true, world.columns);
  const stderr = new Captured(world.terminal === true, world.columns);
  const stdin = Object.assign(new PassThrough(), { isTTY: false });
  stdin.end(world.input ?? '');
  const env = { PATH: process.env['PATH'], HOME: world.home, ...world.env };
  const context: Context = {
    env,
    cwd: world.home,
    home: world.home,
    platform: 'linux',
    stdin,
    stdout,
    stderr,
    now: world.now ?? Date.now,
    ticks: () => performance.now(),
    random: world.random ?? Math.random,
    uuid: randomUUID,
    secureBytes: randomBytes,
    signal: controller.signal,
    interrupt: (why: Interruption) => controller.abort(why),
    ownStreams: () => undefined,
    neverBlock: () => undefined,
    signalProcess: (pid, signal) => {
      try {
        return process.kill(pid, signal);
      } catch {
        return false;
      }
    },
    processStart: (pid) => processStart(pid, process.platform, (id) => context.signalProcess(id, 0)),
    jobs: { isForeground: () => true, readKeys: () => true, watch: () => () => undefined, pressCtrlC: () => undefined },
    paths: placesOf(env, world.home, 'linux'),
    temporaryFolder: tmpdir(),
    nodeVersion: process.version,
    pid: process.pid,
    root: world.root ?? root,
    fromSource: true,
    program: [process.execPath, join(root, 'bin', 'dev.js')],
    keychainHelper: [process.execPath, join(root, 'src', 'lib', 'auth', 'keychain', 'keychain-helper.ts')],
  };
  return { context, said: () => ({ stdout: stdout.text, stderr: stderr.text }) };
}

class Captured implements Output {
  text = '';
  readonly isTTY: boolean;
  readonly columns: number;

  constructor(isTTY: boolean, columns = 80) {
    this.isTTY = isTTY;
    this.columns = columns;
  }

  write(chunk: string | Uint8Array, callback?: (error?: Error | null) => void): boolean {
    this.text += typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString();
    if (callback) setImmediate(callback);
    return true;
  }

  on(): this {
    return this;
  }
}
