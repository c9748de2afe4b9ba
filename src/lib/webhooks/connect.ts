/**
 * Reaching the app. `localhost` may be served on either address family, whatever the hosts file says, so both are tried; a
 * literal address is taken at its word, but when only the other family answers, that is worth saying.
 */
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { isLoopback } from './targets.ts';

/** What a connection could not be made for; nothing was sent. */
export class Unconnected extends Error {
  override readonly name = 'Unconnected';
  readonly code: 'connection_refused' | 'timeout' | 'dns' | 'tls' | 'socket';

  constructor(code: Unconnected['code'], message: string) {
    super(message);
    this.code = code;
  }
}

/** A connected socket, TLS done for https. @throws Unconnected */
export async function connectTo(url: URL, timeoutMs: number): Promise<Socket> {
  const port = Number(url.port) || (url.protocol === 'https:' ? 443 : 80);
  const socket = await firstOf(addressesOf(url.hostname), port, timeoutMs);
  return url.protocol === 'https:' ? secure(socket, url.hostname, timeoutMs) : socket;
}

/** Whether something listens there now. */
export async function listensOn(url: URL, timeoutMs: number): Promise<boolean> {
  const port = Number(url.port) || (url.protocol === 'https:' ? 443 : 80);
  try {
    const socket = await firstOf(addressesOf(url.hostname), port, timeoutMs);
    socket.destroy();
    return true;
  } catch {
    return false;
  }
}

/** "nothing listens on 127.0.0.1:3000, but [::1]:3000 does", when that is so; else null. */
export async function otherFamilyHint(url: URL, timeoutMs: number): Promise<string | null> {
  const other = OTHER_FAMILY[url.hostname];
  if (other === undefined) return null;
  const twin = new URL(url);
  twin.hostname = other;
  if (!(await listensOn(twin, timeoutMs))) return null;
  return `nothing listens on ${url.host}, but ${twin.host} does: forward to ${twin.host} or to localhost`;
}

const OTHER_FAMILY: Record<string, string | undefined> = { '127.0.0.1': '[::1]', '[::1]': '127.0.0.1' };

/** RFC 6761 §6.3: names below `localhost` are loopback and need no resolver. */
function addressesOf(hostname: string): string[] {
  const host = hostname.toLowerCase().replace(/\.$/, '');
  if (host === 'localhost' || host.endsWith('.localhost')) return ['127.0.0.1', '::1'];
  return [host.replace(/^\[(.*)\]$/, '$1')];
}

async function firstOf(hosts: readonly string[], port: number, timeoutMs: number): Promise<Socket> {
  let last: unknown = null;
  for (const host of hosts) {
    try {
      return await open(host, port, timeoutMs);
    } catch (error) {
      // The first refusal counts; that the other family is not there at all says nothing.
      last ??= error;
    }
  }
  throw last;
}

function open(host: string, port: number, timeoutMs: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connectTcp({ host, port, noDelay: true });
    socket.setTimeout(timeoutMs, () => fail('timeout', `no connection to ${host}:${port} in ${timeoutMs} ms`));
    const fail = (code: Unconnected['code'], message: string): void => {
      socket.destroy();
      reject(new Unconnected(code, message));
    };
    const failed = (error: NodeJS.ErrnoException): void =>
      fail(codeOf(error), `${host}:${port}: ${error.code ?? 'failed'}`);
    socket.once('error', failed);
    socket.once('connect', () => {
      socket.setTimeout(0).off('error', failed);
      socket.removeAllListeners('timeout');
      resolve(socket);
    });
  });
}

function codeOf(error: NodeJS.ErrnoException): Unconnected['code'] {
  if (error.code === 'ENOTFOUND' || error.code === 'EAI_AGAIN') return 'dns';
  return error.code === 'ECONNREFUSED' ? 'connection_refused' : 'socket';
}

function secure(socket: Socket, hostname: string, timeoutMs: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const host = hostname.replace(/^\[(.*)\]$/, '$1');
    const secured = connectTls({
      socket,
      ...(/^[\d.]+$|:/.test(host) ? {} : { servername: host }),
      // On loopback a development certificate is signed by nobody known, and there is no network to protect against.
      rejectUnauthorized: !isLoopback(hostname),
    });
    const fail = (message: string): void => {
      secured.destroy();
      reject(new Unconnected('tls', `TLS with ${hostname} failed: ${message}`));
    };
    const failed = (error: NodeJS.ErrnoException): void => fail(error.code ?? 'refused');
    const limit = setTimeout(() => fail('no answer'), timeoutMs);
    secured.once('error', failed);
    secured.once('secureConnect', () => {
      clearTimeout(limit);
      secured.off('error', failed);
      resolve(secured);
    });
  });
}
