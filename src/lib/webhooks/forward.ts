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
  /** Something was sent and no whole answer came. */
  | { kind: 'broken'; error: 'timeout' | 'socket'; latencyMs: number }
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
      const late = new AbortController();
      const limit = setTimeout(() => late.abort(), options.timeoutMs);
      const stop = (): void => late.abort();
      signal.addEventListener('abort', stop, { once: true });
      try {
        if (signal.aborted) return { kind: 'stopped' };
        return await exchange(pool, target, message, late.signal, () => ticks() - began);
      } catch (error) {
        if (signal.aborted) return { kind: 'stopped' };
        const latencyMs = Math.round(ticks() - began);
        if (late.signal.aborted) return { kind: 'broken', error: 'timeout', latencyMs };
        if (!(error instanceof Unconnected)) return { kind: 'broken', error: 'socket', latencyMs };
        const hint = error.code === 'connection_refused' ? await otherFamilyHint(origin, connectTimeoutMs) : null;
        return { kind: 'unconnected', error: error.code, latencyMs, hint };
      } finally {
        clearTimeout(limit);
        signal.removeEventListener('abort', stop);
      }
    },
    close: () => pool.destroy(),
  };
}

async function exchange(
  pool: Dispatcher,
  target: string,
  message: Message,
  signal: AbortSignal,
  elapsed: () => number,
): Promise<Outcome> {
  const url = new URL(target);
  const response = await pool.request({
    method: 'POST',
    path: url.pathname + url.search,
    headers: endToEnd(message.headers, url.host),
    body: message.body,
    signal,
  });
  const answer = await excerpt(response.body);
  return {
    kind: 'answered',
    status: response.statusCode,
    latencyMs: Math.round(elapsed()),
    answer,
    headers: flat(response.headers),
  };
}

/** Reads the answer to its end, keeps its beginning, and hangs up on one that goes on and on. */
async function excerpt(body: AsyncIterable<Buffer>): Promise<string> {
  const kept: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    if (size < EXCERPT_BYTES) kept.push(chunk.subarray(0, EXCERPT_BYTES - size));
    size += chunk.length;
    if (size > READ_BYTES) break;
  }
  return Buffer.concat(kept).toString('utf8');
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
