/**
 * Follows the request log of a sandbox on another host (sandbox.md#admin-routes, sandbox.md#request-log-and-stream) as if it were the journal here. Comes back after a
 * break with the number it has seen last, so nothing is lost that the sandbox still holds; what it no longer holds is shown as a
 * gap, and so is another sandbox in its place, which is read from its beginning.
 */
import type { HttpRequest } from '../contract/exchange.ts';
import { Failure } from '../failure.ts';
import { type JournalFilter, matches } from './filter.ts';
import type { JournalMoment } from './follow.ts';
import { remoteEntry } from './remote-entry.ts';
import { readServerEvents } from './server-events.ts';

export interface RemoteOptions {
  /** Scheme, host and port of the sandbox. */
  base: string;
  /** What the sandbox was started with as `CREDICORP_SANDBOX_LOG_TOKEN`; not needed on this machine. */
  token?: string;
  stream: (
    request: HttpRequest,
    idleMs?: number,
  ) => Promise<{ status: number; headers: Record<string, string>; body: AsyncIterable<Uint8Array> }>;
  sleep: (ms: number, signal?: AbortSignal) => Promise<void>;
  /** Begin with entries from this instant on, in milliseconds since the epoch; without it with what comes. */
  since?: number;
  filter?: JournalFilter;
  signal?: AbortSignal;
  /** Told before each new try to connect. */
  onBreak?: (why: string) => void;
  /** Told with each connection what the sandbox's clock shows, in milliseconds since the epoch: entries and `since` are by it. */
  onClock?: (now: number) => void;
}

/** The sandbox sends a comment every 15 s (sandbox.md#request-log-and-stream). */
const IDLE_MS = 40_000;
const CONNECT_MS = 10_000;
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 5000;
/** Tries in a row without a connection; after that the sandbox counts as gone. */
const MOST_TRIES = 20;

/** @throws Failure `auth` when the sandbox does not let us, `not_found`, `unavailable` when it stays away. */
export async function* followRemote(options: RemoteOptions): AsyncGenerator<JournalMoment, void, undefined> {
  const place: Place = { instance: null, last: options.since === undefined ? null : 0 };
  for (let [tries, breaks] = [0, 0]; !isOver(options); breaks += 1) {
    const before = place.last;
    try {
      const stream = await connect(options, place);
      tries = 0;
      yield* read(options, place, stream, Infinity);
      options.onBreak?.('the sandbox ended the stream');
    } catch (error) {
      if (isOver(options)) return;
      tries += 1;
      if (!(error instanceof Failure) || error.kind !== 'unavailable' || tries >= MOST_TRIES) throw error;
      options.onBreak?.(error.message);
    }
    // A stream that brought something is worth coming back to at once; one that ends as it begins is not.
    if (place.last !== before) breaks = 0;
    const pause = Math.min(FIRST_PAUSE_MS * 2 ** Math.min(breaks, 10), LONGEST_PAUSE_MS);
    await options.sleep(pause, options.signal).catch(() => undefined);
  }
}

/** What the sandbox still holds, oldest first, without following. @throws Failure `auth`, `not_found`, `unavailable`. */
export async function* readRemote(options: RemoteOptions): AsyncGenerator<JournalMoment, void, undefined> {
  const place: Place = { instance: null, last: 0 };
  const stream = await connect(options, place);
  yield* read(options, place, stream, stream.newest);
}

interface Place {
  /** Which sandbox the numbers are of; null before the first connection. */
  instance: string | null;
  /** The number seen last; null while nothing before now is wanted and it is not known what now is. */
  last: number | null;
}

interface Stream {
  /** Another sandbox stands there now. */
  anew: boolean;
  /** The number of its last message when the stream began. */
  newest: number;
  body: AsyncIterable<Uint8Array>;
}

function isOver(options: RemoteOptions): boolean {
  return options.signal?.aborted === true;
}

async function connect(options: RemoteOptions, place: Place): Promise<Stream> {
  const { status, headers, body } = await options.stream(requestOf(options, place.last), IDLE_MS);
  const [instance = '', last = ''] = ['instance', 'last'].map((name) => headers[`credicorp-log-${name}`]);
  if (status !== 200 || instance === '' || !/^\d{1,15}$/.test(last)) {
    await leave(body);
    throw refusal(status);
  }
  const clock = Date.parse(headers['credicorp-log-now'] ?? '');
  if (!Number.isNaN(clock)) options.onClock?.(clock);
  const newest = Number(last);
  if (place.instance === null || place.instance === instance) {
    place.last ??= newest;
    place.instance = instance;
    return { anew: false, newest, body };
  }
  // It was asked for what follows a number of the other one: all it holds is new to us.
  await leave(body);
  place.instance = instance;
  place.last = 0;
  return { ...(await connect(options, place)), anew: true };
}

/** Leaving a body cuts its connection, and only what was begun can be left. */
async function leave(body: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const _ of body) return;
}

/** @param until ends behind this number */
async function* read(
  options: RemoteOptions,
  place: Place,
  { anew, body }: Stream,
  until: number,
): AsyncGenerator<JournalMoment, void, undefined> {
  const { filter = {}, since = null } = options;
  if (anew) yield { type: 'gap', why: 'replaced' };
  if (until === 0) return leave(body);
  let lost = false;
  for await (const { event, data, id } of readServerEvents(body)) {
    if (event === 'gap') lost = true;
    if (event === 'gap' || !/^\d{1,15}$/.test(id)) continue;
    place.last = Number(id);
    const entry = remoteEntry(event, data, options.base);
    // What went before an entry that is too old is not missed.
    if (entry && lost && (since === null || entry.at >= since)) yield { type: 'gap', why: 'pruned' };
    if (entry) lost = false;
    if (entry && matches(entry, filter, since)) yield { type: 'entry', entry };
    if (place.last >= until) return;
  }
}

function requestOf(options: RemoteOptions, last: number | null): HttpRequest {
  const headers: Record<string, string> = { accept: 'text/event-stream' };
  if (last !== null) headers['last-event-id'] = String(last);
  if (options.token !== undefined) headers['authorization'] = `Bearer ${options.token}`;
  const url = `${new URL(options.base).origin}/_sandbox/requests/stream`;
  return { method: 'GET', url, headers, timeoutMs: CONNECT_MS, ...(options.signal ? { signal: options.signal } : {}) };
}

function refusal(status: number): Failure {
  if (status === 401 || status === 403) {
    return new Failure('auth', 'the sandbox shows its log to its own machine only', {
      status,
      code: 'loopback_only',
      next: 'start it with CREDICORP_SANDBOX_LOG_TOKEN set, and give the same value here',
    });
  }
  return new Failure(status >= 500 ? 'unavailable' : 'not_found', `the log was answered with ${status}`, {
    status,
    next: 'is this the address of a credicorp sandbox?',
  });
}
