/**
 * Who may use the proxy: programs of this machine that name it by a loopback address. A web page may not, whether it is honest
 * about where it comes from (`Origin`, `Sec-Fetch-Site`) or hides behind a name that was pointed here (`Host`).
 */
import type { IncomingMessage } from 'node:http';
import { namesLoopback } from '../contract/environments.ts';

/** Why the request is refused; null when it may pass. */
export function refusalOf(request: IncomingMessage): { status: 400 | 403; why: string } | null {
  const { host, origin } = request.headers;
  // Absolute targets (RFC 9112 §3.2.2) and `*` are for proxies that go anywhere; this one goes to one host.
  if (!/^\/(?!\/)/.test(request.url ?? '')) return { status: 400, why: 'the request target is not a path' };
  if (
    request.rawHeaders.filter((name, at) => at % 2 === 0 && /^host$/i.test(name)).length !== 1 ||
    !namesLoopback(host)
  ) {
    return { status: 403, why: 'the Host header does not name this machine' };
  }
  if (origin !== undefined && origin !== `http://${host}`)
    return { status: 403, why: 'web pages may not call this proxy' };
  const site = request.headers['sec-fetch-site'];
  if (site !== undefined && site !== 'none' && site !== 'same-origin') {
    return { status: 403, why: 'web pages may not call this proxy' };
  }
  return null;
}
