/** What every request handed to the dispatcher has in common: it starts, it has a limit, it can be interrupted, and it ends once. */
import type { Dispatcher } from 'undici';
import type { HttpRequest } from '../contract/exchange.ts';
import { type NetworkTrouble, networkTrouble } from './network-trouble.ts';

/** null: the answer is complete. `interrupted`: the signal was aborted. `left`: nobody reads on. */
export type Ending = NetworkTrouble | 'interrupted' | 'left' | null;

export abstract class Dispatched implements Dispatcher.DispatchHandler {
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
    this.end(networkTrouble(error, this.url));
  }

  /** Told once. */
  protected abstract ended(why: Ending): void;

  protected end(why: Ending): void {
    if (this.#over) return;
    this.#over = true;
    clearTimeout(this.#timer);
    this.#request.signal?.removeEventListener('abort', this.#interrupt);
    if (why !== null) this.controller?.abort(new Error(typeof why === 'string' ? why : why.message));
    this.ended(why);
  }

  /** From now on; takes the place of the former limit. */
  protected limit(ms: number, message: string): void {
    clearTimeout(this.#timer);
    if (!this.#over) this.#timer = setTimeout(() => this.end({ code: 'timeout', message }), ms);
  }

  readonly #interrupt = (): void => this.end('interrupted');
}

/** Names in lower case, values that came several times as one. */
export function plainHeaders(headers: NodeJS.Dict<string | string[]>): Record<string, string> {
  const plain: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) plain[name.toLowerCase()] = Array.isArray(value) ? value.join(', ') : value;
  }
  return plain;
}
