/** Rate limits in real time (partner-api.md#rate-limits, sandbox.md#rate-limits): a token bucket per project, sub-limits of routes, concurrency. */
import { PUBLIC_LIMIT, type Tier, type TierName, TIERS } from '../../contract/tiers.ts';
import type { ProjectName, RateFigures } from '../http/call.ts';
import { type Refusal, refuse } from '../http/refusal.ts';
import { tierOf } from '../token/authenticator.ts';

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

/** How many addresses of callers without a credential are remembered. */
const VISITORS = 1000;

export class Limits {
  readonly #now: () => number;
  readonly #localTier: TierName;
  readonly #enforced: boolean;
  readonly #projects = new Map<ProjectName, Bucket>();
  /** Of the token plane, of routes and of visitors. */
  readonly #buckets = new Map<string, Bucket>();
  readonly #underWay = new Map<ProjectName, number>();

  /** `now` in real milliseconds. */
  constructor(now: () => number, settings: { tier: TierName; rateLimit: boolean }) {
    this.#now = now;
    this.#localTier = settings.tier;
    this.#enforced = settings.rateLimit;
  }

  /** Figures of a project's bucket, nothing taken. */
  show(project: ProjectName): RateFigures {
    return this.#ofProject(project).figures(this.#now());
  }

  /** Takes one request of a project and, where the route has one, of its sub-limit. @throws Refusal 429 */
  take(project: ProjectName, sub: SubLimit | undefined): RateFigures {
    const at = this.#now();
    const whole = this.#ofProject(project);
    const part = sub && this.#bucket(`${sub.route} ${project}`, sub.perSecond, sub.perSecond);
    if (!this.#admits(whole, at)) throw tooMany(whole, at, 'The rate limit of the project was hit.');
    if (part && !this.#admits(part, at)) throw tooMany(part, at, 'The rate limit of this route was hit.');
    whole.take();
    part?.take();
    return whole.figures(at);
  }

  /** Takes one token request from the bucket of the token routes. `wait` is in seconds, null when the request is allowed. */
  mint(project: ProjectName): { figures: RateFigures; wait: number | null } {
    const at = this.#now();
    const { perSecond, burst } = this.#tier(project);
    const own = this.#bucket(`token ${project}`, perSecond, burst);
    if (!this.#admits(own, at)) return { figures: own.figures(at), wait: own.wait() };
    own.take();
    return { figures: own.figures(at), wait: null };
  }

  /** A keyless route, per address and route. @throws Refusal 429 */
  visit(address: string, route: string): RateFigures {
    const at = this.#now();
    if (this.#buckets.size > VISITORS) this.#forgetVisitors();
    const perSecond = PUBLIC_LIMIT.requests / PUBLIC_LIMIT.windowSeconds;
    const own = this.#bucket(`visit ${route} ${address}`, perSecond, PUBLIC_LIMIT.requests);
    if (!this.#admits(own, at)) throw tooMany(own, at, 'Too many requests from this address.');
    own.take();
    return own.figures(at);
  }

  /** Counts a request as under way. @throws Refusal 429 when too many are */
  enter(project: ProjectName): void {
    const count = this.#underWay.get(project) ?? 0;
    if (this.#enforced && count >= this.#tier(project).concurrent) {
      throw limited(this.show(project), 1, 'Too many requests are under way.');
    }
    this.#underWay.set(project, count + 1);
  }

  leave(project: ProjectName): void {
    this.#underWay.set(project, Math.max(0, (this.#underWay.get(project) ?? 0) - 1));
  }

  reset(): void {
    this.#projects.clear();
    this.#buckets.clear();
  }

  #tier(project: ProjectName): Tier {
    return TIERS[tierOf(project, this.#localTier)];
  }

  #ofProject(project: ProjectName): Bucket {
    const known = this.#projects.get(project);
    if (known) return known;
    const { perSecond, burst } = this.#tier(project);
    const made = new Bucket(perSecond, burst, this.#now());
    this.#projects.set(project, made);
    return made;
  }

  #bucket(key: string, perSecond: number, size: number): Bucket {
    const known = this.#buckets.get(key);
    if (known) return known;
    const made = new Bucket(perSecond, size, this.#now());
    this.#buckets.set(key, made);
    return made;
  }

  #admits(bucket: Bucket, at: number): boolean {
    return !this.#enforced || bucket.has(at);
  }

  #forgetVisitors(): void {
    for (const key of this.#buckets.keys()) if (key.startsWith('visit ')) this.#buckets.delete(key);
  }
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
