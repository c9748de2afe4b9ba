/** A request whose answer is read while it comes, for as long as it comes. Not decompressed, not bounded as a whole: read it piecewise. */
import type { Dispatcher } from 'undici';
import type { HttpRequest } from '../contract/exchange.ts';
import { Failure } from '../failure.ts';
import { plainHeaders } from './exchange.ts';
import { type NetworkTrouble, networkFailure, networkTrouble } from './network-trouble.ts';

export interface StreamAnswer {
  status: number;
  headers: Record<string, string>;
  /** Ends with the answer. Leaving it early cuts the connection. @throws Failure `unavailable`, `interrupted` */
  body: AsyncIterable<Uint8Array>;
}

export interface StreamLimits {
  /** Until the headers, in milliseconds. */
  timeoutMs: number;
  /** Between two pieces of the body, in milliseconds. */
  idleMs: number;
}

/** Beyond this many bytes unread the other end is made to wait. */
const MOST_UNREAD = 256 * 1024;

/** @throws Failure `unavailable`, `interrupted` */
export function openStream(dispatcher: Dispatcher, request: HttpRequest, limits: StreamLimits): Promise<StreamAnswer> {
  return new Promise((resolve, reject) => new Incoming(request, limits, { resolve, reject }).start(dispatcher));
}

interface Settle {
  resolve(answer: StreamAnswer): void;
  reject(failure: Failure): void;
}

class Incoming implements Dispatcher.DispatchHandler {
  readonly #request: HttpRequest;
  readonly #url: URL;
  readonly #limits: StreamLimits;
  readonly #settle: Settle;
  #controller: Dispatcher.DispatchController | null = null;
  #timer: NodeJS.Timeout;
  #unread: Uint8Array[] = [];
  #unreadBytes = 0;
  #ended: { failure: Failure | null } | null = null;
  #wake: () => void = () => undefined;

  constructor(request: HttpRequest, limits: StreamLimits, settle: Settle) {
    this.#request = request;
    this.#url = new URL(request.url);
    this.#limits = limits;
    this.#settle = settle;
    this.#timer = this.#limit(limits.timeoutMs);
  }

  start(dispatcher: Dispatcher): void {
    const { signal, method, headers, body = null } = this.#request;
    if (signal?.aborted) return this.#interrupt();
    signal?.addEventListener('abort', this.#interrupt);
    const { origin, pathname, search } = this.#url;
    dispatcher.dispatch({ origin, path: pathname + search, method, headers, body }, this);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#ended) controller.abort(new Error('the exchange is over'));
  }

  onResponseStart(_: unknown, status: number, headers: NodeJS.Dict<string | string[]>): void {
    if (status < 200) return;
    this.#limitAnew();
    this.#settle.resolve({ status, headers: plainHeaders(headers), body: this.#read() });
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Uint8Array): void {
    this.#limitAnew();
    this.#unread.push(chunk);
    this.#unreadBytes += chunk.length;
    if (this.#unreadBytes > MOST_UNREAD) controller.pause();
    this.#wake();
  }

  onResponseEnd(): void {
    this.#end(null);
  }

  onResponseError(_: unknown, error: Error): void {
    this.#end(networkFailure(networkTrouble(error, this.#url), this.#url));
  }

  async *#read(): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      for (;;) {
        const pieces = this.#unread;
        this.#unread = [];
        this.#unreadBytes = 0;
        this.#controller?.resume();
        yield* pieces;
        if (this.#unread.length > 0) continue;
        if (this.#ended?.failure) throw this.#ended.failure;
        if (this.#ended) return;
        await new Promise<void>((resolve) => (this.#wake = resolve));
      }
    } finally {
      this.#end(new Failure('interrupted', 'the stream was left'));
    }
  }

  readonly #interrupt = (): void => this.#end(new Failure('interrupted', 'stopped before the stream ended'));

  #end(failure: Failure | null): void {
    if (this.#ended) return;
    this.#ended = { failure };
    clearTimeout(this.#timer);
    this.#request.signal?.removeEventListener('abort', this.#interrupt);
    if (failure) this.#controller?.abort(failure);
    // Of no effect once the headers have come.
    this.#settle.reject(failure ?? networkFailure(networkTrouble(null, this.#url), this.#url));
    this.#wake();
  }

  #limit(ms: number): NodeJS.Timeout {
    const silence: NetworkTrouble = { code: 'timeout', message: `nothing came for ${ms} ms` };
    return setTimeout(() => this.#end(networkFailure(silence, this.#url)), ms);
  }

  #limitAnew(): void {
    clearTimeout(this.#timer);
    this.#timer = this.#limit(this.#limits.idleMs);
  }
}
