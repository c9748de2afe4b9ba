/** The tunnels a listener can use: what to start, and how each program tells its address. */
import { Failure, usage } from '../../failure.ts';
import { isLoopback } from '../targets.ts';
import { openProgram, type Tunnel, type TunnelProgram } from './tunnel.ts';

export interface TunnelOptions {
  /** The environment the programs run in. */
  env: Readonly<Record<string, string | undefined>>;
  /** The address deliveries shall come to, when the tunnel's far end stands behind one of its own. */
  publicUrl?: URL;
  /** Port at the far end of an ssh tunnel; default one that is free there. */
  remotePort?: number;
  /** Further arguments for ssh, such as an identity file. */
  sshArgs?: readonly string[];
}

/**
 * `ssh:user@host[:port]`, `cloudflared` or `ngrok` → tunnel.
 * @throws Failure `usage` when the text is none of these.
 */
export function parseTunnel(text: string, options: TunnelOptions): Tunnel {
  if (text === 'cloudflared') return tunnelBy(cloudflared(options));
  if (text === 'ngrok') return tunnelBy(ngrok(options));
  // No part may begin with a dash: ssh would take it for an option.
  const match =
    /^ssh:(?:([A-Za-z0-9_][A-Za-z0-9._-]*)@)?([A-Za-z0-9](?:[A-Za-z0-9.-]*)|\[[0-9A-Fa-f:]+\])(?::(\d{1,5}))?$/.exec(
      text,
    );
  if (match === null) {
    throw usage('--tunnel names no tunnel this program knows', {
      code: 'bad_tunnel',
      param: '--tunnel',
      next: 'give ssh:user@host, ssh:user@host:port, cloudflared or ngrok',
    });
  }
  const [, user, host = '', port] = match;
  return sshTunnel({ user, host, port }, options);
}

/** An address of the user's own that already leads here: nothing to start, only to watch. @throws Failure `usage` */
export function parsePublicUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null;
  const wrong = (what: string): Failure =>
    usage(`--public-url: ${what}`, {
      code: 'bad_public_url',
      param: '--public-url',
      next: 'give the https address that leads to --port, for example https://hooks.example.com',
    });
  if (url === null) throw wrong('this is no address');
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLoopback(url.hostname)))
    throw wrong('https is wanted');
  if (url.username !== '' || url.password !== '') throw wrong('user and password do not belong into an address');
  if (url.search !== '' || url.hash !== '') throw wrong('leave out what follows ? or #');
  return url;
}

/** @param url from `parsePublicUrl`; the receiver's path is added to its own. */
export function publicTunnel(url: URL): Tunnel {
  const never = new Promise<string>(() => {});
  return {
    via: 'public-url',
    open: () => Promise.resolve({ url: url.href.replace(/\/+$/, ''), ended: never, close: () => Promise.resolve() }),
  };
}

function tunnelBy(program: (port: number) => TunnelProgram): Tunnel {
  return { via: program(0).via, open: (port, signal) => openProgram(program(port), signal) };
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

/** The address stands alone in a box of dashes on stderr; other lines name pages of the maker. */
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

/** One JSON document per line; the one about the started tunnel carries `url`. */
export function readNgrok(line: string): string | null {
  return /"url":"(https:\/\/[^"\s]+)"/.exec(line)?.[1] ?? null;
}

const SSH_ARGS: readonly string[] = [
  '-N',
  '-T',
  // Nobody would see a question.
  ...['-o', 'BatchMode=yes', '-o', 'ExitOnForwardFailure=yes', '-o', 'ConnectTimeout=3'],
  // Silence of three seconds is an outage: waiting longer only makes the time longer in which nothing arrives.
  ...['-o', 'ServerAliveInterval=1', '-o', 'ServerAliveCountMax=3'],
  // With -v the forwarding is also confirmed when the port is a fixed one.
  '-v',
];

/** The system's own ssh, with the user's own configuration and keys. */
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
    async open(port, signal, earlier) {
      const fixed = options.remotePort ?? 0;
      const again =
        earlier === null || fixed !== 0 || options.publicUrl !== undefined ? 0 : Number(new URL(earlier).port);
      // The far end may still hold the old port for a session it believes alive.
      if (again !== 0) {
        const same = await openProgram(program(port, again), signal).catch(() => null);
        if (same !== null) return same;
      }
      return openProgram(program(port, fixed), signal);
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
