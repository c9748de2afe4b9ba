/**
 * The sandbox on a port. node:http directly, because the sandbox promises what adapters hide: dropped connections, envelopes for
 * requests that are not even HTTP, and limits on clients that take their time (sandbox.md#start-up, sandbox.md#fault-injection).
 */
import { type IncomingMessage, type Server, type ServerOptions, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { isLoopback } from '../contract/environments.ts';
import { announcesMore, createBodyReader, discardRest } from '../http-server/body.ts';
import { openServer } from '../http-server/local-server.ts';
import { responseSink } from '../http-server/server-event-writer.ts';
import { BODY_LIMIT } from './fetch.ts';
import { type SandboxAnswer, CREDENTIAL_HEADERS, DROPPED, type SandboxRequest, type Outgoing } from './http/call.ts';
import { andThen, type MaybePromise } from './http/maybe-promise.ts';
import { createSandbox, type Sandbox, type SandboxOptions } from './sandbox.ts';

/** Real milliseconds running requests get at the end (sandbox.md#start-up). */
const FINISH_MS = 2000;

const PATIENCE_MS = 5000;
/** A test suite opens many at once. */
const MAX_CONNECTIONS = 4096;

export type ServeOptions = Omit<SandboxOptions, 'baseUrl'> & {
  host: string;
  port: number;
  /** Real milliseconds a client has for its headers; twice that for the whole request. Default 5 s. */
  patienceMs?: number;
};

export interface Served {
  /** Origin of the sandbox, `http://127.0.0.1:4010`. */
  url: string;
  sandbox: Sandbox;
  /** Stops accepting, gives running requests 2 s, ends. */
  close(): Promise<void>;
}

/**
 * Listens; port 0 takes any free one.
 * @throws Failure `usage` when the port is taken (it is named) or the address cannot be used, `unavailable` when the data file cannot
 */
export async function serveSandbox(options: ServeOptions): Promise<Served> {
  const { host, port, patienceMs = PATIENCE_MS, ...rest } = options;
  const chosenBy = { param: '--port', next: 'choose another with --port, or --port 0 for any free one' };
  const local = await openServer({ host, port, chosenBy, http: limits(patienceMs), maxConnections: MAX_CONNECTIONS });
  const url = local.origin;
  try {
    const sandbox = createSandbox({ anyName: !isLoopback(host), ...rest, baseUrl: url });
    const quiet = attach(local.server, sandbox);
    sandbox.start();
    return {
      url,
      sandbox,
      async close() {
        await local.close(sandbox.stop(Promise.race([quiet(), sleep(FINISH_MS, undefined, { ref: false })])));
      },
    };
  } catch (error) {
    await local.close(0);
    throw error;
  }
}

function limits(patienceMs: number): ServerOptions {
  return {
    maxHeaderSize: 16_384,
    headersTimeout: patienceMs,
    requestTimeout: 2 * patienceMs,
    connectionsCheckingInterval: Math.min(1000, patienceMs),
    // A request without Host gets an envelope like any other.
    requireHostHeader: false,
  };
}

/** Answers requests; returns a function that waits until none is under way. */
function attach(server: Server, sandbox: Sandbox): () => Promise<void> {
  let running = 0;
  let idle = (): void => {};
  const ended = (): void => {
    running -= 1;
    if (running === 0) idle();
  };
  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    running += 1;
    response.on('error', ignore);
    response.on('close', ended);
    // Most requests are whole and most answers are there at once: nothing is waited for then.
    void andThen(readIncoming(request), (incoming) =>
      incoming === null
        ? undefined
        : andThen(sandbox.handle(incoming), (outgoing) => writeOutgoing(request, response, outgoing)),
    );
  };
  server.on('request', answer);
  server.on('checkExpectation', answer);
  server.on('checkContinue', (request, response) => {
    if (!announcesMore(request, BODY_LIMIT)) response.writeContinue();
    answer(request, response);
  });
  server.on('connect', (_request, socket: Duplex) => {
    const answer = sandbox.unreadable(405, 'CONNECT is not allowed here.');
    answer.headers['Allow'] = 'GET, HEAD, POST, PATCH, DELETE';
    writeRaw(socket, answer);
  });
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Duplex) => {
    const [status, message] = CLIENT_ERRORS[error.code ?? ''] ?? [400, 'The request is not valid HTTP.'];
    if (error.code === 'ECONNRESET' || !socket.writable) socket.destroy();
    else writeRaw(socket, sandbox.unreadable(status, message));
  });
  return () => (running === 0 ? Promise.resolve() : new Promise((resolve) => (idle = resolve)));
}

/** Ignores the errors of a socket whose client went away. */
function ignore(): void {}

const CLIENT_ERRORS: Readonly<Record<string, [number, string]>> = {
  HPE_HEADER_OVERFLOW: [431, 'The request headers are over 16 KiB.'],
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'The request took too long to arrive.'],
};

/** For bytes that are not HTTP: the answer is written by hand. */
function writeRaw(socket: Duplex, answer: SandboxAnswer): void {
  const lines = Object.entries({
    ...answer.headers,
    'Content-Length': String(Buffer.byteLength(answer.body)),
    Connection: 'close',
  }).map(([name, value]) => `${name}: ${value}\r\n`);
  const head = `HTTP/1.1 ${answer.status} ${STATUS_CODES[answer.status] ?? ''}\r\n${lines.join('')}\r\n`;
  socket.on('error', ignore);
  socket.end(head + answer.body, () => socket.destroy());
}

// A node:http request as plain data, and an answer written to its socket.

/** Bytes of an unwanted body that are read and thrown away, so that its sender gets to see the answer. */
const DRAIN_LIMIT = 64 * 1_048_576;

/** Null when the client went away before its body was whole. */
export function readIncoming(request: IncomingMessage): MaybePromise<SandboxRequest | null> {
  if (!hasBody(request)) return incomingOf(request, null);
  return readBody(request).then((body) => (body === 'gone' ? null : incomingOf(request, body)));
}

function incomingOf(request: IncomingMessage, body: SandboxRequest['body']): SandboxRequest {
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

/** Writes an answer; a dropped one closes the connection without an answer. */
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

function pour(response: ServerResponse, stream: NonNullable<SandboxAnswer['stream']>): void {
  const closed = new AbortController();
  response.on('close', () => closed.abort());
  response.flushHeaders();
  stream(responseSink(response), closed.signal);
}
