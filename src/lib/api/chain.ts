/** One call on its way out, and what stands between it and the wire. */
import type { HttpRequest } from '../contract/exchange.ts';
import type { TransportAnswer } from './transport-answer.ts';

/** One logical operation; it may take several tries. Interceptors replace `request` and count. */
export interface Call {
  request: HttpRequest;
  /** Tries sent so far; 1 while the first is under way. */
  attempt: number;
  /** When the first try was sent; null before. Milliseconds since the epoch. */
  startedAt: number | null;
  /** Asking twice does no harm although the method is not safe: a grant, an introspection. */
  repeatable?: boolean;
}

export type Step = (call: Call) => Promise<TransportAnswer>;
export type Interceptor = (next: Step) => Step;

/** The first interceptor is the outermost. */
export function compose(last: Step, ...interceptors: readonly Interceptor[]): Step {
  return interceptors.reduceRight((next, interceptor) => interceptor(next), last);
}
