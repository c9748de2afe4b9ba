/** Who may come in from where (sandbox.md#admin-routes): admin routes are for this machine, and for no web page of elsewhere. */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { Incoming } from './exchange.ts';

/** True for a loopback peer that names a loopback host and bears no foreign `Origin`: a rebound DNS name gets nowhere. */
export function isLocalCaller(request: Incoming): boolean {
  return (
    isLoopbackAddress(request.peer) && isLoopbackHost(request.headers['host']) && !hasForeignOrigin(request, undefined)
  );
}

/** `baseUrl` is the sandbox's own origin, where one is known besides the `Host` that was called. */
export function hasForeignOrigin(request: Incoming, baseUrl: string | undefined): boolean {
  const origin = request.headers['origin'];
  if (origin === undefined || origin === baseUrl) return false;
  return origin.replace(/^https?:\/\//, '') !== request.headers['host'];
}

/**
 * True for what only a web page of elsewhere sends: the name of a rebound domain in `Host`, or an `Origin` that is neither ours nor of
 * this machine. Clients on servers send neither.
 */
export function isFromElsewhere(request: Incoming, baseUrl: string): boolean {
  const { host = '', origin } = request.headers;
  if (origin !== undefined && hasForeignOrigin(request, baseUrl)) {
    const name = origin.replace(/^https?:\/\//, '');
    if (!isLoopbackHost(name) && !isPrivate(name)) return true;
  }
  return isDomain(host) && isLoopbackAddress(request.peer) && `http://${host}` !== baseUrl;
}

/** A name with a dot that is no address and that a stranger can have. */
function isDomain(host: string): boolean {
  const name = withoutPort(host);
  return name.includes('.') && !/^(?:[\d.]+|\[.*)$/.test(name) && !isPrivate(host);
}

/** Names that public DNS gives to nobody (RFC 6761 §6, and `internal`, by which containers reach their host). */
function isPrivate(host: string): boolean {
  return /\.(?:localhost|internal|test)$/i.test(withoutPort(host));
}

function withoutPort(host: string): string {
  return host.replace(/:\d*$/, '').replace(/\.$/, '');
}

/** The exception for a shared log token. */
export function bearsToken(request: Incoming, token: string | undefined): boolean {
  const bearer = /^bearer +(\S+) *$/i.exec(request.authorization ?? '')?.[1];
  if (token === undefined || token === '' || bearer === undefined) return false;
  return timingSafeEqual(digest(bearer), digest(token));
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

function isLoopbackAddress(address: string): boolean {
  return /^(?:::ffff:)?127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(address) || address === '::1';
}

function isLoopbackHost(host: string | undefined): boolean {
  return /^(?:127\.0\.0\.1|localhost|\[::1\])(?::\d{1,5})?$/i.test(host ?? '');
}
