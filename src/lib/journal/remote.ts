/**
 * Follows the request log of a sandbox on another host (sandbox page §8, §12) as if it were the journal here. Comes back after a
 * break with the number it has seen last, so nothing is lost that the sandbox still holds; what it no longer holds is shown as a gap.
 */
import type { HttpRequest } from '../contract/exchange.ts';
import { isRecord } from '../contract/json.ts';
import { Failure } from '../failure.ts';
import { type JournalEntry, typeOfCode } from './entries.ts';
import { type JournalFilter, matches } from './filter.ts';
import type { JournalMoment } from './follow.ts';
import { readLines, readServerEvents } from './server-events.ts';

export interface RemoteOptions {
  /** Scheme, host and port of the sandbox. */
  base: string;
  /** What the sandbox was started with as `CREDICORP_SANDBOX_LOG_TOKEN`; not needed on this machine. */
  token?: string;
  stream: (request: HttpRequest, idleMs?: number) => Promise<{ status: number; body: AsyncIterable<Uint8Array> }>;
  sleep: (ms: number, signal?: AbortSignal) => Promise<void>;
  /** Begin with entries from this instant on, in milliseconds since the epoch; without it with what comes. */
  since?: number;
  filter?: JournalFilter;
  signal?: AbortSignal;
  /** Told before each new try to connect. */
  onBreak?: (why: string) => void;
}

/** The sandbox sends a comment every 15 s (sandbox page §12). */
const IDLE_MS = 40_000;
const CONNECT_MS = 10_000;
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 5000;
/** Tries in a row without a connection; after that the sandbox counts as gone. */
const MOST_TRIES = 20;

/** @throws Failure `auth` when the sandbox does not let us, `not_found`, `unavailable` when it stays away. */
export async function* followRemote(options: RemoteOptions): AsyncGenerator<JournalMoment, void, undefined> {
  const place: Place = { last: options.since === undefined ? null : 0 };
  for (let tries = 0; !isOver(options); tries += 1) {
    try {
      for await (const moment of connection(options, place)) {
        tries = 0;
        yield moment;
      }
      options.onBreak?.('the sandbox ended the stream');
    } catch (error) {
      if (isOver(options)) return;
      if (!(error instanceof Failure) || error.kind !== 'unavailable' || tries + 1 >= MOST_TRIES) throw error;
      options.onBreak?.(error.message);
    }
    const pause = Math.min(FIRST_PAUSE_MS * 2 ** tries, LONGEST_PAUSE_MS);
    await options.sleep(pause, options.signal).catch(() => undefined);
  }
}

/** What the sandbox still holds, oldest first, without following. @throws Failure `auth`, `not_found`, `unavailable`. */
export async function* readRemote(options: RemoteOptions): AsyncGenerator<JournalMoment, void, undefined> {
  const request = requestOf(options, '/_sandbox/requests', 'application/x-ndjson');
  const { status, body } = await options.stream(request, CONNECT_MS);
  if (status !== 200) throw refusal(status);
  for await (const line of readLines(body)) {
    const entry = entryOf(line, options.base);
    if (entry && matches(entry, options.filter ?? {}, options.since ?? null)) yield { type: 'entry', entry };
  }
}

/** The number seen last; null while nothing was seen and nothing before now is wanted. */
interface Place {
  last: number | null;
}

function isOver(options: RemoteOptions): boolean {
  return options.signal?.aborted === true;
}

async function* connection(options: RemoteOptions, place: Place): AsyncGenerator<JournalMoment, void, undefined> {
  const request = requestOf(options, '/_sandbox/requests/stream', 'text/event-stream');
  if (place.last !== null) request.headers['last-event-id'] = String(place.last);
  const { status, body } = await options.stream(request, IDLE_MS);
  if (status !== 200) throw refusal(status);
  for await (const { event, data, id } of readServerEvents(body)) {
    const number = /^\d{1,15}$/.test(id) ? Number(id) : null;
    if (event === 'gap') yield { type: 'gap', why: 'pruned' };
    else if (number !== null) {
      if (place.last !== null && number <= place.last) {
        // Numbers begin anew: another sandbox stands there now. All it holds is new to us.
        place.last = 0;
        yield { type: 'gap', why: 'replaced' };
        return;
      }
      place.last = number;
      const entry = event === 'request' ? entryOf(data, options.base) : null;
      if (entry && matches(entry, options.filter ?? {}, options.since ?? null)) yield { type: 'entry', entry };
    }
  }
}

function requestOf(options: RemoteOptions, path: string, accept: string): HttpRequest {
  const headers: Record<string, string> = { accept };
  if (options.token !== undefined) headers['authorization'] = `Bearer ${options.token}`;
  const url = `${new URL(options.base).origin}${path}`;
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
  return new Failure(status === 404 ? 'not_found' : 'unavailable', `the log was answered with ${status}`, {
    status,
    next: 'is this the address of a credicorp sandbox?',
  });
}

/** An entry of sandbox page §12; null for what cannot be read as one. */
function entryOf(data: string, base: string): JournalEntry | null {
  const row = readRecord(data);
  const at = Date.parse(String(row?.['at']));
  if (row === null || Number.isNaN(at)) return null;
  const text = (name: string): string | null => (typeof row[name] === 'string' ? row[name] : null);
  const query = (text('query') ?? '').replace(/^\?/, '');
  const status = Number(row['status']);
  const [resourceId] = Array.isArray(row['resource_ids']) ? row['resource_ids'].map(String) : [];
  const [note] = Array.isArray(row['notes']) ? row['notes'].map(String) : [];
  return {
    seq: Number(row['seq']),
    at,
    source: 'sandbox',
    environment: 'local',
    method: text('method') ?? '',
    path: `${text('path') ?? ''}${query === '' ? '' : `?${query}`}`,
    origin: new URL(base).origin,
    status: status > 0 ? status : null,
    latencyMs: Number(row['duration_ms']) || 0,
    attempt: 1,
    requestId: text('request_id'),
    idempotencyKey: text('idempotency_key'),
    eventId: null,
    eventType: null,
    deliveryId: null,
    resourceId: resourceId ?? null,
    errorType: typeOfCode(text('error_code')),
    errorCode: text('error_code'),
    errorParam: null,
    note: note ?? null,
    requestHeaders: headersOf(row['request_headers']),
    requestBody: text('request_body'),
    responseHeaders: headersOf(row['response_headers']),
    responseBody: text('response_body'),
  };
}

function readRecord(data: string): Record<string, unknown> | null {
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
