/**
 * From many places that say things to one reader that takes them in order. Saying never waits: a reader that stalls must hold up no
 * delivery. It costs neither memory, for beyond a bound moments are only counted, and one moment tells how many are missing.
 */
import type { ListenerEvent, SkippedEvent } from '../contract/listener-events.ts';

/** Unread moments that are kept; what the reader is busy with comes on top, at most as many again. */
const MAX_UNREAD = 10_000;

export class MomentQueue {
  #unread: ListenerEvent[] = [];
  #reading: ListenerEvent[] = [];
  #at = 0;
  #ended = false;
  #wake: (() => void) | null = null;
  readonly #maxUnread: number;

  constructor(maxUnread = MAX_UNREAD) {
    this.#maxUnread = maxUnread;
  }

  say(moment: ListenerEvent): void {
    if (this.#ended) return;
    // How it begins and ends is always told; both are rare.
    if (this.#unread.length < this.#maxUnread || moment.type === 'ready' || moment.type === 'closed') {
      this.#unread.push(moment);
    } else {
      this.#skip(moment);
    }
    this.#rouse();
  }

  /** Resolves to the next moment, or to null when the queue was ended and is empty. */
  async next(): Promise<ListenerEvent | null> {
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

  /** The gap stands where the moments would stand, and grows until the reader comes to it. */
  #skip({ at, type }: ListenerEvent): void {
    const last = this.#unread.at(-1);
    const gap: SkippedEvent = last?.type === 'skipped' ? last : { type: 'skipped', at, until: at, count: 0, of: {} };
    if (gap !== last) this.#unread.push(gap);
    gap.until = at;
    gap.count += 1;
    gap.of[type] = (gap.of[type] ?? 0) + 1;
  }

  #rouse(): void {
    this.#wake?.();
    this.#wake = null;
  }
}
