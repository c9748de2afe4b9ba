/** Rate limits in real time (partner API §16, sandbox page §14): a token bucket per project, sub-limits of routes, concurrency. */
import { PUBLIC_LIMIT, TIERS, type Tier, type TierName } from '../contract/tiers.ts';
import { tierOf } from './credentials.ts';
import type { RateFigures } from './exchange.ts';
import type { ProjectName } from './objects.ts';
import { refuse, type Refusal } from './refusal.ts';

/** A bucket that refills continuously. Times are real milliseconds. */
class Bucket {
  readonly #perSecond: number;
  readonly #size: number;
  #tokens: number;
  #at: number;

  constructor(perSecond: number, size: number, now: number) {
    this.#perSecond = perSecond;
    this.#size = size;
    this.#tokens = size;
    this.#at = now;
  }

  has(now: number): boolean {
    this.#refill(now);
    return this.#tokens >= 1;
  }

  take(): void {
    this.#tokens = Math.max(0, this.#tokens - 1);
  }

  figures(now: number): RateFigures {
    this.#refill(now);
    return {
      limit: this.#size,
      remaining: Math.floor(this.#tokens),
      reset: Math.ceil((this.#size - this.#tokens) / this.#perSecond),
    };
  }

  /** Whole seconds until one token is there, at least 1. */
  wait(): number {
    return Math.max(1, Math.ceil((1 - this.#tokens) / this.#perSecond));
  }

  #refill(now: number): void {
    const elapsed = Math.max(0, now - this.#at) / 1000;
    this.#tokens = Math.min(this.#size, this.#tokens + elapsed * this.#perSecond);
    this.#at = now;
  }
}

/** Requests per second of one route; the burst is the same number. */
export interface SubLimit {
  route: string;
  perSecond: number;
}

export interface Limits {
  /** Figures of a project's bucket, nothing taken. */
  show(project: ProjectName): RateFigures;
  /** Takes one request of a project and, where the route has one, of its sub-limit. @throws Refusal 429 */
  take(project: ProjectName, sub: SubLimit | undefined): RateFigures;
  /** One token mint; the token plane has a bucket of its own. Null when there is none left. */
  mint(project: ProjectName): { figures: RateFigures; wait: number | null };
  /** A keyless route, per address and route. @throws Refusal 429 */
  visit(address: string, route: string): RateFigures;
  /** Counts a request as under way. @throws Refusal 429 when too many are */
  enter(project: ProjectName): void;
  leave(project: ProjectName): void;
  reset(): void;
}

/** Addresses of keyless callers that are remembered at most. */
const VISITORS = 1000;

export function createLimits(now: () => number, settings: { tier: TierName; rateLimit: boolean }): Limits {
  const buckets = new Map<string, Bucket>();
  const underWay = new Map<ProjectName, number>();
  const tier = (project: ProjectName): Tier => TIERS[tierOf(project, settings.tier)];
  const bucket = (key: string, perSecond: number, size: number): Bucket => {
    const found = buckets.get(key) ?? new Bucket(perSecond, size, now());
    buckets.set(key, found);
    return found;
  };
  const whole = new Map<ProjectName, Bucket>();
  const ofProject = (project: ProjectName): Bucket => {
    const found = whole.get(project) ?? new Bucket(tier(project).perSecond, tier(project).burst, now());
    whole.set(project, found);
    return found;
  };
  const admits = (one: Bucket, at: number): boolean => !settings.rateLimit || one.has(at);
  return {
    show: (project) => ofProject(project).figures(now()),
    take(project, sub) {
      const at = now();
      const all = ofProject(project);
      const part = sub && bucket(`${sub.route} ${project}`, sub.perSecond, sub.perSecond);
      if (!admits(all, at)) throw tooMany(all, at, 'The rate limit of the project was hit.');
      if (part && !admits(part, at)) throw tooMany(part, at, 'The rate limit of this route was hit.');
      all.take();
      part?.take();
      return all.figures(at);
    },
    mint(project) {
      const at = now();
      const own = bucket(`token ${project}`, tier(project).perSecond, tier(project).burst);
      if (!admits(own, at)) return { figures: own.figures(at), wait: own.wait() };
      own.take();
      return { figures: own.figures(at), wait: null };
    },
    visit(address, route) {
      const at = now();
      if (buckets.size > VISITORS) for (const key of buckets.keys()) if (key.startsWith('visit ')) buckets.delete(key);
      const perSecond = PUBLIC_LIMIT.requests / PUBLIC_LIMIT.windowSeconds;
      const own = bucket(`visit ${route} ${address}`, perSecond, PUBLIC_LIMIT.requests);
      if (!admits(own, at)) throw tooMany(own, at, 'Too many requests from this address.');
      own.take();
      return own.figures(at);
    },
    enter(project) {
      const count = underWay.get(project) ?? 0;
      if (settings.rateLimit && count >= tier(project).concurrent) {
        throw limited(ofProject(project).figures(now()), 1, 'Too many requests are under way.');
      }
      underWay.set(project, count + 1);
    },
    leave: (project) => underWay.set(project, Math.max(0, (underWay.get(project) ?? 0) - 1)),
    reset() {
      buckets.clear();
      whole.clear();
    },
  };
}

/** A 429 carries the figures of the bucket that refused, as headers would show them. */
function tooMany(bucket: Bucket, now: number, message: string): Refusal {
  return limited(bucket.figures(now), bucket.wait(), message);
}

function limited(figures: RateFigures, wait: number, message: string): Refusal {
  return refuse('rate_limit_exceeded', `${message} Wait ${wait} s.`, undefined, {
    headers: { 'Retry-After': String(wait), ...rateHeaders(figures) },
  });
}

export function rateHeaders(figures: RateFigures): Record<string, string> {
  return {
    'RateLimit-Limit': String(figures.limit),
    'RateLimit-Remaining': String(figures.remaining),
    'RateLimit-Reset': String(figures.reset),
  };
}
