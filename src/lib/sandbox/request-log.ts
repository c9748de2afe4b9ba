/**
 * The request log (sandbox page §12): the last 1000 requests, and a feed of what happens for those who watch. Nothing secret is
 * kept: credential headers are left out, bodies are redacted.
 */
import type { WriteDown } from '../contract/exchange.ts';
import { redactBody, redactHeaders, redactText } from '../contract/secrets.ts';
import { isoSeconds } from '../contract/time.ts';
import type { Attempted } from './courier.ts';
import { DROPPED, type Call, type Outgoing } from './exchange.ts';
import type { World } from './world.ts';

const RING = 1000;
const BODY_LIMIT = 16_384;
const NEVER = new Set(['authorization', 'proxy-authorization', 'cookie', 'set-cookie']);
/** Cheap to look for; a body with one of these is redacted before it is kept, any other when it is read. */
const SUSPECT = /whsec_|[cps]k_|secret|_token|eyJ/i;

/** Members in documented order. */
export interface LogEntry {
  seq: number;
  at: string;
  request_id: string;
  method: string;
  path: string;
  query: string;
  /** 0 when the connection was dropped on purpose. */
  status: number;
  duration_ms: number;
  project: string | null;
  credential: string | null;
  scope: string | null;
  idempotency_key: string | null;
  replayed: boolean;
  error_code: string | null;
  rate_limit_remaining: number;
  resource_ids: string[];
  notes: string[];
  fault_id: string | null;
  user_agent: string | null;
  request_headers: Record<string, string>;
  request_body: string | null;
  response_headers: Record<string, string>;
  response_body: string | null;
}

export type MessageKind = 'request' | 'webhook_event' | 'delivery' | 'clock';

export interface Message {
  id: number;
  kind: MessageKind;
  /** One line of JSON. */
  text(): string;
}

export interface RequestLog {
  write(call: Call, outgoing: Outgoing, startedAt: number): void;
  writeAttempt(attempt: Attempted): void;
  /** Oldest first, redacted. */
  entries(): LogEntry[];
  /** Says something to those who watch. */
  say(kind: MessageKind, text: () => string): void;
  /** Messages the ring still holds, oldest first. */
  messages(): readonly Message[];
  /** The number of the last message. */
  last(): number;
  /** Told of each message as it is said, and null at the end; returns the way to stop. */
  watch(hear: (message: Message | null) => void): () => void;
  clear(): void;
  /** Sends those who watch away. */
  close(): void;
}

export function createRequestLog(world: World, record: WriteDown | undefined): RequestLog {
  const entries = new Ring<LogEntry>(RING);
  const feed = new Ring<Message>(RING);
  const listeners = new Set<(message: Message | null) => void>();
  let seq = 0;
  world.watchers.add({
    event: ({ body }) => say('webhook_event', () => body),
    delivery: ({ resource }) => {
      const text = JSON.stringify(resource);
      say('delivery', () => text);
    },
  });
  const say = (kind: MessageKind, text: () => string): void => {
    const message = { id: ++seq, kind, text };
    feed.push(message);
    for (const hear of listeners) hear(message);
  };
  return {
    say,
    write(call, outgoing, startedAt) {
      const entry = describe(call, outgoing, {
        seq: seq + 1,
        at: isoSeconds(world.clock.now()),
        durationMs: Math.max(0, Math.round(world.settings.now() - startedAt)),
      });
      entries.push(entry);
      say('request', () => JSON.stringify(clean(entry)));
      record?.(exchangeOf(world, call, entry, startedAt));
    },
    writeAttempt: (attempt) => record?.(deliveryExchange(attempt)),
    entries: () => entries.all().map(clean),
    messages: () => feed.all(),
    watch(hear) {
      listeners.add(hear);
      return () => listeners.delete(hear);
    },
    last: () => seq,
    clear: () => entries.clear(),
    close() {
      for (const hear of listeners) hear(null);
    },
  };
}

/** The last so many of something. */
class Ring<T> {
  readonly #size: number;
  #items: T[] = [];

  constructor(size: number) {
    this.#size = size;
  }

  push(item: T): void {
    this.#items.push(item);
    // Cut now and then, not each time: moving a thousand places on every request is waste.
    if (this.#items.length >= 2 * this.#size) this.#items = this.#items.slice(-this.#size);
  }

  all(): T[] {
    return this.#items.slice(-this.#size);
  }

  clear(): void {
    this.#items = [];
  }
}

function describe(call: Call, outgoing: Outgoing, facts: { seq: number; at: string; durationMs: number }): LogEntry {
  const { request, credential } = call;
  const dropped = outgoing === DROPPED;
  return {
    seq: facts.seq,
    at: facts.at,
    request_id: call.requestId,
    method: request.method,
    path: request.path,
    query: request.query,
    status: dropped ? 0 : outgoing.status,
    duration_ms: facts.durationMs,
    project: credential?.project ?? null,
    credential: credential?.shown ?? null,
    scope: call.scope,
    idempotency_key: call.idempotencyKey,
    replayed: call.replayed,
    error_code: call.errorCode,
    rate_limit_remaining: call.rate.remaining,
    resource_ids: call.resourceIds,
    notes: call.notes,
    fault_id: call.faultId,
    user_agent: request.headers['user-agent'] ?? null,
    request_headers: withoutCredentials(request.headers),
    request_body: bodyText(request.body),
    response_headers: dropped ? {} : outgoing.headers,
    response_body: dropped || outgoing.stream ? null : kept(outgoing.body),
  };
}

function withoutCredentials(headers: Readonly<Record<string, string>>): Record<string, string> {
  const shown: Record<string, string> = {};
  for (const name in headers) if (!NEVER.has(name)) shown[name] = headers[name] ?? '';
  return shown;
}

function bodyText(body: Uint8Array | null | 'too_large'): string | null {
  if (body === null || body === 'too_large') return null;
  return kept(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8'));
}

function kept(body: string): string {
  return body.length > BODY_LIMIT || SUSPECT.test(body) ? redactBody(body, BODY_LIMIT) : body;
}

/** The entry as it may be shown. */
function clean(entry: LogEntry): LogEntry {
  return {
    ...entry,
    path: redactText(entry.path),
    query: maskQuery(entry.query),
    request_headers: redactHeaders(entry.request_headers),
    request_body: entry.request_body === null ? null : redactBody(entry.request_body, BODY_LIMIT + 100),
    response_headers: redactHeaders(entry.response_headers),
    response_body: entry.response_body === null ? null : redactBody(entry.response_body, BODY_LIMIT + 100),
  };
}

function maskQuery(query: string): string {
  return redactText(query.replace(/(^|&)(token|[^=&]*secret)=[^&]*/gi, '$1$2=[redacted]'));
}

type Exchange = Parameters<WriteDown>[0];

function exchangeOf(world: World, call: Call, entry: LogEntry, startedAt: number): Exchange {
  return {
    at: startedAt,
    source: 'sandbox',
    environment: 'local',
    method: entry.method,
    path: entry.query === '' ? entry.path : `${entry.path}?${entry.query}`,
    origin: world.settings.baseUrl,
    status: entry.status === 0 ? null : entry.status,
    latencyMs: entry.duration_ms,
    attempt: 1,
    requestId: entry.request_id,
    idempotencyKey: entry.idempotency_key,
    eventId: null,
    eventType: null,
    deliveryId: null,
    resourceId: entry.resource_ids[0] ?? null,
    errorType: null,
    errorCode: entry.error_code,
    errorParam: call.errorParam,
    note: entry.status === 0 ? 'connection dropped by a fault' : (entry.notes[0] ?? null),
    requestHeaders: entry.request_headers,
    requestBody: entry.request_body,
    responseHeaders: entry.response_headers,
    responseBody: entry.response_body,
  };
}

function deliveryExchange({ delivery, headers, attempt, startedAt, durationMs, receipt }: Attempted): Exchange {
  const url = new URL(delivery.resource.url);
  return {
    at: startedAt,
    source: 'sandbox',
    environment: 'local',
    method: 'POST',
    path: url.pathname + url.search,
    origin: url.origin,
    status: receipt.status,
    latencyMs: durationMs,
    attempt,
    requestId: null,
    idempotencyKey: null,
    eventId: delivery.resource.event_id,
    eventType: delivery.resource.event_type,
    deliveryId: delivery.resource.id,
    resourceId: null,
    errorType: null,
    errorCode: null,
    errorParam: null,
    note: receipt.error,
    requestHeaders: headers,
    requestBody: delivery.body,
    responseHeaders: {},
    responseBody: null,
  };
}
