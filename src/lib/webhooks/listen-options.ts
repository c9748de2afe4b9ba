/** What a listener is told. Everything the world lends (clock, randomness, endpoints, journal) is a member. */
import type { WriteDown } from '../contract/exchange.ts';
import type { Store } from '../store/store.ts';
import type { ChaosSettings } from './chaos.ts';
import type { EndpointActs } from './endpoint.ts';
import type { RetryTimes } from './lane.ts';
import type { ListenerEvent } from '../contract/listener-events.ts';
import type { ReceiverLimits } from './receiver.ts';
import type { Route } from './targets.ts';
import type { KeepTimes } from './tunnels/keep-open.ts';
import type { Tunnel } from './tunnels/tunnel.ts';

export interface ListenOptions {
  /** Open, with `inboxTables`; stays open when the listener ends. */
  store: Store;
  /** Profile and environment; deliveries and endpoints of other scopes are left alone. */
  scope: string;
  environment: string | null;
  endpoints: EndpointActs;
  /** Stops the listener: it tidies up and says `closed`. */
  signal: AbortSignal;
  /** Milliseconds since the epoch. */
  now: () => number;
  /** Milliseconds on a clock that never jumps; default `now`. */
  ticks?: () => number;
  random: () => number;
  /** At least 128 bits nobody can guess, as URL-safe text. */
  token: () => string;
  pid: number;
  isAlive: (pid: number) => boolean;
  record: WriteDown;
  /** Told every moment when it happens, however slowly they are read. Must not throw and must not wait. */
  hear?: (moment: ListenerEvent) => void;

  /** Takes what no route wants; null leaves it in the inbox. */
  forward: URL | null;
  routes?: readonly Route[];
  /** Types and families. Default `['*']`. */
  events?: readonly string[];
  /** Loopback port of the receiver; default any, or that of a listener that died. */
  port?: number;
  /** Further live secrets beside the endpoint's own, asked anew for each delivery (rotation). */
  secrets?: () => readonly string[];
  otherSecrets?: () => { environment: readonly string[]; endpoint: readonly string[] };
  tolerance?: number;
  skipVerify?: boolean;
  ack?: 'stored' | 'forwarded';
  order?: 'none' | 'resource' | 'all';
  dedupe?: boolean;
  /** Mischief on purpose between inbox and app; `random` is seeded, so that the same seed tells the same story. */
  chaos?: { settings: ChaosSettings; random: () => number };
  /** Requests under way at each app. Default 8. */
  concurrency?: number;
  /** Limit for one attempt, in milliseconds. Default 10 s. */
  timeoutMs?: number;
  retry?: Partial<RetryTimes>;
  limits?: Partial<ReceiverLimits>;
  /** How often the API is asked whether the endpoint is still there, in milliseconds. Default 2 s. */
  presenceMs?: number;
  /** Limit for the self-test, in milliseconds. Default 30 s. */
  readyMs?: number;
  /** Makes the receiver reachable from outside; without one the sender is on this machine. */
  tunnel?: Tunnel;
  tunnelTimes?: Partial<KeepTimes>;
  /** How long the way out may wait for what is under way, in milliseconds. Default 3 s. */
  graceMs?: number;
}
