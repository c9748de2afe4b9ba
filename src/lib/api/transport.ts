/**
 * Sends one request once, over undici: no retry, no redirect, no credential added. Everything has a limit: the connection, the
 * whole exchange, the bytes of the answer before and after decompression.
 */
import { setImmediate as turn } from 'node:timers/promises';
import type { Dispatcher } from 'undici';
import Agent from 'undici/lib/dispatcher/agent.js';
import type { HttpRequest } from '../contract/exchange.ts';
import { exchange } from './exchange.ts';
import type { TransportAnswer } from './transport-answer.ts';
import { badProxy } from './network-trouble.ts';
import { openStream, type StreamAnswer } from './stream.ts';

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

export interface Transport {
  /** @throws Failure `unavailable` before the status line came, `interrupted` when the signal is aborted. */
  send(request: HttpRequest): Promise<TransportAnswer>;
  /**
   * Answers as soon as the headers came; `timeoutMs` limits that, `idleMs` (default 60 s) the silence after it.
   * @throws Failure `unavailable`, `interrupted`
   */
  stream(request: HttpRequest, idleMs?: number): Promise<StreamAnswer>;
  /** Ends all connections. What is still under way fails. */
  close(): Promise<void>;
}

const CONNECT_TIMEOUT_MS = 10_000;
const IDLE_MS = 60_000;
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
  const dressed = (request: HttpRequest, own: Record<string, string>): HttpRequest => {
    const headers: Record<string, string> = { ...own, ...request.headers };
    if (options.userAgent !== undefined) headers['user-agent'] ??= options.userAgent;
    return { ...request, headers };
  };
  return {
    async send(request) {
      const limits = { timeoutMs: request.timeoutMs ?? options.timeoutMs, maxBytes: options.maxBytes ?? MAX_BYTES };
      const dispatcher = await dispatcherFor(new URL(request.url));
      const answer = await exchange(dispatcher, dressed(request, { 'accept-encoding': 'gzip' }), limits);
      // The dispatcher takes a turn to free the connection; whoever asks earlier pays for another one, TLS and all.
      await turn();
      return answer;
    },
    async stream(request, idleMs = IDLE_MS) {
      const dispatcher = await dispatcherFor(new URL(request.url));
      return openStream(dispatcher, dressed(request, {}), {
        timeoutMs: request.timeoutMs ?? options.timeoutMs,
        idleMs,
      });
    },
    async close() {
      await direct.destroy();
      await (await proxied?.catch(() => null))?.destroy();
    },
  };
}

/** The whole of undici, loaded only where a proxy is set; bundled, it has no names but `default`. The empty strings keep the dispatcher from reading the environment itself. */
async function proxyAgent(settings: object, https: string, none: string | undefined): Promise<Dispatcher> {
  const { EnvHttpProxyAgent } = (await import('undici')).default;
  try {
    return new EnvHttpProxyAgent({ ...settings, httpsProxy: https, httpProxy: '', noProxy: none ?? '' });
  } catch {
    throw badProxy();
  }
}
