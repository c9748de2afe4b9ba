/**
 * One attempt of one delivery at one target: the body byte for byte, the sender's own headers but for those that belong to a
 * single hop (RFC 9110 §7.6.1), one limit for the whole exchange. Whether to try again is decided elsewhere.
 */
import { callbackify } from 'node:util';
import type { Dispatcher } from 'undici';
import Pool from 'undici/lib/dispatcher/pool.js';
import { connectTo, otherFamilyHint, Unconnected } from './connect.ts';

export interface Message {
  /** Names and values in turn. */
  headers: readonly string[];
  body: Uint8Array;
}

/** What came of an attempt. Latency is in milliseconds. */
export type Outcome =
  | { kind: 'answered'; status: number; latencyMs: number; answer: string; headers: Record<string, string> }
  /** Nothing was sent: there was no connection. */
  | { kind: 'unconnected'; error: string; latencyMs: number; hint: string | null }
  /** Something was sent and no whole answer came; `dropped` on purpose (`--chaos`). */
  | { kind: 'broken'; error: 'timeout' | 'socket' | 'dropped'; latencyMs: number }
  /** Called off by us. */
  | { kind: 'stopped' };

export interface ForwarderOptions {
  /** Scheme, host and port of the targets. */
  origin: string;
  /** Connections kept, and so the most requests under way. */
  concurrency: number;
  /** Limit for the whole exchange, in milliseconds. */
  timeoutMs: number;
  /** Milliseconds on a clock that never jumps. */
  ticks: () => number;
  /** Limit for making a connection, in milliseconds. Default 2000. */
  connectTimeoutMs?: number;
}

export interface Forwarder {
  /** Never throws. */
  attempt(target: string, message: Message, signal: AbortSignal): Promise<Outcome>;
  close(): Promise<void>;
}

/** Bytes of the app's answer that are kept, and that are read at most before the connection is given up. */
const EXCERPT_BYTES = 1024;
const READ_BYTES = 64 * 1024;

export function createForwarder(options: ForwarderOptions): Forwarder {
  const { ticks } = options;
  const connectTimeoutMs = options.connectTimeoutMs ?? 2000;
  const origin = new URL(options.origin);
  const pool = new Pool(origin, {
    connections: options.concurrency,
    pipelining: 1,
    headersTimeout: 0,
    bodyTimeout: 0,
    connect: (_given, callback) => {
      callbackify(connectTo)(origin, connectTimeoutMs, (error, socket) =>
        error === null ? callback(null, socket) : callback(error, null),
      );
    },
  });
  return {
    async attempt(target, message, signal) {
      const began = ticks();
      const end = await exchange(pool, target, message, { signal, timeoutMs: options.timeoutMs });
      const latencyMs = Math.round(ticks() - began);
      if (end.kind === 'stopped') return end;
      if (end.kind === 'answered') return { ...end, latencyMs };
      if (end.kind === 'late') return { kind: 'broken', error: 'timeout', latencyMs };
      if (!(end.error instanceof Unconnected)) return { kind: 'broken', error: 'socket', latencyMs };
      const { code } = end.error;
      const hint = code === 'connection_refused' ? await otherFamilyHint(origin, connectTimeoutMs) : null;
      return { kind: 'unconnected', error: code, latencyMs, hint };
    },
    close: () => pool.destroy(),
  };
}

interface TargetParts {
  origin: string;
  host: string;
  /** With its query. */
  path: string;
}

const parts = new Map<string, TargetParts>();

/** The parts of a target, read once: there are few targets and many deliveries. */
export function partsOf(target: string): TargetParts {
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

/** Resolves as soon as the end is known, whatever the connection does afterwards. */
function exchange(
  pool: Dispatcher,
  target: string,
  message: Message,
  limits: { signal: AbortSignal; timeoutMs: number },
): Promise<End> {
  const { signal, timeoutMs } = limits;
  return new Promise((resolve) => {
    const handler = answerHandler(finish);
    const limit = setTimeout(() => cutOff({ kind: 'late' }), timeoutMs);
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
    const { path, host } = partsOf(target);
    const headers = endToEnd(message.headers, host);
    pool.dispatch({ method: 'POST', path, headers, body: message.body }, handler);
  });
}

/** Reads the answer to its end, keeps its beginning, and hangs up on one that goes on and on. */
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
      controller?.abort(new Error('called off'));
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

/** RFC 9110 §7.6.1, and what the client writes itself: Host names the app and not us, Content-Length follows the body. */
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

/** The headers that travel on, with their spelling, order and repetitions, and the target's own Host. */
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
    if (!HOP_BY_HOP.has(lower) && !named.has(lower)) kept.push(name, headers[i + 1] ?? '');
  }
  return kept;
}

function flat(headers: Record<string, string | string[] | undefined>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value ?? '')]));
}
