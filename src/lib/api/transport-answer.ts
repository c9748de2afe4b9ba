/** What comes back over the wire, before anybody judges it. */
import type { HttpAnswer } from '../contract/exchange.ts';
import type { NetworkTrouble } from './network-trouble.ts';

/**
 * An answer whose status and headers came. `broken` says why the body cannot be relied on; `text` then holds what came of it
 * as far as it is known.
 */
export interface TransportAnswer extends HttpAnswer {
  broken?: NetworkTrouble;
}
