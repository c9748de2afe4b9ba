/**
 * Client-side rate limiter, so that the server's limits are not exceeded (partner-api.md#rate-limits): the tier's token bucket, the
 * sub-limit of a route, and the number of concurrent requests. Until the first answer the smallest tier is assumed; if the server
 * sends no `RateLimit-*` headers, nothing is limited. All clients of a project in one process share one limiter.
 */
import { retryAfterMs } from '../contract/error-answer.ts';
import { partnerRoute, type PartnerRoute } from '../contract/scopes.ts';
import { Failure } from '../failure.ts';
import { waitAdvice } from './answers.ts';
import { TIERS, type Tier } from '../contract/tiers.ts';

export interface RateLimiter {
  /** Waits until a request may be sent, @throws Failure `rate_limited` when the server asked to wait too long. Call the returned function with the answer, or with null when there was none. */
  enter(method: string, path: string, signal?: AbortSignal): Promise<Leave>;
}

type Headers = Readonly<Record<string, string>>;
type Leave = (answer: { status: number; headers: Headers } | null) => void;

export function createRateLimiter(waiting: Waiting): RateLimiter {
  return new ProjectLimiter(waiting);
}

class ProjectLimiter implements RateLimiter {
  readonly #waiting: Waiting;
  readonly #project: Bucket;
  readonly #routes = new Map<PartnerRoute, Bucket>();
  #tier: Tier = TIERS.build;
  #metered: 'unknown' | 'yes' | 'no' = 'unknown';
  #underWay = 0;
  readonly #waitingForPlace = new Set<() => void>();

  constructor(waiting: Waiting) {
    this.#waiting = waiting;
    this.#project = new Bucket(waiting, this.#tier.perSecond, this.#tier.burst);
  }

  async enter(method: string, path: string, signal?: AbortSignal): Promise<Leave> {
    const route = partnerRoute(method, path);
    const limited = route?.perSecond === undefined ? null : this.#bucketOf(route, route.perSecond);
    if (this.#metered !== 'no') {
      await limited?.take(signal);
      await this.#project.take(signal);
    }
    await this.#place(signal);
    return (answer) => {
      this.#underWay -= 1;
      if (answer) this.#learn(answer, limited, route?.perSecond ?? 0);
      for (const free of [...this.#waitingForPlace].slice(0, 1)) free();
    };
  }

  /** Waits for a free slot for a concurrent request. An interrupted wait ends at once: the transport then refuses the request. */
  async #place(signal: AbortSignal | undefined): Promise<void> {
    while (this.#metered !== 'no' && this.#underWay >= this.#tier.concurrent) {
      if (signal?.aborted) break;
      await new Promise<void>((resolve) => {
        const free = (): void => {
          signal?.removeEventListener('abort', free);
          this.#waitingForPlace.delete(free);
          resolve();
        };
        this.#waitingForPlace.add(free);
        signal?.addEventListener('abort', free);
      });
    }
    this.#underWay += 1;
  }

  #bucketOf(route: PartnerRoute, perSecond: number): Bucket {
    const known = this.#routes.get(route);
    if (known) return known;
    // The burst of a sub-limit is its rate (partner-api.md#rate-limits).
    const bucket = new Bucket(this.#waiting, perSecond, perSecond);
    this.#routes.set(route, bucket);
    return bucket;
  }

  #learn(answer: { status: number; headers: Headers }, limited: Bucket | null, perSecond: number): void {
    const burst = wholeNumber(answer.headers['ratelimit-limit']);
    const remaining = wholeNumber(answer.headers['ratelimit-remaining']);
    const refused = answer.status === 429;
    const wait = refused ? (retryAfterMs(answer.headers, this.#waiting.now()) ?? 1000) : 0;
    // On a sub-limit 429 the headers describe the sub-limit (partner-api.md#rate-limits).
    const ofRoute = refused && limited !== null && (burst === null || burst === perSecond);
    if (ofRoute) return limited.hold(wait);
    if (refused) this.#project.hold(wait);
    // An answer without the headers comes from a server without rate limits, or from a proxy in between.
    if (burst === null || remaining === null) {
      if (this.#metered === 'unknown' && answer.status < 400) this.#metered = 'no';
      return;
    }
    this.#metered = 'yes';
    const tier = Object.values<Tier>(TIERS).find((known) => known.burst === burst);
    // A negotiated tier only announces its burst; in the other tiers the burst is at most five seconds of the rate (partner-api.md#rate-limits).
    const rates = tier ?? { perSecond: Math.max(1, Math.floor(burst / 5)), burst, concurrent: TIERS.build.concurrent };
    if (rates.burst !== this.#tier.burst) {
      this.#tier = rates;
      this.#project.resize(rates.perSecond, rates.burst);
    }
    this.#project.lower(remaining, this.#underWay);
  }
}

function wholeNumber(text: string | undefined): number | null {
  return text !== undefined && /^\s*\d{1,9}\s*$/.test(text) ? Number(text) : null;
}

interface Waiting {
  /** Milliseconds since the epoch. */
  now: () => number;
  /** @throws when the signal is aborted. */
  sleep: (ms: number, signal?: AbortSignal) => Promise<void>;
  /** Longest wait that the server may ask for, in milliseconds. Default 60 s. */
  maxWaitMs?: number;
  /** Called before each wait of more than two seconds. */
  onWait?: (wait: { reason: string; ms: number }) => void;
}

/** `code` of the failure of a request that was not sent because the server asked to wait too long. */
export const WAIT_TOO_LONG = 'wait_too_long';

const TOLD_FROM_MS = 2000;

/** Our bucket refills slightly slower than the server's, because two requests may arrive closer together than they were sent. */
const CAUTION = 0.98;
/** For the same reason up to this many tokens of a burst are not used, except in a bucket of one. */
const MOST_SLACK = 2;

/** The client's own token bucket, filled a little slower and a little smaller than the server's. */
class Bucket {
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

  /** Changes size and rate. Tokens already used stay used. */
  resize(perSecond: number, burst: number): void {
    const spent = this.#size - this.#tokens;
    this.#slack = Math.min(MOST_SLACK, Math.floor(burst / 5));
    this.#size = burst - this.#slack;
    this.#perMs = (perSecond * CAUTION) / 1000;
    this.#tokens = this.#size - spent;
    this.#filledAt = this.#waiting.now();
  }

  /** Lowers the tokens to the number that the server reports, less the requests that may not have arrived there. Never raises it. */
  lower(remaining: number, underWay: number): void {
    this.#fill();
    this.#tokens = Math.min(this.#tokens, remaining - this.#slack - underWay);
  }

  /** Sends nothing for this long. @param ms milliseconds */
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
      const advice = waitAdvice(held, this.#waiting.maxWaitMs);
      if (advice !== null) {
        const facts = { code: WAIT_TOO_LONG, retryAfter: Math.ceil(held / 1000), next: advice };
        throw new Failure('rate_limited', 'the API asked to wait; this was not sent', facts);
      }
      if (wait > TOLD_FROM_MS) this.#waiting.onWait?.({ reason: 'rate limit', ms: wait });
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
