/**
 * Sending without a bearer, for the token plane: written down like any call, and repeated, because a grant that was lost on the way
 * is simply asked for again (RFC 6749 §4.4: nothing but a token comes of it).
 */
import type { HttpRequest, Send, WriteDown } from '../contract/exchange.ts';
import { compose } from './chain.ts';
import { retry, type RetryOptions } from './retry.ts';
import { trace } from './trace.ts';
import type { Transport } from './transport.ts';

export interface PlainSendOptions extends RetryOptions {
  send: Transport['send'];
  record: WriteDown;
  environment: string | null;
  signal: AbortSignal;
}

export function createPlainSend(options: PlainSendOptions): Send {
  const { record, environment, now } = options;
  const step = compose((call) => options.send(call.request), retry(options), trace({ record, environment, now }));
  return (request: HttpRequest) =>
    step({ request: { signal: options.signal, ...request }, attempt: 0, startedAt: null, repeatable: true });
}
