/** A request whose answer is read while it comes, for as long as it comes. Not decompressed, not bounded as a whole: read it piecewise. */
import type { Dispatcher } from 'undici';
import type { HttpRequest } from '../contract/exchange.ts';
import { Failure } from '../failure.ts';
import { Dispatched, type Ending, plainHeaders } from './dispatched.ts';
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

class Incoming extends Dispatched {
  readonly #idleMs: number;
  readonly #settle: Settle;
  #unread: Uint8Array[] = [];
  #unreadBytes = 0;
  #over: { failure: Failure | null } | null = null;
  #wake: () => void = () => undefined;

  constructor(request: HttpRequest, { timeoutMs, idleMs }: StreamLimits, settle: Settle) {
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

  protected ended(why: Ending): void {
    const failure = typeof why === 'string' ? new Failure('interrupted', WORDS[why]) : this.#failureOf(why);
    this.#over = { failure };
    // Of no effect once the headers have come.
    this.#settle.reject(failure ?? networkFailure(networkTrouble(null, this.url), this.url));
    this.#wake();
  }

  #failureOf(trouble: NetworkTrouble | null): Failure | null {
    return trouble === null ? null : networkFailure(trouble, this.url);
  }

  #limitSilence(ms: number): void {
    this.limit(ms, `nothing came for ${ms} ms`);
  }
}

const WORDS = { interrupted: 'stopped before the stream ended', left: 'the stream was left' } as const;
