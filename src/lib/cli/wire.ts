/** What a session sends with: one transport and one pace for all its clients, and the plain sending of the token plane. */
import type { Pace } from '../api/pace.ts';
import type { Transport } from '../api/transport.ts';
import type { HttpRequest, Send, WriteDown } from '../contract/exchange.ts';
import type { Context } from './context.ts';
import { note } from './output/write.ts';
import { withSpinner } from './output/status-line.ts';

export interface WireLimits {
  timeoutMs: number;
  maxRetries: number;
}

export class Wire {
  readonly #context: Context;
  readonly #limits: WireLimits;
  readonly #userAgent: string;
  #transport: Promise<Transport> | undefined;
  #pace: Promise<Pace> | undefined;

  constructor(context: Context, limits: WireLimits, userAgent: string) {
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
      return { ...transport, send: this.#shown(transport.send) };
    });
    return this.#transport;
  }

  /** One project, one pace: whatever this process sends counts against the same bucket (partner-api.md#rate-limits). */
  pace(): Promise<Pace> {
    const { now } = this.#context;
    this.#pace ??= Promise.all([import('../api/pace.ts'), import('../api/sleep.ts')]).then(
      ([{ createPace }, { sleep }]) => createPace({ now, sleep }),
    );
    return this.#pace;
  }

  /** For the token plane: without a bearer, repeated where that does no harm, written down. */
  async plainSend(environment: string, record: WriteDown): Promise<Send> {
    const [{ createPlainSend }, { sleep }, transport] = await Promise.all([
      import('../api/plain-send.ts'),
      import('../api/sleep.ts'),
      this.transport(),
    ]);
    const { now, random, signal } = this.#context;
    const { timeoutMs, maxRetries } = this.#limits;
    const send = createPlainSend({
      ...{ send: transport.send, now, random, signal, sleep, environment, record },
      limits: { maxRetries, totalMs: timeoutMs * (maxRetries + 1), maxWaitMs: 60_000 },
      onWait: this.tellWait,
    });
    return this.#shown(send);
  }

  /** Nobody waits for more than a second without being told why. */
  readonly tellWait = ({ reason, ms, attempt }: { reason: string; ms: number; attempt: number }): void => {
    if (ms < 1000) return;
    const seconds = Math.ceil(ms / 1000);
    note(this.#context, `${reason.replaceAll('_', ' ')}: trying again in ${seconds} s (try ${attempt + 1})`);
  };

  /** Whatever takes long is seen to be under way, unless somebody said already what is being waited for. */
  #shown<A>(send: (request: HttpRequest) => Promise<A>): (request: HttpRequest) => Promise<A> {
    return (request) => withSpinner(this.#context, `waiting for ${new URL(request.url).host}`, send(request));
  }

  async close(): Promise<void> {
    await (await this.#transport)?.close();
  }
}
