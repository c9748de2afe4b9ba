/** How a sandbox was started (sandbox.md#start-up), with every default filled in. */
import type { TierName } from '../contract/tiers.ts';
import type { WriteDown } from '../contract/exchange.ts';
import type { ReservedCompany } from './objects.ts';
import type { Post } from './sender.ts';

export interface SandboxOptions {
  /** Origin without a final slash, `http://127.0.0.1:4010`. */
  baseUrl: string;
  /** Of the program; told by the health route. */
  version: string;
  /** The same seed tells the same story (sandbox.md#determinism). */
  seed: string;
  /** Whose API it imitates; the admin routes, the clock and the faults are the same. Default `credicorp`. */
  provider?: 'credicorp' | 'acountpay';
  /** Of project `local`. Default `build`. */
  tier?: TierName;
  /** false keeps the headers and never refuses. */
  rateLimit?: boolean;
  /** `start` in epoch milliseconds; `speed` is a factor above 0. */
  clock?: { start?: number; speed?: number; frozen?: boolean };
  /** false: the applicant is not imitated. */
  autoSubmit?: boolean;
  /** Unknown companies are approved. */
  lenient?: boolean;
  /** The documented rule on e-mail or return URL is enforced. */
  strict?: boolean;
  /** More rows for the table of companies; a row with a known number replaces it. */
  companies?: readonly ReservedCompany[];
  jwtAlg?: 'ES256' | 'RS256';
  v1Order?: 'new-first' | 'old-first';
  webhookDebugHeaders?: boolean;
  /** Opens the request log to another host that sends it as bearer (sandbox.md#admin-routes). */
  logToken?: string;
  /** Answers under any name: it listens for other machines. Default: only for this one, and for no web page of elsewhere. */
  anyName?: boolean;
  /** Path of the file that keeps the state. */
  data?: string;
  /** Real milliseconds since the epoch. */
  now(): number;
  /** Sends one webhook delivery; the network by default. */
  post?: Post;
  /** Writes each exchange into the user's journal. */
  record?: WriteDown;
}

export interface Settings {
  baseUrl: string;
  version: string;
  seed: string;
  provider: 'credicorp' | 'acountpay';
  tier: TierName;
  rateLimit: boolean;
  clock: { start: number | undefined; speed: number; frozen: boolean };
  autoSubmit: boolean;
  lenient: boolean;
  strict: boolean;
  jwtAlg: 'ES256' | 'RS256';
  v1Order: 'new-first' | 'old-first';
  webhookDebugHeaders: boolean;
  logToken: string | undefined;
  anyName: boolean;
  now(): number;
}

export function settle(options: SandboxOptions): Settings {
  const { clock = {} } = options;
  return {
    baseUrl: options.baseUrl.replace(/\/+$/, ''),
    version: options.version,
    seed: options.seed,
    provider: options.provider ?? 'credicorp',
    tier: options.tier ?? 'build',
    rateLimit: options.rateLimit ?? true,
    clock: { start: clock.start, speed: clock.speed ?? 1, frozen: clock.frozen ?? false },
    autoSubmit: options.autoSubmit ?? true,
    lenient: options.lenient ?? false,
    strict: options.strict ?? false,
    jwtAlg: options.jwtAlg ?? 'ES256',
    v1Order: options.v1Order ?? 'new-first',
    webhookDebugHeaders: options.webhookDebugHeaders ?? false,
    logToken: options.logToken,
    anyName: options.anyName ?? false,
    now: options.now,
  };
}
