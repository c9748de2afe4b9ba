/** One request and what becomes of it: an answer, an answer that broke off, or a failure. Whatever comes first counts. */
import type { Dispatcher } from 'undici';
import type { HttpRequest } from '../contract/exchange.ts';
import { Failure } from '../failure.ts';
import { readBody } from './answer-body.ts';
import { Dispatched, type Ending, plainHeaders } from './dispatched.ts';
import { networkFailure, networkTrouble } from './network-trouble.ts';
import type { TransportAnswer } from './transport-answer.ts';

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
    // Informational answers come before the answer (RFC 9110 §15.2).
    if (status >= 200) this.#head = { status, headers: plainHeaders(headers) };
  }

  onResponseData(_: unknown, chunk: Buffer): void {
    this.#size += chunk.length;
    const message = `it is larger than ${this.#maxBytes} bytes`;
    if (this.#size > this.#maxBytes) this.end({ code: 'too_large', message });
    else this.#chunks.push(chunk);
  }

  protected ended(why: Ending): void {
    if (typeof why === 'string') {
      this.#settle.reject(new Failure('interrupted', 'stopped before the answer was complete'));
    } else if (this.#head !== null) {
      this.#settle.resolve(readBody(this.#head, this.#chunks, this.#maxBytes, why));
    } else {
      this.#settle.reject(networkFailure(why ?? networkTrouble(null, this.url), this.url));
    }
  }
}
