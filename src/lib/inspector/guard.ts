/**
 * Who may come in: a browser of this machine that opened the very address the listener printed. A page of elsewhere may not, whether it
 * is honest about where it comes from (`Origin`, `Sec-Fetch-Site`) or hides behind a name that was pointed here (`Host`); and data
 * go to nobody without the token, which no cookie holds: a cookie of 127.0.0.1 goes to every port of it (RFC 6265 §8.5).
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { namesLoopback } from '../contract/environments.ts';

/** Why the request is refused whatever it asks for; null when it may go on. @param port of this server */
export function refusalOf(request: IncomingMessage, port: number): { status: 400 | 403 | 421; why: string } | null {
  const { host, origin } = request.headers;
  if (!/^\/(?!\/)/.test(request.url ?? '')) return { status: 400, why: 'the request target is not a path' };
  const hosts = request.rawHeaders.filter((name, at) => at % 2 === 0 && /^host$/i.test(name)).length;
  if (hosts !== 1 || !namesLoopback(host) || portOf(host) !== port) {
    return { status: 421, why: 'the Host header does not name this page' };
  }
  if (origin !== undefined && origin !== `http://${host}`) return { status: 403, why: 'this page is not yours' };
  const { 'sec-fetch-site': site, 'sec-fetch-mode': mode, 'sec-fetch-dest': dest } = request.headers;
  if (site === undefined || site === 'none' || site === 'same-origin') return null;
  // A link to the page may stand anywhere, in a terminal within a browser for one; by itself the page shows nothing.
  const visit = request.method === 'GET' && request.url === '/' && mode === 'navigate' && dest === 'document';
  return visit ? null : { status: 403, why: 'this page is not yours' };
}

/** Compared in constant time. */
export function bearsToken(request: IncomingMessage, token: string): boolean {
  const given = /^bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1] ?? '';
  return timingSafeEqual(digest(given), digest(token));
}

function portOf(host: string): number {
  return Number(new URL(`http://${host}`).port || 80);
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
