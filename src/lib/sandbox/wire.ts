/** A node:http request as plain data, and an answer written to its socket. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createBodyReader, discardRest } from '../http-server/body.ts';
import { responseSink } from '../http-server/server-events.ts';
import { CREDENTIAL_HEADERS, DROPPED, type Answer, type Incoming, type Outgoing } from './exchange.ts';
import { BODY_LIMIT } from './fetch.ts';
import type { MaybeLater } from './maybe-later.ts';

/** Bytes of an unwanted body that are read and thrown away, so that its sender gets to see the answer. */
const DRAIN_LIMIT = 64 * 1_048_576;

/** Null when the client went away before its body was whole. */
export function readIncoming(request: IncomingMessage): MaybeLater<Incoming | null> {
  if (!hasBody(request)) return incomingOf(request, null);
  return readBody(request).then((body) => (body === 'gone' ? null : incomingOf(request, body)));
}

function incomingOf(request: IncomingMessage, body: Incoming['body']): Incoming {
  const target = request.url ?? '/';
  // Absolute form, as a proxy would send it (RFC 9112 §3.2.2).
  const local = target.startsWith('/') ? target : target.replace(/^https?:\/\/[^/?]*/i, '');
  const mark = local.indexOf('?');
  const headers: Record<string, string> = {};
  for (const name in request.headers) {
    const value = request.headers[name];
    if (value !== undefined && !CREDENTIAL_HEADERS.has(name))
      headers[name] = typeof value === 'string' ? value : value.join(', ');
  }
  return {
    method: request.method ?? 'GET',
    path: mark < 0 ? local : local.slice(0, mark),
    query: mark < 0 ? '' : local.slice(mark + 1),
    headers,
    authorization: request.headers.authorization,
    body,
    peer: request.socket.remoteAddress ?? '',
  };
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0';
}

const readWhole = createBodyReader({ bodyBytes: BODY_LIMIT });

async function readBody(request: IncomingMessage): Promise<Uint8Array | 'too_large' | 'gone'> {
  const taken = await readWhole(request);
  if (taken === 'cut_off') return 'gone';
  if (typeof taken !== 'string') return taken.body;
  discardRest(request, DRAIN_LIMIT);
  return 'too_large';
}

/** Writes an answer; a dropped one closes the connection without a word. */
export function writeOutgoing(request: IncomingMessage, response: ServerResponse, outgoing: Outgoing): void {
  if (outgoing === DROPPED) {
    request.socket.destroy();
    return;
  }
  const { status, headers, body, stream } = outgoing;
  const bare = request.method === 'HEAD' || status === 204;
  if (stream) {
    response.writeHead(status, headers);
    if (bare) response.end();
    else pour(response, stream);
    return;
  }
  if (status !== 204) headers['Content-Length'] = String(Buffer.byteLength(body));
  response.writeHead(status, headers);
  if (bare) response.end();
  else response.end(body);
}

function pour(response: ServerResponse, stream: NonNullable<Answer['stream']>): void {
  const closed = new AbortController();
  response.on('close', () => closed.abort());
  response.flushHeaders();
  stream(responseSink(response), closed.signal);
}
