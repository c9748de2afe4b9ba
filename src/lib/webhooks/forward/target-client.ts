/**
 * Posts one delivery to one target, once: connects, sends the body byte for byte with the sender's own headers except the hop-by-hop
 * ones (RFC 9110 §7.6.1), and reads the beginning of the answer, all within one time limit. Retries are decided in target-queue.ts.
 *
 * `localhost` may be served on either address family, whatever the hosts file says, so both are tried. A literal address is not
 * replaced, but when only the other family answers, the outcome carries a hint.
 */
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { callbackify } from 'node:util';
import type { Dispatcher } from 'undici';
import Pool from 'undici/lib/dispatcher/pool.js';
import { skipContinue } from '../../api/transport.ts';
import { KEPT_THOUGH_NAMED } from '../../contract/exchange.ts';
import { LONGEST_TIMER_MS } from '../../contract/time.ts';
import { isLocalHost } from './targets.ts';

export interface DeliveryMessage {
  /** Names and values alternating. */
  headers: readonly string[];
  body: Uint8Array;
}

/** The result of one attempt. Latency is in milliseconds. */
export type AttemptOutcome =
  | { kind: 'answered'; status: number; latencyMs: number; answer: string; headers: Record<string, string> }
  /** Nothing was sent, because no connection could be made. */
  | { kind: 'unconnected'; error: string; latencyMs: number; hint: string | null }
  /** The request was sent, but no complete answer was received; `dropped` is an injected fault (`--chaos`). */
  | { kind: 'broken'; error: 'timeout' | 'socket' | 'dropped'; latencyMs: number; hint?: string }
  /** Cancelled through the signal. */
  | { kind: 'stopped' };

export interface TargetClientOptions {
  /** Scheme, host and port of the target. */
  origin: string;
  /** Most open connections, and so the most concurrent requests. */
  concurrency: number;
  /** Limit for the whole exchange, in milliseconds. */
  timeoutMs: number;
  /** Milliseconds on a clock that never jumps. */
  ticks: () => number;
  /** Limit for making a connection, in milliseconds. Default 2000. */
  connectTimeoutMs?: number;
}

export interface TargetClient {
  /** One attempt. Never throws. */
  post(target: string, message: DeliveryMessage, signal: AbortSignal): Promise<AttemptOutcome>;
  close(): Promise<void>;
}

/** Bytes of the app's answer that are kept, and bytes that are read before the connection is closed. */
const EXCERPT_BYTES = 1024;
const READ_BYTES = 64 * 1024;

export function createTargetClient(options: TargetClientOptions): TargetClient {
  const { ticks } = options;
  const connectTimeoutMs = options.connectTimeoutMs ?? 2000;
  const origin = new URL(options.origin);
  const pool = new Pool(origin, {
    connections: options.concurrency,
    pipelining: 1,
    headersTimeout: 0,
    bodyTimeout: 0,
    connect: (_given, callback) => {
      callbackify(connectToTarget)(origin, connectTimeoutMs, (error, socket) =>
        error === null ? callback(null, skipContinue(socket)) : callback(error, null),
      );
    },
  });
  return {
    async post(target, message, signal) {
      const began = ticks();
      const end = await exchange(pool, target, message, { signal, timeoutMs: options.timeoutMs });
      const latencyMs = Math.round(ticks() - began);
      if (end.kind === 'stopped') return end;
      if (end.kind === 'answered') return { ...end, latencyMs };
      if (end.kind === 'late') return { kind: 'broken', error: 'timeout', latencyMs };
      if (!(end.error instanceof Unconnected)) {
        return { kind: 'broken', error: 'socket', latencyMs, ...(speaksHttp2(end.error) ? { hint: HTTP2_ONLY } : {}) };
      }
      const { code, http2Only } = end.error;
      const family = code === 'connection_refused' ? await otherFamilyHint(origin, connectTimeoutMs) : null;
      const hint = http2Only ? HTTP2_ONLY : family;
      return { kind: 'unconnected', error: code, latencyMs, hint };
    },
    close: () => pool.destroy(),
  };
}

interface TargetParts {
  origin: string;
  host: string;
  /** Path with query. */
  path: string;
}

const parts = new Map<string, TargetParts>();

/** Splits a target, with a cache: there are few targets and many deliveries. */
export function splitTarget(target: string): TargetParts {
  const found = parts.get(target);
  if (found !== undefined) return found;
  const { origin, host, pathname, search } = new URL(target);
  const fresh = { origin, host, path: pathname + search };
  if (parts.size < 1000) parts.set(target, fresh);
  return fresh;
}

type End =
  | { kind: 'answered'; status: number; answer: string; headers: Record<string, string> }
  | { kind: 'failed'; error: unknown }
  | { kind: 'late' }
  | { kind: 'stopped' };

/** Sends one request. Resolves as soon as the result is known. */
function exchange(
  pool: Dispatcher,
  target: string,
  message: DeliveryMessage,
  limits: { signal: AbortSignal; timeoutMs: number },
): Promise<End> {
  const { signal, timeoutMs } = limits;
  return new Promise((resolve) => {
    const handler = answerHandler(finish);
    const limit = setTimeout(() => cutOff({ kind: 'late' }), Math.min(timeoutMs, LONGEST_TIMER_MS));
    const stop = (): void => cutOff({ kind: 'stopped' });
    function finish(end: End): void {
      clearTimeout(limit);
      signal.removeEventListener('abort', stop);
      resolve(end);
    }
    function cutOff(end: End): void {
      finish(end);
      handler.abort();
    }
    if (signal.aborted) return finish({ kind: 'stopped' });
    signal.addEventListener('abort', stop, { once: true });
    const { path, host } = splitTarget(target);
    const headers = endToEnd(message.headers, host);
    pool.dispatch({ method: 'POST', path, headers, body: message.body }, handler);
  });
}

/** Collects the beginning of the answer and aborts one that is too long. */
function answerHandler(finish: (end: End) => void): Dispatcher.DispatchHandler & { abort(): void } {
  const kept: Buffer[] = [];
  let controller: Dispatcher.DispatchController | null = null;
  let aborted = false;
  let status = 0;
  let headers: Record<string, string> = {};
  let size = 0;
  const answered = (): void =>
    finish({ kind: 'answered', status, answer: Buffer.concat(kept).toString('utf8'), headers });
  const handler = {
    abort() {
      aborted = true;
      controller?.abort(new Error('cancelled'));
    },
    onRequestStart(given: Dispatcher.DispatchController) {
      controller = given;
      if (aborted) handler.abort();
    },
    onResponseStart(_given: unknown, code: number, fields: Record<string, string | string[] | undefined>) {
      if (code < 200) return;
      status = code;
      headers = flat(fields);
    },
    onResponseData(_given: unknown, chunk: Buffer) {
      if (size < EXCERPT_BYTES) kept.push(Buffer.from(chunk.subarray(0, EXCERPT_BYTES - size)));
      size += chunk.length;
      if (size <= READ_BYTES) return;
      answered();
      handler.abort();
    },
    onResponseEnd: answered,
    onResponseError: (_given: unknown, error: Error) => finish({ kind: 'failed', error }),
  };
  return handler;
}

/** Hop-by-hop headers (RFC 9110 §7.6.1), and those the client sets itself: Host names the app, Content-Length follows the body. */
const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'expect',
  'host',
  'content-length',
]);

/** The end-to-end headers with their spelling, order and repetitions, and the target's own Host. */
function endToEnd(headers: readonly string[], host: string): string[] {
  const named = new Set<string>();
  for (let i = 0; i + 1 < headers.length; i += 2) {
    if (headers[i]?.toLowerCase() !== 'connection') continue;
    for (const name of (headers[i + 1] ?? '').split(',')) named.add(name.trim().toLowerCase());
  }
  const kept = ['Host', host];
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = headers[i] ?? '';
    const lower = name.toLowerCase();
    if (!HOP_BY_HOP.has(lower) && !(named.has(lower) && !KEPT_THOUGH_NAMED.test(lower)))
      kept.push(name, headers[i + 1] ?? '');
  }
  return kept;
}

function flat(headers: Record<string, string | string[] | undefined>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value ?? '')]));
}

/** Posts one delivery once, over its own connection. Never throws. */
export async function sendOnce(options: {
  target: URL;
  message: DeliveryMessage;
  timeoutMs: number;
  ticks: () => number;
  signal: AbortSignal;
}): Promise<AttemptOutcome> {
  const { target, timeoutMs, ticks } = options;
  const client = createTargetClient({ origin: target.origin, concurrency: 1, timeoutMs, ticks });
  try {
    return await client.post(target.href, options.message, options.signal);
  } finally {
    await client.close();
  }
}

/** No connection could be made; nothing was sent. */
class Unconnected extends Error {
  override readonly name = 'Unconnected';
  readonly code: 'connection_refused' | 'timeout' | 'dns' | 'tls' | 'socket';
  /** The app refused HTTP/1.1 while TLS was agreed on. */
  readonly http2Only: boolean;

  constructor(code: Unconnected['code'], message: string, http2Only = false) {
    super(message);
    this.code = code;
    this.http2Only = http2Only;
  }
}

const HTTP2_ONLY =
  'this app speaks HTTP/2 only, and deliveries come over HTTP/1.1: let it accept both (in Node: allowHTTP1: true)';

/** Whether the answer was no HTTP/1.1 but the SETTINGS frame with which each HTTP/2 server begins (RFC 9113 §3.4). */
function speaksHttp2(error: unknown): boolean {
  if (!(error instanceof Error && error.name === 'HTTPParserError' && 'data' in error)) return false;
  const frame = Buffer.from(String(error.data), 'latin1');
  return frame.length >= 9 && frame[3] === 4 && frame.readUInt32BE(5) === 0;
}

/** Connects, with TLS for https. @throws Unconnected */
async function connectToTarget(url: URL, timeoutMs: number): Promise<Socket> {
  const port = Number(url.port) || (url.protocol === 'https:' ? 443 : 80);
  const socket = await firstOf(addressesOf(url.hostname), port, timeoutMs);
  return url.protocol === 'https:' ? secure(socket, url.hostname, timeoutMs) : socket;
}

/** Whether the port of this URL accepts connections now. */
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
async function otherFamilyHint(url: URL, timeoutMs: number): Promise<string | null> {
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
      // The first error is reported, because this machine may not have the other address family.
      last ??= error;
    }
  }
  throw last;
}

function open(host: string, port: number, timeoutMs: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connectTcp({ host, port, noDelay: true });
    socket.setTimeout(Math.min(timeoutMs, LONGEST_TIMER_MS), () =>
      fail('timeout', `no connection to ${host}:${port} in ${timeoutMs} ms`),
    );
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
      ALPNProtocols: ['http/1.1'],
      ...(/^[\d.]+$|:/.test(host) ? {} : { servername: host }),
      // On loopback a self-signed development certificate is accepted, because nothing leaves this machine.
      rejectUnauthorized: !isLocalHost(hostname),
    });
    const fail = (message: string): void => {
      secured.destroy();
      const http2Only = message.endsWith('NO_APPLICATION_PROTOCOL');
      reject(new Unconnected('tls', `TLS with ${hostname} failed: ${message}`, http2Only));
    };
    const failed = (error: NodeJS.ErrnoException): void => fail(error.code ?? 'refused');
    const limit = setTimeout(() => fail('no answer'), Math.min(timeoutMs, LONGEST_TIMER_MS));
    secured.once('error', failed);
    secured.once('secureConnect', () => {
      clearTimeout(limit);
      secured.off('error', failed);
      resolve(secured);
    });
  });
}
