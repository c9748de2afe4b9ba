/** The parts of a listener, put together, opened in the right order and closed in the reverse one. */
import { describeChaos } from './chaos.ts';
import { type Endpoint, findCandidate, obtainEndpoint, remove } from './endpoint.ts';
import { type Exposure, openExposure } from './exposure.ts';
import { Forwarding } from './forwarding.ts';
import { Inbox } from './inbox.ts';
import type { RetryTimes } from './lane.ts';
import type { ListenOptions } from './listen-options.ts';
import type { Enrolment, Leftover } from './listeners.ts';
import { watchPresence } from './presence.ts';
import type { ClosedEvent, ListenerCounts, ListenerEvent, ReadyEvent } from '../contract/listener-events.ts';
import { openReceiver, type Receiver, type ReceiverOptions } from './receiver.ts';
import { Reception } from './reception.ts';
import { createSelfTest } from './self-test.ts';
import { routing } from './targets.ts';

const DEFAULT_RETRY: RetryTimes = { firstMs: 250, longestMs: 30_000, portPollMs: 250, giveUpAfterMs: null };

/** At most this often a stored secret is asked for. */
const RENEW_MS = 10_000;

export type Parts = ReturnType<typeof assemble>;

interface Opened {
  receiver: Receiver | null;
  endpoint: Endpoint | null;
  exposure: Exposure | null;
  watching: Promise<void> | null;
  present: Promise<void> | null;
}

/** @param say takes every moment */
export function assemble(options: ListenOptions, enrolment: Enrolment, say: (moment: ListenerEvent) => void) {
  const { store, scope, now, random, environment, record } = options;
  const ticks = options.ticks ?? now;
  const counts: ListenerCounts = { received: 0, forwarded: 0, rejected: 0, duplicates: 0, failed: 0, waiting: 0 };
  const inbox = new Inbox({ store, scope, owner: enrolment.id, dedupe: options.dedupe ?? true });
  const ways = routing(options.forward, options.routes ?? []);
  const forwarding = new Forwarding({
    inbox,
    environment,
    now,
    ticks,
    random,
    say,
    record,
    concurrency: options.concurrency ?? 8,
    order: options.order ?? 'none',
    ...(options.chaos === undefined ? {} : { chaos: options.chaos }),
    timeoutMs: options.timeoutMs ?? 10_000,
    retry: { ...DEFAULT_RETRY, ...options.retry },
    done: (state) => {
      counts[state === 'delivered' ? 'forwarded' : 'failed'] += 1;
    },
  });
  const reception = new Reception({
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
  const opened: Opened = { receiver: null, endpoint: null, exposure: null, watching: null, present: null };
  return {
    counts,
    inbox,
    ways,
    forwarding,
    reception,
    selfTest,
    opened,
    say,
    closing: new AbortController(),
    leaving: new AbortController(),
  };
}

/** Up to `ready`. @returns what earlier listeners left to deliver. */
export async function open(
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
  const { port } = receiver;
  const exposure = await openExposure(options, port, signal, parts.say);
  opened.exposure = exposure;
  const url = exposure.base + path;
  const endpoint = await obtainEndpoint(options.endpoints, enrolment, candidate, { url, events, port, path });
  opened.endpoint = endpoint;
  known.resolve();
  const prove = (signal: AbortSignal): Promise<number> =>
    parts.selfTest.run(endpoint.url, endpoint.secret, options.readyMs ?? 30_000, signal);
  const selfTestMs = await prove(signal);
  const { selfTest } = parts;
  opened.watching = exposure.watch({ endpoint, enrolment, events, port, path, selfTest, signal: parts.closing.signal });
  const leftovers = enrolment.takeOver(ways.route);
  const told = { port, events, targets: ways.targets };
  parts.say(readyMoment(options, endpoint, { ...told, leftover: leftovers.length, self_test_ms: selfTestMs }));
  opened.present = watchPresence({
    ...{ acts: options.endpoints, endpoint, events, signal: parts.leaving.signal },
    everyMs: options.presenceMs ?? 2000,
    renewed: async (lost) => {
      enrolment.noteEndpoint({ endpointId: endpoint.id, url: endpoint.url, port, path, events });
      const self_test_ms = await prove(parts.leaving.signal);
      parts.say(readyMoment(options, endpoint, { ...told, leftover: 0, self_test_ms, replaces: lost }));
    },
  });
  return leftovers;
}

function readyMoment(
  options: ListenOptions,
  { id, url, adopted }: Endpoint,
  told: Pick<ReadyEvent, 'port' | 'events' | 'targets' | 'leftover' | 'self_test_ms'> & { replaces?: string },
): ReadyEvent {
  return {
    type: 'ready',
    at: new Date(options.now()).toISOString(),
    endpoint_id: id,
    url,
    ...told,
    adopted,
    replaces: told.replaces ?? null,
    unverified: options.skipVerify === true,
    chaos: options.chaos === undefined ? null : describeChaos(options.chaos.settings),
  };
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
    renew: createRenewal(options, parts.opened),
    onRejected: (incoming, verdict) => parts.reception.refuse(incoming, verdict),
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

/** A secret may be rotated while this listener runs, by whomever: the place it is kept is asked again, though not for every forgery. */
function createRenewal(options: ListenOptions, opened: Opened): () => Promise<boolean> {
  let asked = -RENEW_MS;
  return async () => {
    const { endpoint } = opened;
    const { recall } = options.endpoints;
    if (endpoint === null || recall === undefined || options.now() - asked < RENEW_MS) return false;
    asked = options.now();
    const secret = await recall(endpoint.id).catch(() => null);
    if (secret === null || secret === endpoint.secret) return false;
    endpoint.secret = secret;
    return true;
  };
}

/** The way out: no more from the sender, what is under way ends or is put back, and the books are closed. */
export async function close(options: ListenOptions, enrolment: Enrolment, parts: Parts): Promise<ClosedEvent> {
  const { opened } = parts;
  const { endpoint, receiver } = opened;
  const graceMs = options.graceMs ?? 3000;
  // First, or an endpoint just removed would look like one that was lost.
  parts.leaving.abort();
  await opened.present;
  const trouble = endpoint === null ? null : await remove(options.endpoints, endpoint.id);
  if (trouble === null) enrolment.forgetEndpoint(enrolment.id);
  await Promise.all([receiver?.close(graceMs), parts.forwarding.stop(graceMs)]);
  parts.closing.abort();
  await (opened.watching ?? opened.exposure?.close());
  parts.inbox.flush();
  const waiting = enrolment.waiting();
  enrolment.end();
  const at = new Date(options.now()).toISOString();
  return { type: 'closed', at, ...parts.counts, waiting, endpoint_removed: trouble === null, detail: trouble };
}
