/** One request and what becomes of it: an answer, an answer that broke off, or a failure. Whatever comes first counts. */
import type { Dispatcher } from 'undici';
import type { HttpRequest } from '../contract/exchange.ts';
import { Failure } from '../failure.ts';
import { readBody } from './answer-body.ts';
import { type NetworkTrouble, networkFailure, networkTrouble } from './network-trouble.ts';
import type { TransportAnswer } from './transport.ts';

export interface ExchangeLimits {
  /** For the whole exchange, in milliseconds. */
  timeoutMs: number;
  /** Of the body, compressed and decompressed. */
  maxBytes: number;
}

/** @throws Failure `unavailable` before the status line came, `interrupted` when the signal is aborted. */
export function exchange(
  dispatcher: Dispatcher,
  request: HttpRequest,
  limits: ExchangeLimits,
): Promise<TransportAnswer> {
  return new Promise((resolve, reject) => {
    new Exchange(request, limits, { resolve, reject }).start(dispatcher);
  });
}

interface Settle {
  resolve(answer: Promise<TransportAnswer>): void;
  reject(failure: Failure): void;
}

class Exchange implements Dispatcher.DispatchHandler {
  readonly #request: HttpRequest;
  readonly #url: URL;
  readonly #limits: ExchangeLimits;
  readonly #settle: Settle;
  readonly #timer: NodeJS.Timeout;
  readonly #chunks: Buffer[] = [];
  #size = 0;
  #head: { status: number; headers: Record<string, string> } | null = null;
  #controller: Dispatcher.DispatchController | null = null;
  #over = false;

  constructor(request: HttpRequest, limits: ExchangeLimits, settle: Settle) {
    this.#request = request;
    this.#url = new URL(request.url);
    this.#limits = limits;
    this.#settle = settle;
    const timeout = { code: 'timeout', message: `no complete answer within ${limits.timeoutMs} ms` };
    this.#timer = setTimeout(() => this.#end(timeout), limits.timeoutMs);
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
    if (this.#over) controller.abort(new Error('the exchange is over'));
  }

  onResponseStart(_: unknown, status: number, headers: NodeJS.Dict<string | string[]>): void {
    // Informational answers come before the answer (RFC 9110 §15.2).
    if (status >= 200) this.#head = { status, headers: plainHeaders(headers) };
  }

  onResponseData(_: unknown, chunk: Buffer): void {
    this.#size += chunk.length;
    const { maxBytes } = this.#limits;
    if (this.#size > maxBytes) this.#end({ code: 'too_large', message: `it is larger than ${maxBytes} bytes` });
    else this.#chunks.push(chunk);
  }

  onResponseEnd(): void {
    this.#end(null);
  }

  onResponseError(_: unknown, error: Error): void {
    this.#end(networkTrouble(error, this.#url));
  }

  readonly #interrupt = (): void => {
    if (!this.#finish(new Error('interrupted'))) return;
    this.#settle.reject(new Failure('interrupted', 'stopped before the answer was complete'));
  };

  #end(trouble: NetworkTrouble | null): void {
    if (!this.#finish(trouble === null ? null : new Error(trouble.message))) return;
    if (this.#head !== null) {
      return this.#settle.resolve(readBody(this.#head, this.#chunks, this.#limits.maxBytes, trouble));
    }
    this.#settle.reject(networkFailure(trouble ?? networkTrouble(null, this.#url), this.#url));
  }

  /** @param cutOff why what still runs is cut off @returns false when the exchange was over already */
  #finish(cutOff: Error | null): boolean {
    if (this.#over) return false;
    this.#over = true;
    clearTimeout(this.#timer);
    this.#request.signal?.removeEventListener('abort', this.#interrupt);
    if (cutOff) this.#controller?.abort(cutOff);
    return true;
  }
}

/** Names in lower case, values that came several times as one. */
export function plainHeaders(headers: NodeJS.Dict<string | string[]>): Record<string, string> {
  const plain: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) plain[name.toLowerCase()] = Array.isArray(value) ? value.join(', ') : value;
  }
  return plain;
}
