/**
 * Who may call a local server. A web page can make a browser of this machine send requests here, either openly (`Origin`,
 * `Sec-Fetch-Site`) or by pointing a name of its own at 127.0.0.1 (DNS rebinding, seen in `Host`). Programs do neither. Hosts are
 * compared as the URL parser reads them, never as text.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { isLoopback } from '../contract/environments.ts';

export type RefusedCaller = 'not_a_path' | 'wrong_host' | 'foreign_page';

/**
 * For servers that only programs and pages of this machine may call. `not_a_path`: the request target is not a plain path
 * (RFC 9112 §3.2.2). `wrong_host`: not exactly one `Host` that names this machine, and this port where one is given.
 * `foreign_page`: sent by a web page of another origin.
 * @returns null when the caller may go on
 */
export function refusedCaller(request: IncomingMessage, port?: number): RefusedCaller | null {
  if (!/^\/(?!\/)/.test(request.url ?? '')) return 'not_a_path';
  const host = parseHost(request.headers.host);
  const hosts = request.rawHeaders.filter((name, at) => at % 2 === 0 && /^host$/i.test(name)).length;
  if (hosts !== 1 || host === null || !isLoopback(host.hostname)) return 'wrong_host';
  if (port !== undefined && Number(host.port || 80) !== port) return 'wrong_host';
  const { origin, 'sec-fetch-site': site = 'none' } = request.headers;
  if (origin !== undefined && parseOrigin(origin)?.origin !== host.origin) return 'foreign_page';
  return site === 'none' || site === 'same-origin' ? null : 'foreign_page';
}

/** A request as plain data: the address it came from, and its headers in lower case. */
export interface Caller {
  peer: string;
  headers: Readonly<Record<string, string>>;
}

/** True for a caller on this machine that names it by a loopback host and is no page of another origin. */
export function isLocalCaller({ peer, headers }: Caller): boolean {
  const host = parseHost(headers['host']);
  if (host === null || !isLoopback(host.hostname) || !isLoopbackAddress(peer)) return false;
  return !hasForeignOrigin({ peer, headers });
}

/** Whether `Origin` names another host than the one that was called. `ownOrigin` is accepted besides, where the server has one. */
export function hasForeignOrigin({ headers }: Caller, ownOrigin?: string): boolean {
  const origin = headers['origin'];
  if (origin === undefined || origin === ownOrigin) return false;
  const parsed = parseOrigin(origin);
  // A proxy that speaks TLS passes on an https origin: the scheme may differ from ours, host and port may not.
  return parsed === null || parsed.host !== parseHost(headers['host'], parsed.protocol)?.host;
}

/**
 * For servers that other machines may call: true for what only a page of somebody else's website sends. That is an `Origin` which is
 * neither ours nor of a private name, or a public domain name in `Host` although the call came from this machine (DNS rebinding).
 */
export function isForeignPage(caller: Caller, ownOrigin: string): boolean {
  if (hasForeignOrigin(caller, ownOrigin)) {
    const name = parseOrigin(caller.headers['origin'] ?? '')?.hostname;
    if (name === undefined || !(isLoopback(name) || isPrivateName(name))) return true;
  }
  const text = caller.headers['host'] ?? '';
  if (text === '' || !isLoopbackAddress(caller.peer)) return false;
  const host = parseHost(text);
  return host === null || (isPublicDomain(host.hostname) && host.origin !== ownOrigin);
}

/** Whether `Authorization` carries this bearer token; compared in constant time. An empty token matches nothing. */
export function bearsToken(authorization: string | undefined, token: string | undefined): boolean {
  const given = /^bearer +(\S+) *$/i.exec(authorization ?? '')?.[1];
  if (given === undefined || token === undefined || token === '') return false;
  return timingSafeEqual(digest(given), digest(token));
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

/** A `Host` header as a URL; null when it is anything but a host and a port. */
function parseHost(host: string | undefined, protocol = 'http:'): URL | null {
  if (host === undefined || /[\s/\\@?#]/.test(host)) return null;
  return URL.parse(`${protocol}//${host}`);
}

/** An `Origin` header as a URL; null for `null` and for anything that is more than scheme, host and port. */
function parseOrigin(origin: string): URL | null {
  const [, protocol, host] = /^(https?:)\/\/(.*)$/i.exec(origin) ?? [];
  return host === undefined ? null : parseHost(host, protocol);
}

/** A peer's address; IPv4 may be written as IPv6 (RFC 4291 §2.5.5.2). */
function isLoopbackAddress(address: string): boolean {
  return isLoopback(address.replace(/^::ffff:/i, ''));
}

/** A name with a dot that is no address and that a stranger can register. */
function isPublicDomain(hostname: string): boolean {
  const name = hostname.replace(/\.$/, '');
  return name.includes('.') && !/^[\d.]+$|^\[/.test(name) && !isPrivateName(name);
}

/** Names that public DNS gives to nobody (RFC 6761 §6, and `internal`, by which containers reach their host). */
function isPrivateName(hostname: string): boolean {
  return /\.(?:localhost|internal|test)\.?$/i.test(hostname);
}
