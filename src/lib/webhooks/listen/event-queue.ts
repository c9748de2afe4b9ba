/**
 * A bounded queue of listener events with one reader. Pushing never waits, so that a slow reader holds up no delivery, and beyond the
 * bound events are only counted: one `skipped` event tells the reader how many are missing.
 */
import type { ListenerEvent, SkippedEvent } from '../../contract/listener-events.ts';

/** Most unread events kept; the batch being read comes on top, at most as many again. */
const MAX_UNREAD = 10_000;

export class ListenerEventQueue {
  #unread: ListenerEvent[] = [];
  #reading: ListenerEvent[] = [];
  #at = 0;
  #ended = false;
  #wake: (() => void) | null = null;
  readonly #maxUnread: number;

  constructor(maxUnread = MAX_UNREAD) {
    this.#maxUnread = maxUnread;
  }

  push(event: ListenerEvent): void {
    if (this.#ended) return;
    // `ready` and `closed` are always kept; both are rare.
    if (this.#unread.length < this.#maxUnread || event.type === 'ready' || event.type === 'closed') {
      this.#unread.push(event);
    } else {
      this.#skip(event);
    }
    this.#wakeReader();
  }

  /** Resolves to the next event, or to null when the queue was ended and is empty. */
  async next(): Promise<ListenerEvent | null> {
    for (;;) {
      const event = this.#reading[this.#at];
      if (event !== undefined) {
        this.#at += 1;
        return event;
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
    this.#wakeReader();
  }

  /** Counts an event in the `skipped` event at the end of the queue. */
  #skip({ at, type }: ListenerEvent): void {
    const last = this.#unread.at(-1);
    const gap: SkippedEvent = last?.type === 'skipped' ? last : { type: 'skipped', at, until: at, count: 0, of: {} };
    if (gap !== last) this.#unread.push(gap);
    gap.until = at;
    gap.count += 1;
    gap.of[type] = (gap.of[type] ?? 0) + 1;
  }

  #wakeReader(): void {
    this.#wake?.();
    this.#wake = null;
  }
}
