/**
 * The tunnels a listener can use: ssh, cloudflared, ngrok, or a public URL of the user's own. A tunnel makes a loopback port reachable
 * from outside; its program is started, its address is read from its output, and it is stopped with the listener. The self-test checks
 * whether deliveries really arrive through it.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { childEnvironment } from '../../child-environment.ts';
import { Failure, usage } from '../../failure.ts';
import { isLocalHost } from '../forward/targets.ts';

export interface Tunnel {
  /** `ssh`, `cloudflared`, `ngrok`, `public-url`. */
  via: string;
  /**
   * Opens a tunnel to a loopback port. @param earlier its previous address, which is used again if possible
   * @param onStart called with the pid of its program, before anything is waited for
   * @throws Failure `unavailable` or `usage` when it cannot be opened, `interrupted` when the signal is aborted meanwhile.
   */
  open(port: number, signal: AbortSignal, earlier: string | null, onStart?: (pid: number) => void): Promise<OpenTunnel>;
}

export interface OpenTunnel {
  /** Scheme, host and port as seen from outside, without a trailing slash. */
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
  /** The address, if this line of its output contains it. */
  readAddress: (line: string) => string | null;
  /** How to install the program. */
  install: string;
  /** Limit until it prints its address, in milliseconds. Default 20 s. */
  openMs?: number;
}

export interface TunnelOptions {
  /** The environment the programs run in. */
  env: Readonly<Record<string, string | undefined>>;
  /** The public address, when the remote end of the tunnel is behind another server. */
  publicUrl?: URL;
  /** Port on the remote host of an ssh tunnel; default any free one. */
  remotePort?: number;
  /** More arguments for ssh, such as an identity file. */
  sshArgs?: readonly string[];
}

/**
 * `ssh:user@host[:port]`, `cloudflared` or `ngrok` → tunnel.
 * @throws Failure `usage` when the text is none of these.
 */
export function parseTunnel(text: string, options: TunnelOptions): Tunnel {
  if (text === 'cloudflared') return tunnelBy(cloudflared(options));
  if (text === 'ngrok') return tunnelBy(ngrok(options));
  // No part may begin with a dash, because ssh would read it as an option.
  const match =
    /^ssh:(?:([A-Za-z0-9_][A-Za-z0-9._-]*)@)?([A-Za-z0-9](?:[A-Za-z0-9.-]*)|\[[0-9A-Fa-f:]+\])(?::(\d{1,5}))?$/.exec(
      text,
    );
  if (match === null) {
    throw usage('unknown tunnel', {
      code: 'bad_tunnel',
      param: '--tunnel',
      next: 'give ssh:user@host, ssh:user@host:port, cloudflared or ngrok',
    });
  }
  const [, user, host = '', port] = match;
  return sshTunnel({ user, host, port }, options);
}

/** `--public-url`: an address of the user's own that already leads to this machine. @throws Failure `usage` */
export function parsePublicUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null;
  const wrong = (what: string): Failure =>
    usage(`--public-url: ${what}`, {
      code: 'bad_public_url',
      param: '--public-url',
      next: 'give the https address that leads to --port, for example https://hooks.example.com',
    });
  if (url === null) throw wrong('not a valid address');
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLocalHost(url.hostname)))
    throw wrong('the address must use https');
  if (url.username !== '' || url.password !== '') throw wrong('the address cannot contain a user name or password');
  if (url.search !== '' || url.hash !== '') throw wrong('leave out the part after ? or #');
  return url;
}

/** The public URL as a tunnel without a program. @param url from `parsePublicUrl`; the receiver's path is appended to it */
export function publicTunnel(url: URL): Tunnel {
  const never = new Promise<string>(() => {});
  return {
    via: 'public-url',
    open: () => Promise.resolve({ url: url.href.replace(/\/+$/, ''), ended: never, close: () => Promise.resolve() }),
  };
}

function tunnelBy(program: (port: number) => TunnelProgram): Tunnel {
  return {
    via: program(0).via,
    open: (port, signal, _earlier, onStart) => openProgram(program(port), signal, onStart),
  };
}

function cloudflared(options: TunnelOptions): (port: number) => TunnelProgram {
  return (port) => ({
    via: 'cloudflared',
    command: 'cloudflared',
    args: ['tunnel', '--no-autoupdate', '--url', `http://127.0.0.1:${port}`],
    env: options.env,
    readAddress: readCloudflared,
    install: 'install it: https://developers.cloudflare.com/cloudflare-one/connections/connect-networks/downloads/',
  });
}

/** cloudflared prints the address in a box of dashes on stderr; other lines contain links to its documentation. */
export function readCloudflared(line: string): string | null {
  return /https:\/\/[a-z0-9-]+\.trycloudflare\.com/.exec(line)?.[0] ?? null;
}

function ngrok(options: TunnelOptions): (port: number) => TunnelProgram {
  return (port) => ({
    via: 'ngrok',
    command: 'ngrok',
    args: ['http', `127.0.0.1:${port}`, '--log', 'stdout', '--log-format', 'json'],
    env: options.env,
    readAddress: readNgrok,
    install: 'install it and sign in once: https://ngrok.com/download',
  });
}

/** ngrok prints one JSON document per line; the one about the started tunnel has `url`. */
export function readNgrok(line: string): string | null {
  return /"url":"(https:\/\/[^"\s]+)"/.exec(line)?.[1] ?? null;
}

const SSH_ARGS: readonly string[] = [
  '-N',
  '-T',
  // Never prompt: the user would not see the question.
  ...['-o', 'BatchMode=yes', '-o', 'ExitOnForwardFailure=yes', '-o', 'ConnectTimeout=3'],
  // Three seconds without an answer are an outage: waiting longer only prolongs it.
  ...['-o', 'ServerAliveInterval=1', '-o', 'ServerAliveCountMax=3'],
  // Only with -v does ssh confirm the forwarding of a fixed port.
  '-v',
];

/** A tunnel through the installed ssh, with the user's own configuration and keys. */
function sshTunnel(
  to: { user: string | undefined; host: string; port: string | undefined },
  options: TunnelOptions,
): Tunnel {
  const host = to.host.replace(/^\[(.*)\]$/, '$1');
  const program = (port: number, remotePort: number): TunnelProgram => ({
    via: 'ssh',
    command: 'ssh',
    args: [
      ...SSH_ARGS,
      ...['-R', `${remotePort}:127.0.0.1:${port}`],
      ...(to.port === undefined ? [] : ['-p', to.port]),
      ...(options.sshArgs ?? []),
      '--',
      to.user === undefined ? host : `${to.user}@${host}`,
    ],
    env: options.env,
    readAddress: (line) => readSsh(line, { host: to.host, remotePort, publicUrl: options.publicUrl }),
    install: 'install OpenSSH (openssh-client)',
  });
  return {
    via: 'ssh',
    async open(port, signal, earlier, onStart) {
      const fixed = options.remotePort ?? 0;
      const again =
        earlier === null || fixed !== 0 || options.publicUrl !== undefined ? 0 : Number(new URL(earlier).port);
      // On the remote host, the lost session may still use the old port.
      if (again !== 0) {
        const same = await openProgram(program(port, again), signal, onStart).catch(() => null);
        if (same !== null) return same;
      }
      return openProgram(program(port, fixed), signal, onStart);
    },
  };
}

/** `Allocated port 40123 for remote forward …`, or with -v and a fixed port `remote forward success for: listen 8080, …`. */
export function readSsh(
  line: string,
  about: { host: string; remotePort: number; publicUrl: URL | undefined },
): string | null {
  const allocated = /^Allocated port (\d+) for remote forward/.exec(line)?.[1];
  const fixed = about.remotePort !== 0 && /remote forward success for: listen/.test(line) ? about.remotePort : null;
  const port = allocated ?? fixed;
  if (port === null) return null;
  return about.publicUrl?.href ?? `http://${about.host}:${port}`;
}

/** Number of output lines that are kept, to explain why a program ended. */
const KEPT_LINES = 5;

/** Starts the program and waits for its address. */
export async function openProgram(
  program: TunnelProgram,
  signal: AbortSignal,
  onStart?: (pid: number) => void,
): Promise<OpenTunnel> {
  const child = spawn(program.command, program.args, {
    env: childEnvironment(program.env),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  if (child.pid !== undefined) onStart?.(child.pid);
  const output: string[] = [];
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'cannot be started'));
    child.once('exit', (code, by) => resolve(`${program.via} ended (${by ?? code})${lastOf(output)}`));
  });
  const close = (): Promise<void> => end(child, ended);
  try {
    const url = await addressOf(child, program, output, ended, signal);
    return { url: url.replace(/\/+$/, ''), ended, close };
  } catch (error) {
    await close();
    throw error;
  }
}

function addressOf(
  child: ChildProcess,
  program: TunnelProgram,
  output: string[],
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
        `${via} printed no address within ${openMs / 1000} s${lastOf(output)}`,
        'tunnel_silent',
        `run ${via} yourself to see why`,
      );
    }, openMs);
    const stop = (): void => reject(new Failure('interrupted', 'stopped while the tunnel was being opened'));
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true });
    const read = (line: string): void => {
      if (!line.startsWith('debug1:')) output.push(line);
      if (output.length > KEPT_LINES) output.shift();
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
      else fail(`the tunnel could not be opened: ${reason}`, 'tunnel_refused', `run ${via} yourself to see why`);
    });
  });
}

/** Ends the program: SIGTERM, then SIGKILL after a second. */
async function end(child: ChildProcess, ended: Promise<string>): Promise<void> {
  child.kill('SIGTERM');
  const force = setTimeout(() => child.kill('SIGKILL'), 1000);
  await ended;
  clearTimeout(force);
}

function lastOf(output: readonly string[]): string {
  const last = output.findLast((line) => line.trim() !== '');
  return last === undefined ? '' : `: ${last.trim().slice(0, 300)}`;
}
