/**
 * Follows the request log of a sandbox on another host (sandbox.md#admin-routes, sandbox.md#request-log-and-stream) and yields the same
 * items as the journal on this machine. After a broken connection it reconnects with the last number seen, so no entry is lost that the
 * sandbox still has. Entries it no longer has are reported as a gap, and so is a different sandbox at the same address.
 */
import { BLANK_RECORD, type HttpRequest } from '../contract/exchange.ts';
import { isRecord } from '../contract/json.ts';
import { Failure } from '../failure.ts';
import { type JournalEntry, typeOfCode } from './entries.ts';
import type { JournalItem } from './follow.ts';
import { type JournalFilter, matchesFilter } from './query.ts';
import { readServerEvents } from './server-events.ts';

export interface RemoteOptions {
  /** Scheme, host and port of the sandbox. */
  base: string;
  /** The value of `CREDICORP_SANDBOX_LOG_TOKEN` that the sandbox was started with; not needed for a sandbox on this machine. */
  token?: string;
  stream: (
    request: HttpRequest,
    idleMs?: number,
  ) => Promise<{ status: number; headers: Record<string, string>; body: AsyncIterable<Uint8Array> }>;
  sleep: (ms: number, signal?: AbortSignal) => Promise<void>;
  /** Start with entries from this instant on, in milliseconds since the epoch; without it only new entries. */
  since?: number;
  filter?: JournalFilter;
  signal?: AbortSignal;
  /** Called with the reason before each attempt to reconnect. */
  onBreak?: (why: string) => void;
  /** Called on each connection with the sandbox's time, in milliseconds since the epoch: entries and `since` use that clock. */
  onClock?: (now: number) => void;
}

/** The sandbox sends a comment every 15 s (sandbox.md#request-log-and-stream). */
const IDLE_MS = 40_000;
const CONNECT_MS = 10_000;
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 5000;
/** Failed attempts in a row after which following ends with an error. */
const MOST_TRIES = 20;

/** Yields entries until the signal is aborted. @throws Failure `auth` when access is refused, `not_found`, `unavailable` when it cannot be reached. */
export async function* followRemote(options: RemoteOptions): AsyncGenerator<JournalItem, void, undefined> {
  const position: Position = { instance: null, last: options.since === undefined ? null : 0 };
  for (let [tries, breaks] = [0, 0]; !isOver(options); breaks += 1) {
    const before = position.last;
    try {
      const stream = await connect(options, position);
      tries = 0;
      yield* read(options, position, stream, Infinity);
      options.onBreak?.('the sandbox ended the stream');
    } catch (error) {
      if (isOver(options)) return;
      tries += 1;
      if (!(error instanceof Failure) || error.kind !== 'unavailable' || tries >= MOST_TRIES) throw error;
      options.onBreak?.(error.message);
    }
    // A stream that delivered entries is reopened at once; one that ended without any backs off.
    if (position.last !== before) breaks = 0;
    const pause = Math.min(FIRST_PAUSE_MS * 2 ** Math.min(breaks, 10), LONGEST_PAUSE_MS);
    await options.sleep(pause, options.signal).catch(() => undefined);
  }
}

/** The entries that the sandbox still has, oldest first, without following. @throws Failure `auth`, `not_found`, `unavailable`. */
export async function* readRemote(options: RemoteOptions): AsyncGenerator<JournalItem, void, undefined> {
  const position: Position = { instance: null, last: 0 };
  const stream = await connect(options, position);
  yield* read(options, position, stream, stream.newest);
}

interface Position {
  /** The sandbox instance that the numbers belong to; null before the first connection. */
  instance: string | null;
  /** The last number seen; null until the first connection reports the newest one. */
  last: number | null;
}

interface Stream {
  /** A different sandbox instance answered than before. */
  isNewInstance: boolean;
  /** The number of its last message when the stream began. */
  newest: number;
  body: AsyncIterable<Uint8Array>;
}

function isOver(options: RemoteOptions): boolean {
  return options.signal?.aborted === true;
}

async function connect(options: RemoteOptions, position: Position): Promise<Stream> {
  const { status, headers, body } = await options.stream(requestOf(options, position.last), IDLE_MS);
  const [instance = '', last = ''] = ['instance', 'last'].map((name) => headers[`credicorp-log-${name}`]);
  if (status !== 200 || instance === '' || !/^\d{1,15}$/.test(last)) {
    await closeUnread(body);
    throw refusal(status);
  }
  const clock = Date.parse(headers['credicorp-log-now'] ?? '');
  if (!Number.isNaN(clock)) options.onClock?.(clock);
  const newest = Number(last);
  if (position.instance === null || position.instance === instance) {
    position.last ??= newest;
    position.instance = instance;
    return { isNewInstance: false, newest, body };
  }
  // The request named a number of the previous instance: start again from the beginning of this one.
  await closeUnread(body);
  position.instance = instance;
  position.last = 0;
  return { ...(await connect(options, position)), isNewInstance: true };
}

/** Closes the connection of an unread body. The loop is needed: a generator runs its `finally` only after it was started. */
async function closeUnread(body: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const _ of body) return;
}

/** Yields the entries of one connection. @param until the last number to read */
async function* read(
  options: RemoteOptions,
  position: Position,
  { isNewInstance, body }: Stream,
  until: number,
): AsyncGenerator<JournalItem, void, undefined> {
  const { filter = {}, since = null } = options;
  if (isNewInstance) yield { type: 'gap', why: 'replaced' };
  if (until === 0) return closeUnread(body);
  let lost = false;
  for await (const { event, data, id } of readServerEvents(body)) {
    if (event === 'gap') lost = true;
    if (event === 'gap' || !/^\d{1,15}$/.test(id)) continue;
    position.last = Number(id);
    const entry = remoteEntry(event, data, options.base);
    // A gap before entries older than `since` is not reported.
    if (entry && lost && (since === null || entry.at >= since)) yield { type: 'gap', why: 'pruned' };
    if (entry) lost = false;
    if (entry && matchesFilter(entry, filter, since)) yield { type: 'entry', entry };
    if (position.last >= until) return;
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
    return new Failure('auth', 'the sandbox allows access to its log only from its own machine', {
      status,
      code: 'loopback_only',
      next: 'start it with CREDICORP_SANDBOX_LOG_TOKEN set, and set the same value here',
    });
  }
  return new Failure(
    status >= 500 ? 'unavailable' : 'not_found',
    `the request for the log was answered with ${status}`,
    {
      status,
      next: 'check that this is the address of a credicorp sandbox',
    },
  );
}

/** A JSON object of the sandbox's stream. */
type StreamRow = Record<string, unknown>;

/** A message of the stream as an entry: a request or a delivery attempt; null for anything else. @param base of the sandbox */
function remoteEntry(event: string, data: string, base: string): JournalEntry | null {
  const row = parseRow(data);
  const entry = row === null ? null : event === 'request' ? requestEntry(row, base) : deliveryEntry(event, row);
  return entry === null || Number.isNaN(entry.at) ? null : entry;
}

function requestEntry(row: StreamRow, base: string): JournalEntry {
  const text = textsOf(row);
  const query = (text('query') ?? '').replace(/^\?/, '');
  const [resourceId] = listOf(row['resource_ids']).map(String);
  const [note] = listOf(row['notes']).map(String);
  return {
    ...BLANK,
    seq: Number(row['seq']),
    at: Date.parse(text('at') ?? ''),
    method: text('method') ?? '',
    path: `${text('path') ?? ''}${query === '' ? '' : `?${query}`}`,
    origin: new URL(base).origin,
    status: statusOf(row['status']),
    latencyMs: Number(row['duration_ms']) || 0,
    requestId: text('request_id'),
    idempotencyKey: text('idempotency_key'),
    resourceId: resourceId ?? null,
    errorType: typeOfCode(text('error_code')),
    errorCode: text('error_code'),
    note: note ?? null,
    requestHeaders: headersOf(row['request_headers']),
    requestBody: text('request_body'),
    responseHeaders: headersOf(row['response_headers']),
    responseBody: text('response_body'),
  };
}

/** Sent after each attempt, with all of them: the last one is new. The stream does not carry the request body. */
function deliveryEntry(event: string, row: StreamRow): JournalEntry | null {
  const attempt = listOf(row['attempts']).at(-1);
  const url = String(row['url']);
  if (event !== 'delivery' || !isRecord(attempt) || !URL.canParse(url)) return null;
  const text = textsOf(row);
  const { origin, pathname, search } = new URL(url);
  return {
    ...BLANK,
    seq: 0,
    at: Date.parse(String(attempt['at'])),
    method: 'POST',
    path: pathname + search,
    origin,
    status: statusOf(attempt['status']),
    latencyMs: Number(attempt['duration_ms']) || 0,
    attempt: Number(attempt['n']) || 1,
    eventId: text('event_id'),
    eventType: text('event_type'),
    deliveryId: text('id'),
    note: textsOf(attempt)('error'),
  };
}

const BLANK = { ...BLANK_RECORD, source: 'sandbox', environment: 'local' } as const;

/** The sandbox writes 0 for "no answer". */
function statusOf(value: unknown): number | null {
  const status = Number(value);
  return status > 0 ? status : null;
}

function textsOf(row: StreamRow): (name: string) => string | null {
  return (name) => {
    const value = row[name];
    return typeof value === 'string' ? value : null;
  };
}

function listOf(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

function parseRow(data: string): StreamRow | null {
  try {
    const row: unknown = JSON.parse(data);
    return isRecord(row) ? row : null;
  } catch {
    return null;
  }
}

function headersOf(value: unknown): Record<string, string> {
  if (!isRecord(value)) return {};
  return Object.fromEntries(Object.entries(value).map(([name, text]) => [name, String(text)]));
}
