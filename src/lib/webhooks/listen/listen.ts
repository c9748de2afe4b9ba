/**
 * `webhooks listen`: opens the receiver, registers the endpoint, checks with a self-test that deliveries arrive, forwards them, and cleans
 * up at the end. It yields listener events and prints nothing; the terminal view, `--json`, the inspector page and tests use these events.
 */
import type { RecordExchange } from '../../contract/exchange.ts';
import type {
  ClosedEvent,
  ListenerCounts,
  ListenerEvent,
  ReadyEvent,
  SkippedEvent,
} from '../../contract/listener-events.ts';
import type { SigningSecrets } from '../../contract/signature.ts';
import { usage } from '../../failure.ts';
import type { Store } from '../../store/store.ts';
import { type DeliveryFaultSettings, describeDeliveryFaults } from '../forward/delivery-faults.ts';
import { type AppRefusal, Forwarder } from '../forward/forwarder.ts';
import type { RetryTimes } from '../forward/target-queue.ts';
import { type Route, sameTarget } from '../forward/targets.ts';
import { Inbox } from '../inbox/inbox.ts';
import { type ListenerRegistration, registerListener } from '../inbox/listener-registry.ts';
import { giveUpParked } from '../inbox/settle.ts';
import type { ReconnectTimes } from '../tunnels/keep-open.ts';
import type { Tunnel } from '../tunnels/tunnel-programs.ts';
import {
  claimEndpoints,
  type EndpointApi,
  obtainEndpoint,
  type RegisteredEndpoint,
  removeEndpoint,
  watchEndpoint,
} from './endpoint-registration.ts';
import { Ingest, type Routing, routing } from './ingest.ts';
import { aborted, detectSleep, openPublicUrl, type PublicUrl } from './public-url.ts';
import { openReceiver, type Receiver, type ReceiverLimits, type ReceiverOptions } from './receiver.ts';
import { createSelfTest, SELF_TEST_ID } from './self-test.ts';

/** Options of a listener. Clock, randomness, the API's endpoints and the journal are parameters. */
export interface ListenOptions {
  /** An open store with `inboxTables`. The listener does not close it. */
  store: Store;
  /** Profile and environment; deliveries and endpoints of other scopes are left alone. */
  scope: string;
  environment: string | null;
  endpoints: EndpointApi;
  /** Stops the listener: it cleans up and emits `closed`. */
  signal: AbortSignal;
  /** Milliseconds since the epoch. */
  now: () => number;
  /** Milliseconds on a clock that never jumps; default `now`. */
  ticks?: () => number;
  random: () => number;
  /** Returns at least 128 random bits as URL-safe text. */
  token: () => string;
  pid: number;
  /** Tells a process from another that had its pid before (listener-registry.ts). */
  processStart: (pid: number) => string | null;
  /** Ends the process of a tunnel that a crashed listener left running. Default: it is left alone. */
  endProcess?: (pid: number) => void;
  record: RecordExchange;
  /** Called with every event immediately, even when the generator is read slowly. Must not throw or wait. */
  onEvent?: (event: ListenerEvent) => void;

  /** Called once, before anything is opened, with what steers the running listener. */
  onOpen?: (controls: ListenerControls) => void;

  /** Signs each attempt at the app; null forwards the sender's signature. */
  signing: SigningSecrets | null;
  /** What is known about a refusal of the app that may be about the signature, in one line. */
  explainRefusal?: (refusal: AppRefusal) => string | null;
  /** The target of events that no route matches; null keeps them in the inbox. */
  forward: URL | null;
  routes?: readonly Route[];
  /** Event types and families. Default `['*']`. */
  events?: readonly string[];
  /** Loopback port of the receiver; default that of a crashed listener whose endpoint is taken over, else any. */
  port?: number;
  /** Known secrets that explain a mismatch and never make one valid. Its members may be replaced while the listener runs. */
  otherSecrets?: { readonly environment: readonly string[]; readonly endpoint: readonly string[] };
  /** Seconds. Default 300. */
  tolerance?: number;
  skipVerify?: boolean;
  ack?: 'stored' | 'forwarded';
  order?: 'none' | 'resource' | 'all';
  dedupe?: boolean;
  /** Faults injected between inbox and app. `random` is seeded: the same seed gives the same faults. */
  faults?: { settings: DeliveryFaultSettings; random: () => number };
  /** Most concurrent requests to each app. Default 8. */
  concurrency?: number;
  /** Limit for one attempt, in milliseconds. Default 10 s. */
  timeoutMs?: number;
  retry?: Partial<RetryTimes>;
  limits?: Partial<ReceiverLimits>;
  /** Time between checks that the endpoint still exists, in milliseconds. Default 2 s. */
  endpointCheckMs?: number;
  /** Limit for the self-test, in milliseconds. Default 30 s. */
  readyMs?: number;
  /** Makes the receiver reachable from outside; not needed when the sender is on this machine. */
  tunnel?: Tunnel;
  tunnelTimes?: Partial<ReconnectTimes>;
  /** How long to wait at the end for running attempts, in milliseconds. Default 3 s. */
  graceMs?: number;
}

/** What may be done to a running listener: pause and resume forwarding, and see how much waits. */
export type ListenerControls = Pick<Forwarder, 'pause' | 'paused' | 'resume' | 'waiting'>;

/** As long as the API keeps an event (webhooks.md#retry-schedule). */
const KEPT_MS = 72 * 3_600_000;
const DEFAULT_RETRY: RetryTimes = { firstMs: 250, longestMs: 30_000, portPollMs: 250, giveUpAfterMs: KEPT_MS };
const HEARTBEAT_MS = 5000;
/** Shortest time between two reads of the stored secret, in milliseconds. */
const RECALL_MS = 10_000;

/**
 * Listens until the signal is aborted or the generator is closed, and cleans up in both cases.
 * @throws Failure when it cannot become ready: port taken, registration refused, self-test lost
 */
export async function* listen(options: ListenOptions): AsyncGenerator<ListenerEvent, void, undefined> {
  const queue = new ListenerEventQueue();
  const leave = new AbortController();
  const emit = (event: ListenerEvent): void => {
    options.onEvent?.(event);
    queue.push(event);
  };
  const done = run(options, AbortSignal.any([options.signal, leave.signal]), emit).finally(() => queue.end());
  // Awaited below; a rejection before that must not be reported as unhandled.
  done.catch(() => {});
  try {
    for (let event = await queue.next(); event !== null; event = await queue.next()) yield event;
    await done;
  } finally {
    leave.abort();
    await done.catch(() => {});
  }
}

/** Most unread events in the queue; the batch that is being read may contain as many again. */
const MAX_UNREAD = 10_000;

/**
 * A bounded queue of listener events with one reader. Pushing never waits, so that a slow reader does not delay deliveries. When the
 * queue is full, events are only counted: one `skipped` event contains how many are missing.
 */
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

type Emit = (event: ListenerEvent) => void;

async function run(options: ListenOptions, signal: AbortSignal, emit: Emit): Promise<void> {
  if (options.skipVerify === true && options.environment === 'live') {
    throw usage('signatures are always checked on live', {
      code: 'skip_verify_live',
      param: '--skip-verify',
      next: 'leave out --skip-verify; webhooks verify explains a signature that fails',
    });
  }
  const { store, scope, now, pid, processStart } = options;
  const routes = routing(options.forward, options.routes ?? []);
  const registration = registerListener({ store, scope, pid, processStart, now }, routes.targets);
  const parts = assemble(options, registration, routes, emit);
  const heartbeat = setInterval(() => {
    registration.heartbeat();
    parts.inbox.trim();
  }, HEARTBEAT_MS).unref();
  options.onOpen?.(parts.forwarder);
  let ready = false;
  try {
    await open(options, parts, signal);
    ready = true;
    await aborted(signal);
  } finally {
    clearInterval(heartbeat);
    const closed = await close(options, parts);
    if (ready) emit(closed);
  }
}

function retryTimes({ retry }: ListenOptions): RetryTimes {
  return { ...DEFAULT_RETRY, ...retry };
}

type Parts = ReturnType<typeof assemble>;

/** What exists once the listener is open. */
interface Opened {
  receiver: Receiver | null;
  endpoint: RegisteredEndpoint | null;
  publicUrl: PublicUrl | null;
  watchingUrl: Promise<void> | null;
  watchingEndpoint: Promise<void> | null;
}

function assemble(options: ListenOptions, registration: ListenerRegistration, { targets, route }: Routing, emit: Emit) {
  const { store, scope, now, random, environment, record, faults } = options;
  const ticks = options.ticks ?? now;
  const counts: ListenerCounts = {
    received: 0,
    forwarded: 0,
    rejected: 0,
    duplicates: 0,
    failed: 0,
    parked: 0,
    waiting: 0,
  };
  const inbox = new Inbox({ store, scope, owner: registration.id, dedupe: options.dedupe ?? true });
  const forwarder = new Forwarder({
    ...{ inbox, environment, now, ticks, random, emit, record, counts, signing: options.signing },
    explainRefusal: options.explainRefusal ?? (() => null),
    ...(faults === undefined ? {} : { faults }),
    concurrency: options.concurrency ?? 8,
    order: options.order ?? 'none',
    timeoutMs: options.timeoutMs ?? 10_000,
    retry: retryTimes(options),
  });
  const events = [...(options.events ?? ['*'])];
  const ack = options.ack ?? 'stored';
  const ingest = new Ingest({ inbox, forwarder, environment, now, emit, record, counts, route, events, ack });
  const selfTest = createSelfTest({ now, ticks, token: options.token });
  const opened: Opened = {
    ...{ receiver: null, endpoint: null, publicUrl: null },
    ...{ watchingUrl: null, watchingEndpoint: null },
  };
  // When the listener stops, the endpoint is no longer checked, but the public URL stays open until deliveries have ended.
  const [leaving, closing] = [new AbortController(), new AbortController()];
  return {
    registration,
    counts,
    inbox,
    targets,
    events,
    ingest,
    forwarder,
    selfTest,
    opened,
    emit,
    leaving,
    closing,
    sleep: detectSleep(now),
  };
}

/** Opens everything, up to the `ready` event. */
async function open(options: ListenOptions, parts: Parts, signal: AbortSignal): Promise<void> {
  const { opened, registration, selfTest, events, targets, emit, sleep } = parts;
  for (const pid of registration.claimTunnels()) options.endProcess?.(pid);
  // What earlier listeners left is queued before the port opens: nothing that comes in may overtake it.
  const isOwnTarget = (target: string): boolean => targets.some((own) => sameTarget(own, target));
  const pending = registration.claimPending(isOwnTarget);
  for (const forward of pending) parts.ingest.forwardPending(forward);
  const claimed = await claimEndpoints(options.endpoints, registration, targets);
  const { adoptable } = claimed;
  const path = adoptable?.left.path ?? `/${options.token()}`;
  const secretKnown = Promise.withResolvers<void>();
  const receiver = await openAtUsualPort(options, parts, path, adoptable?.left.port ?? 0, secretKnown.promise);
  opened.receiver = receiver;
  const { port } = receiver;
  const { tunnel } = options;
  // Its process is stored as soon as it runs: should this listener be killed, the next one ends it.
  const stored: Pick<ListenOptions, 'tunnel'> =
    tunnel === undefined
      ? {}
      : {
          tunnel: {
            via: tunnel.via,
            open: (...[to, until, earlier]) => tunnel.open(to, until, earlier, registration.saveTunnel),
          },
        };
  const publicUrl = await openPublicUrl({ ...options, ...stored }, port, signal, emit);
  opened.publicUrl = publicUrl;
  const url = publicUrl.base + path;
  const endpoint = await obtainEndpoint(options.endpoints, registration, claimed, { url, events, port, path });
  opened.endpoint = endpoint;
  secretKnown.resolve();
  const prove = (until: AbortSignal): Promise<number> =>
    selfTest.run(endpoint.url, endpoint.secret, options.readyMs ?? 30_000, until);
  const selfTestMs = await prove(signal);
  const where = { endpoint, registration, events, port, path };
  opened.watchingUrl = publicUrl.watch({ ...where, selfTest, sleep, signal: parts.closing.signal });
  const facts = { port, events, targets, unrouted: registration.unrouted(isOwnTarget) };
  giveUpParked(options.store, options.scope, options.now() - (retryTimes(options).giveUpAfterMs ?? Infinity));
  emit(readyEvent(options, endpoint, { ...facts, leftover: pending.length, self_test_ms: selfTestMs, replaces: null }));
  opened.watchingEndpoint = watchEndpoint({
    ...{ api: options.endpoints, endpoint, events, signal: parts.leaving.signal },
    everyMs: options.endpointCheckMs ?? 2000,
    holds: registration.holdsEndpoint,
    onWake: sleep.onWake,
    onReplaced: async (replaces) => {
      registration.saveEndpoint({ endpointId: endpoint.id, url: endpoint.url, port, path, events });
      const self_test_ms = await prove(parts.leaving.signal);
      emit(readyEvent(options, endpoint, { ...facts, leftover: 0, self_test_ms, replaces }));
    },
  });
}

function readyEvent(
  options: ListenOptions,
  { id, url, adopted }: RegisteredEndpoint,
  facts: Pick<ReadyEvent, 'port' | 'events' | 'targets' | 'leftover' | 'unrouted' | 'self_test_ms' | 'replaces'>,
): ReadyEvent {
  const { replaces, ...rest } = facts;
  return {
    type: 'ready',
    at: new Date(options.now()).toISOString(),
    endpoint_id: id,
    url,
    ...rest,
    adopted,
    replaces,
    unverified: options.skipVerify === true,
    chaos: options.faults === undefined ? null : describeDeliveryFaults(options.faults.settings),
    signed_by: options.signing === null ? 'sender' : 'listener',
    give_up_after_ms: retryTimes(options).giveUpAfterMs,
  };
}

/** Opens the receiver on the given port, else on that of the crashed listener whose endpoint is taken over, else on any free port. */
async function openAtUsualPort(
  options: ListenOptions,
  parts: Parts,
  path: string,
  usualPort: number,
  secretKnown: Promise<void>,
): Promise<Receiver> {
  const { opened, selfTest, ingest } = parts;
  const settings: ReceiverOptions = {
    path,
    known: secretKnown,
    now: options.now,
    port: options.port ?? usualPort,
    tolerance: options.tolerance ?? 300,
    skipVerify: options.skipVerify ?? false,
    limits: options.limits ?? {},
    ...(options.otherSecrets === undefined ? {} : { otherSecrets: options.otherSecrets }),
    secrets: () => (opened.endpoint === null ? [] : [opened.endpoint.secret]),
    renew: createSecretRenewal(options, opened),
    onRejected: (incoming, verdict) => ingest.reject(incoming, verdict),
    onDelivery: (incoming, verdict) =>
      incoming.deliveryId?.startsWith(SELF_TEST_ID) === true && selfTest.recognise(incoming.deliveryId)
        ? Promise.resolve(200)
        : ingest.accept(incoming, verdict),
  };
  try {
    return await openReceiver(settings);
  } catch (error) {
    if (options.port !== undefined || usualPort === 0) throw error;
    return openReceiver({ ...settings, port: 0 });
  }
}

/** Reads the stored secret again, because it may be rotated while the listener runs; not more often than `RECALL_MS`. */
function createSecretRenewal(options: ListenOptions, opened: Opened): () => Promise<boolean> {
  let asked = -RECALL_MS;
  return async () => {
    const { endpoint } = opened;
    const { recall } = options.endpoints;
    if (endpoint === null || recall === undefined || options.now() - asked < RECALL_MS) return false;
    asked = options.now();
    const secret = await recall(endpoint.id).catch(() => null);
    if (secret === null || secret === endpoint.secret) return false;
    endpoint.secret = secret;
    return true;
  };
}

/** Removes the endpoint, waits for running attempts or returns them to the inbox, and closes everything. */
async function close(options: ListenOptions, parts: Parts): Promise<ClosedEvent> {
  const { opened, registration } = parts;
  const { endpoint, receiver } = opened;
  const graceMs = options.graceMs ?? 3000;
  // Stopped first: otherwise the endpoint that is removed here would be registered again.
  parts.leaving.abort();
  await opened.watchingEndpoint;
  const problem = endpoint === null ? null : await removeOwnEndpoint(options, registration, endpoint.id);
  if (problem === null) registration.markEndpointGone(registration.id);
  await Promise.all([receiver?.close(graceMs), parts.forwarder.stop(graceMs)]);
  parts.closing.abort();
  parts.sleep.stop();
  await (opened.watchingUrl ?? opened.publicUrl?.close());
  parts.inbox.flush();
  const waiting = registration.countWaiting();
  registration.end();
  const at = new Date(options.now()).toISOString();
  return { type: 'closed', at, ...parts.counts, waiting, endpoint_removed: problem === null, detail: problem };
}

/** @returns null when it is removed, else why not. One that another listener took over is that listener's to remove. */
async function removeOwnEndpoint(
  { endpoints }: ListenOptions,
  registration: ListenerRegistration,
  id: string,
): Promise<string | null> {
  if (!registration.holdsEndpoint(id)) return 'another listener took it over';
  return removeEndpoint(endpoints, id);
}
