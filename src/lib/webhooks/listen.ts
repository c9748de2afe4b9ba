/**
 * The story of a listener, as moments: the door opens, the endpoint is registered, a self-test comes through, deliveries come
 * in and go on, and whatever happens, the way out is tidy. Prints nothing; terminal, `--json`, page and tests read the same.
 */
import type { WriteDown } from '../contract/exchange.ts';
import { usage } from '../failure.ts';
import type { Store } from '../store/store.ts';
import { type Endpoint, type EndpointActs, findCandidate, obtainEndpoint, remove } from './endpoint.ts';
import { createForwarding } from './forwarding.ts';
import { createInbox } from './inbox.ts';
import type { RetryTimes } from './lane.ts';
import { type Enrolment, enrol, type Leftover } from './listeners.ts';
import { createMomentQueue } from './moment-queue.ts';
import type { ClosedMoment, Counts, Moment } from './moments.ts';
import { openReceiver, type Receiver, type ReceiverLimits, type ReceiverOptions } from './receiver.ts';
import { createReception } from './reception.ts';
import { createSelfTest } from './self-test.ts';
import { type Route, routing } from './targets.ts';

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
  /** Requests under way at each app. Default 8. */
  concurrency?: number;
  /** Limit for one attempt, in milliseconds. Default 10 s. */
  timeoutMs?: number;
  retry?: Partial<RetryTimes>;
  limits?: Partial<ReceiverLimits>;
  /** Limit for the self-test, in milliseconds. Default 30 s. */
  readyMs?: number;
  /** How long the way out may wait for what is under way, in milliseconds. Default 3 s. */
  graceMs?: number;
}

const DEFAULT_RETRY: RetryTimes = { firstMs: 250, longestMs: 30_000, portPollMs: 250, giveUpAfterMs: null };
const HEARTBEAT_MS = 5000;

/**
 * Listens until the signal is aborted or the reader stops reading; tidies up either way.
 * @throws Failure when it cannot become ready: port taken, registration refused, self-test lost.
 */
export async function* listen(options: ListenOptions): AsyncGenerator<Moment, void, undefined> {
  const queue = createMomentQueue();
  const leave = new AbortController();
  const story = tell(options, AbortSignal.any([options.signal, leave.signal]), queue.say).finally(queue.end);
  // Awaited below; until then a failure must not count as unhandled.
  story.catch(() => {});
  try {
    for (let moment = await queue.next(); moment !== null; moment = await queue.next()) yield moment;
    await story;
  } finally {
    leave.abort();
    await story.catch(() => {});
  }
}

async function tell(options: ListenOptions, signal: AbortSignal, say: (moment: Moment) => void): Promise<void> {
  if (options.skipVerify === true && options.environment === 'live') {
    throw usage('signatures are always checked on live', {
      code: 'skip_verify_live',
      param: '--skip-verify',
      next: 'leave out --skip-verify; webhooks verify explains a signature that fails',
    });
  }
  const { store, scope, now } = options;
  const enrolment = enrol({ store, scope, pid: options.pid, isAlive: options.isAlive, now });
  const heartbeat = setInterval(enrolment.seen, HEARTBEAT_MS).unref();
  const parts = assemble(options, enrolment, say);
  let ready = false;
  try {
    const leftovers = await open(options, enrolment, parts, signal);
    ready = true;
    for (const leftover of leftovers) parts.reception.resume(leftover);
    await aborted(signal);
  } finally {
    clearInterval(heartbeat);
    const closed = await close(options, enrolment, parts);
    if (ready) say(closed);
  }
}

type Parts = ReturnType<typeof assemble>;

function assemble(options: ListenOptions, enrolment: Enrolment, say: (moment: Moment) => void) {
  const { store, scope, now, random, environment, record } = options;
  const ticks = options.ticks ?? now;
  const counts: Counts = { received: 0, forwarded: 0, rejected: 0, duplicates: 0, failed: 0, waiting: 0 };
  const inbox = createInbox({ store, scope, owner: enrolment.id, dedupe: options.dedupe ?? true });
  const ways = routing(options.forward, options.routes ?? []);
  const forwarding = createForwarding({
    inbox,
    environment,
    now,
    ticks,
    random,
    say,
    record,
    concurrency: options.concurrency ?? 8,
    order: options.order ?? 'none',
    timeoutMs: options.timeoutMs ?? 10_000,
    retry: { ...DEFAULT_RETRY, ...options.retry },
    done: (state) => {
      counts[state === 'delivered' ? 'forwarded' : 'failed'] += 1;
    },
  });
  const reception = createReception({
    inbox,
    forwarding,
    environment,
    now,
    say,
    record,
    counts,
    route: ways.route,
    events: options.events ?? ['*'],
    ack: options.ack ?? 'stored',
  });
  const selfTest = createSelfTest({ now, ticks, token: options.token });
  const opened: { receiver: Receiver | null; endpoint: Endpoint | null } = { receiver: null, endpoint: null };
  return { counts, inbox, ways, forwarding, reception, selfTest, opened, say };
}

/** Up to `ready`. @returns what earlier listeners left to deliver. */
async function open(
  options: ListenOptions,
  enrolment: Enrolment,
  parts: Parts,
  signal: AbortSignal,
): Promise<Leftover[]> {
  const { opened, ways } = parts;
  const events = [...(options.events ?? ['*'])];
  const candidate = await findCandidate(options.endpoints, enrolment);
  const path = candidate?.left.path ?? `/${options.token()}`;
  const known = Promise.withResolvers<void>();
  const receiver = await openDoor(options, parts, { path, usualPort: candidate?.left.port ?? 0, known: known.promise });
  opened.receiver = receiver;
  const { url, port } = receiver;
  const endpoint = await obtainEndpoint(options.endpoints, enrolment, candidate, { url, events, port, path });
  opened.endpoint = endpoint;
  known.resolve();
  const selfTestMs = await parts.selfTest.run(url, endpoint.secret, options.readyMs ?? 30_000, signal);
  const leftovers = enrolment.takeOver(ways.route);
  parts.say({
    type: 'ready',
    at: new Date(options.now()).toISOString(),
    endpoint_id: endpoint.id,
    url,
    port,
    events,
    targets: ways.targets,
    leftover: leftovers.length,
    adopted: endpoint.adopted,
    self_test_ms: selfTestMs,
    unverified: options.skipVerify === true,
  });
  return leftovers;
}

/** The port asked for, else the one a dead listener's senders know, else any. */
async function openDoor(
  options: ListenOptions,
  parts: Parts,
  door: { path: string; usualPort: number; known: Promise<void> },
): Promise<Receiver> {
  const settings: ReceiverOptions = {
    path: door.path,
    known: door.known,
    now: options.now,
    port: options.port ?? door.usualPort,
    tolerance: options.tolerance ?? 300,
    skipVerify: options.skipVerify ?? false,
    limits: options.limits ?? {},
    ...(options.otherSecrets === undefined ? {} : { otherSecrets: options.otherSecrets }),
    secrets: () => {
      const { endpoint } = parts.opened;
      return [...(endpoint === null ? [] : [endpoint.secret]), ...(options.secrets?.() ?? [])];
    },
    onRejected: parts.reception.refuse,
    onDelivery: (incoming, verdict) =>
      parts.selfTest.recognise(incoming.deliveryId) ? Promise.resolve(200) : parts.reception.take(incoming, verdict),
  };
  try {
    return await openReceiver(settings);
  } catch (error) {
    if (options.port !== undefined || door.usualPort === 0) throw error;
    return openReceiver({ ...settings, port: 0 });
  }
}

/** The way out: no more from the sender, what is under way ends or is put back, and the books are closed. */
async function close(options: ListenOptions, enrolment: Enrolment, parts: Parts): Promise<ClosedMoment> {
  const { endpoint, receiver } = parts.opened;
  const graceMs = options.graceMs ?? 3000;
  const trouble = endpoint === null ? null : await remove(options.endpoints, endpoint.id);
  if (trouble === null) enrolment.forgetEndpoint(enrolment.id);
  await receiver?.close(graceMs);
  const waiting = await parts.forwarding.stop(graceMs);
  parts.inbox.flush();
  enrolment.end();
  const at = new Date(options.now()).toISOString();
  return { type: 'closed', at, ...parts.counts, waiting, endpoint_removed: trouble === null, detail: trouble };
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise((resolve) => {
    signal.addEventListener('abort', resolve, { once: true });
  });
}
