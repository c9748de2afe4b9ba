/** Rate limit figures (partner-api.md#rate-limits). The limits of single routes are listed with the routes, in `scopes`. */

export interface Tier {
  /** Tokens refilled per second. */
  perSecond: number;
  /** Bucket size. */
  burst: number;
  /** Requests under way at the same time. */
  concurrent: number;
}

export const TIERS = {
  build: { perSecond: 10, burst: 50, concurrent: 10 },
  launch: { perSecond: 25, burst: 100, concurrent: 20 },
  scale: { perSecond: 100, burst: 400, concurrent: 50 },
} as const satisfies Record<string, Tier>;

export type TierName = keyof typeof TIERS;

/** Keyless routes: requests per window, per address and route (partner-api.md#keyless-routes). */
export const PUBLIC_LIMIT = { requests: 60, windowSeconds: 60 } as const;
