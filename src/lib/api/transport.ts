/**
 * Sends one request once, over undici: no retry, no redirect, no credential added. There are limits for the connection, the
 * whole exchange, and the bytes of the answer before and after decompression.
 */
import { setImmediate as turn } from 'node:timers/promises';
import type { Dispatcher } from 'undici';
import type { Socket } from 'node:net';
import buildConnector from 'undici/lib/core/connect.js';
import Agent from 'undici/lib/dispatcher/agent.js';
import type { HttpAnswer, HttpRequest } from '../contract/exchange.ts';
import { LONGEST_TIMER_MS } from '../contract/time.ts';
import { Failure } from '../failure.ts';
import { badProxy, type NetworkError, networkErrorOf, networkFailure } from './network-errors.ts';

export interface TransportOptions {
  /** Default limit of an exchange, in milliseconds. */
  timeoutMs: number;
  /** Limit for a connection, TLS included, in milliseconds. Default 10 s. */
  connectTimeoutMs?: number;
  /** Most bytes of an answer's body, both compressed and decompressed. Default 32 MiB. */
  maxBytes?: number;
  userAgent?: string;
  /** `HTTPS_PROXY` and `NO_PROXY`. Plain http goes to loopback only and never through a proxy. */
  proxy?: { https: string | undefined; none: string | undefined };
}

/**
 * An answer whose status and headers were received. `broken` is the reason why the body is incomplete or unreadable; `text` is then the
 * part of it that was received.
 */
export interface TransportAnswer extends HttpAnswer {
  broken?: NetworkError;
}

export interface StreamAnswer {
  status: number;
  headers: Record<string, string>;
  /** Ends with the answer. Returning early closes the connection. @throws Failure `unavailable`, `interrupted` */
  body: AsyncIterable<Uint8Array>;
}

export interface Transport {
  /** Sends a request and reads the whole answer. @throws Failure `unavailable` when no status line was received, `interrupted` when the signal is aborted. */
  send(request: HttpRequest): Promise<TransportAnswer>;
  /**
   * Resolves as soon as the headers are received; `timeoutMs` limits that, `idleMs` (default 60 s) each pause in the body after it.
   * @throws Failure `unavailable`, `interrupted`
   */
  stream(request: HttpRequest, idleMs?: number): Promise<StreamAnswer>;
  /** Closes all connections. Requests that are still running fail. */
  close(): Promise<void>;
}

const CONNECT_TIMEOUT_MS = 10_000;
const IDLE_MS = 60_000;
const MAX_BYTES = 32 * 1024 * 1024;

export function createTransport(options: TransportOptions): Transport {
  const connectTimeoutMs = options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS;
  const settings = {
    allowH2: false,
    // Our own timer limits the whole exchange; the dispatcher's timers would only limit its parts.
    headersTimeout: 0,
    bodyTimeout: 0,
    connect: { timeout: connectTimeoutMs },
  };
  const connect = buildConnector({ allowH2: false, timeout: connectTimeoutMs });
  const direct = new Agent({
    ...settings,
    connect: (target, callback) =>
      connect(target, (...[error, socket]: Parameters<typeof callback>) =>
        error === null ? callback(null, skipContinue(socket)) : callback(error, null),
      ),
  });
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
      // The dispatcher frees the connection one turn of the event loop later; an earlier request would open another connection.
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

const CONTINUE = /^HTTP\/1\.1 100[ \r]/;
const CONTINUE_BYTES = 'HTTP/1.1 100 '.length;
/** An interim answer with longer headers is not waited for. */
const INTERIM_BYTES = 16 * 1024;

/** Drops `100 Continue` before an answer: a client that did not ask for it may discard it (RFC 9110 §15.2), and undici hangs up instead. */
export function skipContinue(socket: Socket): Socket {
  const [read, write] = [socket.read.bind(socket), socket.write.bind(socket)];
  let held: Buffer = Buffer.alloc(0);
  // From each request that is written until the first bytes of its final answer.
  let expecting = true;
  socket.write = (...given: unknown[]): boolean => {
    expecting = true;
    return Reflect.apply(write, socket, given);
  };
  socket.read = (size?: number): unknown => {
    const chunk: unknown = read(size);
    if (!expecting || !Buffer.isBuffer(chunk)) return chunk;
    held = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
    while (CONTINUE.test(held.toString('latin1', 0, CONTINUE_BYTES))) {
      const end = held.indexOf('\r\n\r\n');
      if (end === -1 && held.length < INTERIM_BYTES) return null;
      if (end === -1) break;
      held = held.subarray(end + 4);
    }
    // Nothing yet, or too little to tell.
    if (held.length === 0 || (held.length < CONTINUE_BYTES && 'HTTP/1.1 100 '.startsWith(held.toString('latin1'))))
      return null;
    expecting = false;
    const rest = held;
    held = Buffer.alloc(0);
    return rest;
  };
  return socket;
}

/** How an exchange ended. null: the answer is complete. `interrupted`: the signal was aborted. `left`: the caller stopped reading. */
type ExchangeEnd = NetworkError | 'interrupted' | 'left' | null;

abstract class Dispatched implements Dispatcher.DispatchHandler {
  protected readonly url: URL;
  protected controller: Dispatcher.DispatchController | null = null;
  readonly #request: HttpRequest;
  #timer: NodeJS.Timeout | undefined;
  #over = false;

  constructor(request: HttpRequest) {
    this.#request = request;
    this.url = new URL(request.url);
  }

  start(dispatcher: Dispatcher): void {
    const { signal, method, headers, body = null } = this.#request;
    if (signal?.aborted) return this.#interrupt();
    signal?.addEventListener('abort', this.#interrupt);
    const { origin, pathname, search } = this.url;
    dispatcher.dispatch({ origin, path: pathname + search, method, headers, body }, this);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.controller = controller;
    if (this.#over) controller.abort(new Error('the exchange is over'));
  }

  onResponseEnd(): void {
    this.end(null);
  }

  onResponseError(_: unknown, error: Error): void {
    this.end(networkErrorOf(error, this.url));
  }

  /** Called once. */
  protected abstract ended(why: ExchangeEnd): void;

  protected end(why: ExchangeEnd): void {
    if (this.#over) return;
    this.#over = true;
    clearTimeout(this.#timer);
    this.#request.signal?.removeEventListener('abort', this.#interrupt);
    if (why !== null) this.controller?.abort(new Error(typeof why === 'string' ? why : why.message));
    this.ended(why);
  }

  /** Starts a new time limit from now; replaces the previous one. */
  protected limit(ms: number, message: string): void {
    clearTimeout(this.#timer);
    if (!this.#over)
      this.#timer = setTimeout(() => this.end({ code: 'timeout', message }), Math.min(ms, LONGEST_TIMER_MS));
  }

  readonly #interrupt = (): void => this.end('interrupted');
}

/** Headers with names in lower case; repeated headers are joined. */
function plainHeaders(headers: NodeJS.Dict<string | string[]>): Record<string, string> {
  const plain: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) plain[name.toLowerCase()] = Array.isArray(value) ? value.join(', ') : value;
  }
  return plain;
}

interface ExchangeLimits {
  /** For the whole exchange, in milliseconds. */
  timeoutMs: number;
  /** Of the body, compressed and decompressed. */
  maxBytes: number;
}

/** @throws Failure `unavailable` before the status line came, `interrupted` when the signal is aborted. */
function exchange(dispatcher: Dispatcher, request: HttpRequest, limits: ExchangeLimits): Promise<TransportAnswer> {
  return new Promise((resolve, reject) => {
    new Exchange(request, limits, { resolve, reject }).start(dispatcher);
  });
}

interface Settle {
  resolve(answer: Promise<TransportAnswer>): void;
  reject(failure: Failure): void;
}

class Exchange extends Dispatched {
  readonly #maxBytes: number;
  readonly #settle: Settle;
  readonly #chunks: Buffer[] = [];
  #size = 0;
  #head: { status: number; headers: Record<string, string> } | null = null;

  constructor(request: HttpRequest, { timeoutMs, maxBytes }: ExchangeLimits, settle: Settle) {
    super(request);
    this.#maxBytes = maxBytes;
    this.#settle = settle;
    this.limit(timeoutMs, `no complete answer within ${timeoutMs} ms`);
  }

  onResponseStart(_: unknown, status: number, headers: NodeJS.Dict<string | string[]>): void {
    // Informational answers precede the final one (RFC 9110 §15.2).
    if (status >= 200) this.#head = { status, headers: plainHeaders(headers) };
  }

  onResponseData(_: unknown, chunk: Buffer): void {
    this.#size += chunk.length;
    const message = `the body is larger than ${this.#maxBytes} bytes`;
    if (this.#size > this.#maxBytes) this.end({ code: 'too_large', message });
    else this.#chunks.push(chunk);
  }

  protected ended(why: ExchangeEnd): void {
    if (typeof why !== 'string' && this.#head !== null) {
      this.#settle.resolve(readBody(this.#head, this.#chunks, this.#maxBytes, why));
      return;
    }
    const failure =
      typeof why === 'string'
        ? new Failure('interrupted', 'stopped before the answer was complete')
        : networkFailure(why ?? networkErrorOf(null, this.url), this.url);
    // The dispatcher hands over its controller once there is a connection, just before it writes the request.
    if (this.controller !== null) failure.facts.sent = true;
    this.#settle.reject(failure);
  }
}

interface Body {
  text: string;
  broken?: NetworkError;
}

/** @param trouble the error that ended the exchange early; the text is then what was received before it */
async function readBody(
  head: Pick<HttpAnswer, 'status' | 'headers'>,
  chunks: readonly Uint8Array[],
  maxBytes: number,
  trouble: NetworkError | null,
): Promise<HttpAnswer & Body> {
  const bytes = Buffer.concat(chunks);
  const encoding = (head.headers['content-encoding'] ?? 'identity').trim().toLowerCase();
  const body = encoding === 'identity' || bytes.length === 0 ? decode(bytes) : await unpack(bytes, encoding, maxBytes);
  return trouble === null ? { ...head, ...body } : { ...head, text: body.text, broken: trouble };
}

async function unpack(bytes: Buffer, encoding: string, maxBytes: number): Promise<Body> {
  // Loaded only for compressed answers; most answers of the API are too small to be compressed.
  const zlib = await import('node:zlib');
  const known: Record<string, typeof zlib.gunzip | undefined> = {
    gzip: zlib.gunzip,
    'x-gzip': zlib.gunzip,
    deflate: zlib.inflate,
    br: zlib.brotliDecompress,
  };
  const decompress = Object.hasOwn(known, encoding) ? known[encoding] : undefined;
  if (!decompress) return { text: '', broken: { code: 'encoding', message: 'its Content-Encoding is not supported' } };
  return new Promise((resolve) => {
    decompress(bytes, { maxOutputLength: maxBytes }, (error, plain) => {
      if (error === null) resolve(decode(plain));
      else if (error instanceof RangeError) {
        resolve({ text: '', broken: { code: 'too_large', message: `the body is larger than ${maxBytes} bytes` } });
      } else resolve({ text: '', broken: { code: 'encoding', message: 'the body could not be decompressed' } });
    });
  });
}

/** JSON is UTF-8 (RFC 8259 §8.1); a byte order mark is dropped. */
function decode(bytes: Uint8Array): Body {
  try {
    return { text: new TextDecoder('utf-8', { fatal: true }).decode(bytes) };
  } catch {
    return {
      text: new TextDecoder('utf-8').decode(bytes),
      broken: { code: 'not_utf8', message: 'the body is not valid UTF-8' },
    };
  }
}

interface StreamLimits {
  /** Time until the headers, in milliseconds. */
  timeoutMs: number;
  /** Time between two chunks of the body, in milliseconds. */
  idleMs: number;
}

/** Unread bytes after which reading from the connection is paused. */
const MOST_UNREAD = 256 * 1024;

/** @throws Failure `unavailable`, `interrupted` */
function openStream(dispatcher: Dispatcher, request: HttpRequest, limits: StreamLimits): Promise<StreamAnswer> {
  return new Promise((resolve, reject) => new Incoming(request, limits, { resolve, reject }).start(dispatcher));
}

interface StreamSettle {
  resolve(answer: StreamAnswer): void;
  reject(failure: Failure): void;
}

class Incoming extends Dispatched {
  readonly #idleMs: number;
  readonly #settle: StreamSettle;
  #unread: Uint8Array[] = [];
  #unreadBytes = 0;
  #over: { failure: Failure | null } | null = null;
  #wake: () => void = () => undefined;

  constructor(request: HttpRequest, { timeoutMs, idleMs }: StreamLimits, settle: StreamSettle) {
    super(request);
    this.#idleMs = idleMs;
    this.#settle = settle;
    this.#limitSilence(timeoutMs);
  }

  onResponseStart(_: unknown, status: number, headers: NodeJS.Dict<string | string[]>): void {
    if (status < 200) return;
    this.#limitSilence(this.#idleMs);
    this.#settle.resolve({ status, headers: plainHeaders(headers), body: this.#read() });
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Uint8Array): void {
    this.#limitSilence(this.#idleMs);
    this.#unread.push(chunk);
    this.#unreadBytes += chunk.length;
    if (this.#unreadBytes > MOST_UNREAD) controller.pause();
    this.#wake();
  }

  async *#read(): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      for (;;) {
        const pieces = this.#unread;
        this.#unread = [];
        this.#unreadBytes = 0;
        this.controller?.resume();
        yield* pieces;
        if (this.#unread.length > 0) continue;
        if (this.#over?.failure) throw this.#over.failure;
        if (this.#over) return;
        await new Promise<void>((resolve) => (this.#wake = resolve));
      }
    } finally {
      this.end('left');
    }
  }

  protected ended(why: ExchangeEnd): void {
    const failure = typeof why === 'string' ? new Failure('interrupted', WORDS[why]) : this.#failureOf(why);
    this.#over = { failure };
    // Has no effect after the headers have been received.
    this.#settle.reject(failure ?? networkFailure(networkErrorOf(null, this.url), this.url));
    this.#wake();
  }

  #failureOf(trouble: NetworkError | null): Failure | null {
    return trouble === null ? null : networkFailure(trouble, this.url);
  }

  #limitSilence(ms: number): void {
    this.limit(ms, `no data for ${ms} ms`);
  }
}

const WORDS = { interrupted: 'stopped before the stream ended', left: 'the stream was closed by its reader' } as const;
