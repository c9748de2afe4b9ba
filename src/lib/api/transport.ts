/**
 * Sends one request once, over undici: no retry, no redirect, no credential added. Everything has a limit: the connection, the
 * whole exchange, the bytes of the answer before and after decompression.
 */
import type { Dispatcher } from 'undici';
import Agent from 'undici/lib/dispatcher/agent.js';
import type { HttpAnswer, HttpRequest } from '../contract/exchange.ts';
import { Failure } from '../failure.ts';
import { readBody } from './answer-body.ts';
import { type NetworkTrouble, networkFailure, networkTrouble } from './network-trouble.ts';

export interface TransportOptions {
  /** Limit of an exchange that names none itself, in milliseconds. */
  timeoutMs: number;
  /** Limit for a connection, TLS included, in milliseconds. Default 10 s. */
  connectTimeoutMs?: number;
  /** Bytes of an answer's body that are read at most, compressed and decompressed. Default 32 MiB. */
  maxBytes?: number;
  userAgent?: string;
  /** `HTTPS_PROXY` and `NO_PROXY`. Plain http goes to loopback only and never through a proxy. */
  proxy?: { https: string | undefined; none: string | undefined };
}

/**
 * An answer whose status and headers came. `broken` says why the body cannot be relied on; `text` then holds what came of it
 * as far as it is known.
 */
export interface TransportAnswer extends HttpAnswer {
  broken?: NetworkTrouble;
}

export interface Transport {
  /** @throws Failure `unavailable` before the status line came, `interrupted` when the signal is aborted. */
  send(request: HttpRequest): Promise<TransportAnswer>;
  /** Ends all connections. What is still under way fails. */
  close(): Promise<void>;
}

const CONNECT_TIMEOUT_MS = 10_000;
const MAX_BYTES = 32 * 1024 * 1024;

export function createTransport(options: TransportOptions): Transport {
  const connectTimeoutMs = options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS;
  const settings = {
    allowH2: false,
    // One timer of ours limits the whole exchange; the dispatcher's own would only limit its parts.
    headersTimeout: 0,
    bodyTimeout: 0,
    connect: { timeout: connectTimeoutMs },
  };
  const direct = new Agent(settings);
  let proxied: Promise<Dispatcher> | null = null;
  const dispatcherFor = (url: URL): Dispatcher | Promise<Dispatcher> => {
    if (url.protocol !== 'https:' || !options.proxy?.https) return direct;
    proxied ??= proxyAgent(settings, options.proxy.https, options.proxy.none);
    return proxied;
  };
  return {
    async send(request) {
      const url = new URL(request.url);
      const dispatcher = await dispatcherFor(url);
      const headers: Record<string, string> = { 'accept-encoding': 'gzip', ...request.headers };
      if (options.userAgent !== undefined) headers['user-agent'] ??= options.userAgent;
      const limits = { timeoutMs: request.timeoutMs ?? options.timeoutMs, maxBytes: options.maxBytes ?? MAX_BYTES };
      return exchange(dispatcher, { ...request, headers }, url, limits);
    },
    async close() {
      await direct.destroy();
      await (await proxied?.catch(() => null))?.destroy();
    },
  };
}

/** The whole of undici, loaded only where a proxy is set. The empty strings keep the dispatcher from reading the environment itself. */
async function proxyAgent(settings: object, https: string, none: string | undefined): Promise<Dispatcher> {
  const { EnvHttpProxyAgent } = await import('undici');
  try {
    return new EnvHttpProxyAgent({ ...settings, httpsProxy: https, httpProxy: '', noProxy: none ?? '' });
  } catch {
    throw new Failure('usage', 'the proxy address is not a URL', {
      code: 'bad_proxy',
      next: 'correct HTTPS_PROXY, for example HTTPS_PROXY=http://proxy.example:8080',
    });
  }
}

interface Limits {
  timeoutMs: number;
  maxBytes: number;
}

interface Head {
  status: number;
  headers: Record<string, string>;
}

function exchange(dispatcher: Dispatcher, request: HttpRequest, url: URL, limits: Limits): Promise<TransportAnswer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    let head: Head | null = null;
    let controller: Dispatcher.DispatchController | null = null;
    let over = false;

    /** The first end counts; whatever still runs is cut off. */
    const end = (trouble: NetworkTrouble | null, failure?: Failure): void => {
      if (over) return;
      over = true;
      clearTimeout(timer);
      request.signal?.removeEventListener('abort', interrupt);
      if (trouble ?? failure) controller?.abort(failure ?? new Error(trouble?.message));
      if (failure) reject(failure);
      else if (head === null) reject(networkFailure(trouble ?? networkTrouble(null, url), url));
      else resolve(readBody(head, chunks, limits.maxBytes, trouble));
    };
    const interrupt = (): void => end(null, new Failure('interrupted', 'stopped before the answer was complete'));
    const timeout = { code: 'timeout', message: `no complete answer within ${limits.timeoutMs} ms` };
    const timer = setTimeout(() => end(timeout), limits.timeoutMs);
    if (request.signal?.aborted) return interrupt();
    request.signal?.addEventListener('abort', interrupt);

    dispatcher.dispatch(
      {
        origin: url.origin,
        path: url.pathname + url.search,
        method: request.method,
        headers: request.headers,
        body: request.body ?? null,
      },
      {
        onRequestStart(started) {
          controller = started;
          if (over) started.abort(new Error('the exchange is over'));
        },
        onResponseStart(_, status, headers) {
          // Informational answers come before the answer (RFC 9110 §15.2).
          if (status >= 200) head = { status, headers: plainHeaders(headers) };
        },
        onResponseData(_, chunk) {
          size += chunk.length;
          if (size > limits.maxBytes) end({ code: 'too_large', message: `more than ${limits.maxBytes} bytes` });
          else chunks.push(chunk);
        },
        onResponseEnd: () => end(null),
        onResponseError: (_, error) => end(networkTrouble(error, url)),
      },
    );
  });
}

function plainHeaders(headers: NodeJS.Dict<string | string[]>): Record<string, string> {
  const plain: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) plain[name.toLowerCase()] = Array.isArray(value) ? value.join(', ') : value;
  }
  return plain;
}
