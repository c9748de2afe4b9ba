/** From many places that say things to one reader that takes them in order. Bounded: a reader that stalls costs refusals, not memory. */
import type { Moment } from './moments.ts';

/** Beyond this many unread moments, those about refused deliveries are only counted: anybody can cause them. */
const MAX_UNREAD = 10_000;

export class MomentQueue {
  #unread: Moment[] = [];
  #reading: Moment[] = [];
  #at = 0;
  #ended = false;
  #wake: (() => void) | null = null;

  say(moment: Moment): void {
    if (this.#ended || (moment.type === 'rejected' && this.#unread.length >= MAX_UNREAD)) return;
    this.#unread.push(moment);
    this.#rouse();
  }

  /** Resolves to the next moment, or to null when the queue was ended and is empty. */
  async next(): Promise<Moment | null> {
    for (;;) {
      const moment = this.#reading[this.#at];
      if (moment !== undefined) {
        this.#at += 1;
        return moment;
      }
      if (this.#unread.length > 0) {
        this.#reading = this.#unread;
        this.#unread = [];
        this.#at = 0;
      } else if (this.#ended) return null;
      else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
  }

  end(): void {
    this.#ended = true;
    this.#rouse();
  }

  #rouse(): void {
    this.#wake?.();
    this.#wake = null;
  }
}
