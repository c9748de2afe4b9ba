import type { Mischief } from './chaos.ts';
import type { Message, Outcome } from './forward.ts';
import type { DeliverySubject } from '../contract/listener-events.ts';

/** A stored delivery on its way to one target. */
export interface Parcel {
  forward: number;
  target: string;
  subject: DeliverySubject;
  orderKey: string | null;
  created: number;
  /** Attempts made by earlier listeners. */
  attempts: number;
  warnings: readonly string[];
  /** Kept while there are few; read from the inbox otherwise. */
  message: Message | null;
  /** Called with the outcome of the only attempt (`--ack forwarded`). */
  settled?: (outcome: Outcome) => void;
  /** What is done to it on purpose. */
  mischief?: Mischief;
  /** A repetition made on purpose: tried once, not kept, not counted. */
  copy?: boolean;
}
