/** The HTTP stack of a session: one transport and one rate limiter for everything it sends. */
import type { Client, ClientOptions } from '../api/client.ts';
import type { RateLimiter } from '../api/rate-limit.ts';
import type { Transport } from '../api/transport.ts';
import type { HttpRequest, Send, RecordExchange } from '../contract/exchange.ts';
import type { Context } from './context.ts';
import { withSpinner } from './output/status-line.ts';
import { note } from './output/write.ts';

export interface HttpLimits {
  /** Limit of one try, in milliseconds. */
  timeoutMs: number;
  maxRetries: number;
}

type SendOptions = Parameters<(typeof import('../api/client.ts'))['createSendWithoutCredential']>[0];

export class HttpStack {
  readonly #context: Context;
  readonly #limits: HttpLimits;
  readonly #userAgent: string;
  #transport: Promise<Transport> | undefined;
  #rateLimiter: RateLimiter | undefined;

  constructor(context: Context, limits: HttpLimits, userAgent: string) {
    this.#context = context;
    this.#limits = limits;
    this.#userAgent = userAgent;
  }

  transport(): Promise<Transport> {
    const { env } = this.#context;
    this.#transport ??= import('../api/transport.ts').then(({ createTransport }) => {
      const transport = createTransport({
        timeoutMs: this.#limits.timeoutMs,
        userAgent: this.#userAgent,
        proxy: { https: env['HTTPS_PROXY'] ?? env['https_proxy'], none: env['NO_PROXY'] ?? env['no_proxy'] },
      });
      return { ...transport, send: this.#withSpinner(transport.send) };
    });
    return this.#transport;
  }

  /** A client; all clients share one rate limiter, because the server counts by project (partner-api.md#rate-limits). */
  async client(
    options: Pick<ClientOptions, 'base' | 'environment' | 'token' | 'record'> & Partial<ClientOptions>,
  ): Promise<Client> {
    const [{ createClient }, { createRateLimiter }, { sleep }, transport] = await Promise.all([
      import('../api/client.ts'),
      import('../api/rate-limit.ts'),
      import('../api/retry.ts'),
      this.transport(),
    ]);
    const { now, uuid } = this.#context;
    this.#rateLimiter ??= createRateLimiter({ now, sleep });
    return createClient({
      ...this.#sendOptions(transport),
      userAgent: this.#userAgent,
      newKey: uuid,
      rateLimiter: this.#rateLimiter,
      ...options,
    });
  }

  /** Sends to the token plane: without a bearer, with retries, recorded. */
  async sendWithoutCredential(environment: string, record: RecordExchange): Promise<Send> {
    const [{ createSendWithoutCredential }, transport] = await Promise.all([
      import('../api/client.ts'),
      this.transport(),
    ]);
    return this.#withSpinner(createSendWithoutCredential({ ...this.#sendOptions(transport), environment, record }));
  }

  #sendOptions({ send }: Transport): Omit<SendOptions, 'environment' | 'record'> {
    const { now, random, signal } = this.#context;
    return { ...this.#limits, send, now, random, signal, onWait: this.#onWait };
  }

  /** A wait of more than a second is announced. */
  readonly #onWait = ({ reason, ms, attempt }: { reason: string; ms: number; attempt: number }): void => {
    if (ms < 1000) return;
    const seconds = Math.ceil(ms / 1000);
    note(this.#context, `${reason.replaceAll('_', ' ')}: trying again in ${seconds} s (try ${attempt + 1})`);
  };

  /** A request that takes long shows a spinner, unless a caller shows one already. */
  #withSpinner<A>(send: (request: HttpRequest) => Promise<A>): (request: HttpRequest) => Promise<A> {
    return (request) => withSpinner(this.#context, `waiting for ${new URL(request.url).host}`, send(request));
  }

  async close(): Promise<void> {
    await (await this.#transport)?.close();
  }
}
