/** From many places that say things to one reader that takes them in order. Bounded: a reader that stalls costs refusals, not memory. */
import type { Moment } from './moments.ts';

export interface MomentQueue {
  say(moment: Moment): void;
  /** Resolves to the next moment, or to null when the queue was ended and is empty. */
  next(): Promise<Moment | null>;
  end(): void;
}

/** Beyond this many unread moments, those about refused deliveries are only counted: anybody can cause them. */
const MAX_UNREAD = 10_000;

export function createMomentQueue(): MomentQueue {
  let unread: Moment[] = [];
  let reading: Moment[] = [];
  let at = 0;
  let ended = false;
  let wake: (() => void) | null = null;
  const rouse = (): void => {
    wake?.();
    wake = null;
  };
  return {
    say(moment) {
      if (ended || (moment.type === 'rejected' && unread.length >= MAX_UNREAD)) return;
      unread.push(moment);
      rouse();
    },
    async next() {
      for (;;) {
        const moment = reading[at];
        if (moment !== undefined) {
          at += 1;
          return moment;
        }
        if (unread.length > 0) {
          reading = unread;
          unread = [];
          at = 0;
        } else if (ended) {
          return null;
        } else {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
      }
    },
    end() {
      ended = true;
      rouse();
    },
  };
}
