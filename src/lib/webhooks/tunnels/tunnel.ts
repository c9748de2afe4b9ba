/**
 * What makes a loopback port reachable from outside. A tunnel is somebody else's program: it is started, its address is read
 * from what it prints, and it is ended with the listener. Whether anything really comes through is not asked here; the
 * self-test tells.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { Failure } from '../../failure.ts';

export interface Tunnel {
  /** `ssh`, `cloudflared`, `ngrok`, `public-url`. */
  via: string;
  /**
   * Opens it towards a loopback port. @param earlier the address it had before, to be had again if possible.
   * @throws Failure `unavailable` or `usage` when it cannot be opened, `interrupted` when the signal is aborted meanwhile.
   */
  open(port: number, signal: AbortSignal, earlier: string | null): Promise<OpenTunnel>;
}

export interface OpenTunnel {
  /** Scheme, host and port as seen from outside, without a slash at the end. */
  url: string;
  /** Resolves with the reason when it ends by itself. */
  ended: Promise<string>;
  close(): Promise<void>;
}

export interface TunnelProgram {
  via: string;
  command: string;
  args: readonly string[];
  env: Readonly<Record<string, string | undefined>>;
  /** The address, when this line of its output tells it. */
  readAddress: (line: string) => string | null;
  /** How to get the program, for people who do not have it. */
  install: string;
  /** How long it may take to tell its address, in milliseconds. Default 20 s. */
  openMs?: number;
}

/** Lines of output kept to say why a program ended. */
const KEPT_LINES = 5;

/** Starts the program and waits for its address. */
export async function openProgram(program: TunnelProgram, signal: AbortSignal): Promise<OpenTunnel> {
  const child = spawn(program.command, program.args, { env: program.env, stdio: ['ignore', 'pipe', 'pipe'] });
  const said: string[] = [];
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'cannot be started'));
    child.once('exit', (code, by) => resolve(`${program.via} ended (${by ?? code})${lastOf(said)}`));
  });
  const close = (): Promise<void> => end(child, ended);
  try {
    const url = await addressOf(child, program, said, ended, signal);
    return { url: url.replace(/\/+$/, ''), ended, close };
  } catch (error) {
    await close();
    throw error;
  }
}

function addressOf(
  child: ChildProcess,
  program: TunnelProgram,
  said: string[],
  ended: Promise<string>,
  signal: AbortSignal,
): Promise<string> {
  const { via } = program;
  const openMs = program.openMs ?? 20_000;
  return new Promise((resolve, reject) => {
    const fail = (message: string, code: string, next: string): void =>
      reject(new Failure(code === 'tunnel_program_missing' ? 'usage' : 'unavailable', message, { code, next }));
    const limit = setTimeout(() => {
      fail(
        `${via} told no address in ${openMs / 1000} s${lastOf(said)}`,
        'tunnel_silent',
        `run ${via} by hand to see why`,
      );
    }, openMs);
    const stop = (): void => reject(new Failure('interrupted', 'stopped while the tunnel was opened'));
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true });
    const read = (line: string): void => {
      if (!line.startsWith('debug1:')) said.push(line);
      if (said.length > KEPT_LINES) said.shift();
      const address = program.readAddress(line);
      if (address !== null) resolve(address);
    };
    for (const stream of [child.stdout, child.stderr]) {
      if (stream !== null) createInterface({ input: stream }).on('line', (line) => read(line.slice(0, 2000)));
    }
    void ended.then((reason) => {
      clearTimeout(limit);
      signal.removeEventListener('abort', stop);
      if (reason === 'ENOENT') fail(`${via} is not installed`, 'tunnel_program_missing', program.install);
      else fail(`the tunnel could not be opened: ${reason}`, 'tunnel_refused', `run ${via} by hand to see why`);
    });
  });
}

/** Gently, then not. */
async function end(child: ChildProcess, ended: Promise<string>): Promise<void> {
  child.kill('SIGTERM');
  const force = setTimeout(() => child.kill('SIGKILL'), 1000);
  await ended;
  clearTimeout(force);
}

function lastOf(said: readonly string[]): string {
  const last = said.findLast((line) => line.trim() !== '');
  return last === undefined ? '' : `: ${last.trim().slice(0, 300)}`;
}
