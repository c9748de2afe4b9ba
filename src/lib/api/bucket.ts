/** A token bucket on our side of the wire, filled a little slower and kept a little smaller than the server's. */

export interface Waiting {
  /** Milliseconds since the epoch. */
  now: () => number;
  /** @throws when the signal is aborted. */
  sleep: (ms: number, signal?: AbortSignal) => Promise<void>;
}

/** Our second is a little longer than the server's: two requests may arrive closer together than they were sent. */
const CAUTION = 0.98;
/** For the same reason up to this many tokens of a burst stay unused; a bucket of one has none to spare. */
const MOST_SLACK = 2;

export class Bucket {
  readonly #waiting: Waiting;
  #size = 0;
  #slack = 0;
  #perMs = 0;
  #tokens = 0;
  #filledAt = 0;
  #heldUntil = 0;
  #queue: Promise<void> = Promise.resolve();

  /** @param perSecond tokens refilled per second @param burst the server's bucket size */
  constructor(waiting: Waiting, perSecond: number, burst: number) {
    this.#waiting = waiting;
    this.resize(perSecond, burst);
    this.#tokens = this.#size;
  }

  /** Takes one token, first come first served, waiting until there is one. */
  take(signal?: AbortSignal): Promise<void> {
    const turn = this.#queue.then(() => this.#takeFirst(signal));
    this.#queue = turn.catch(() => undefined);
    return turn;
  }

  /** Another size and rate than was assumed. What was spent stays spent. */
  resize(perSecond: number, burst: number): void {
    const spent = this.#size - this.#tokens;
    this.#slack = Math.min(MOST_SLACK, Math.floor(burst / 5));
    this.#size = burst - this.#slack;
    this.#perMs = (perSecond * CAUTION) / 1000;
    this.#tokens = this.#size - spent;
    this.#filledAt = this.#waiting.now();
  }

  /** What the server says is left, less what may still be on its way there. Never more than we believe ourselves. */
  lower(remaining: number, underWay: number): void {
    this.#fill();
    this.#tokens = Math.min(this.#tokens, remaining - this.#slack - underWay);
  }

  /** Nothing goes out for this long. Milliseconds. */
  hold(ms: number): void {
    this.#fill();
    this.#tokens = Math.min(this.#tokens, 0);
    this.#heldUntil = Math.max(this.#heldUntil, this.#waiting.now() + ms);
  }

  async #takeFirst(signal: AbortSignal | undefined): Promise<void> {
    for (;;) {
      this.#fill();
      const held = this.#heldUntil - this.#waiting.now();
      const wait = Math.max(held, this.#tokens >= 1 ? 0 : (1 - this.#tokens) / this.#perMs);
      if (wait <= 0) break;
      await this.#waiting.sleep(Math.ceil(wait), signal);
    }
    this.#tokens -= 1;
  }

  #fill(): void {
    const now = this.#waiting.now();
    const passed = Math.max(0, now - this.#filledAt);
    this.#tokens = Math.min(this.#size, this.#tokens + passed * this.#perMs);
    this.#filledAt = now;
  }
}
