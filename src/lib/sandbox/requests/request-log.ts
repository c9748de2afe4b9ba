/**
 * The request log (sandbox.md#request-log-and-stream): the last 1000 requests, and a stream of messages for subscribers.
 */
import { BLANK_RECORD, type ExchangeRecord, type RecordExchange } from '../../contract/exchange.ts';
import { redactBody, redactHeaders, redactText } from '../../contract/secrets.ts';
import { isoSeconds } from '../../contract/time.ts';
import type { Attempted } from '../deliveries/dispatcher.ts';
import { type SandboxCall, DROPPED, type Outgoing } from '../http/call.ts';
import type { SandboxState } from '../state/state.ts';

const RING = 1000;

export type LogMessageKind = 'request' | 'webhook_event' | 'delivery' | 'clock';

export interface LogMessage {
  id: number;
  kind: LogMessageKind;
  /** One line of JSON. */
  text(): string;
}

export interface RequestLog {
  write(call: SandboxCall, outgoing: Outgoing, startedAt: number): void;
  writeAttempt(attempt: Attempted): void;
  /** Oldest first. */
  entries(): readonly LoggedRequest[];
  /** Publishes a message to the subscribers. */
  publish(kind: LogMessageKind, text: () => string): void;
  /** Messages that are still kept, oldest first. */
  messages(): readonly LogMessage[];
  /** The number of the last message. */
  last(): number;
  /** Identifies this log: another one begins its numbers again. */
  readonly instance: string;
  /** Calls back with each message as it is published, and null at the end; returns the way to stop. */
  subscribe(onMessage: (message: LogMessage | null) => void): () => void;
  clear(): void;
  /** Ends all subscriptions. */
  close(): void;
}

export function createRequestLog(state: SandboxState, record: RecordExchange | undefined): RequestLog {
  const entries = new Ring<LoggedRequest>(RING);
  const feed = new Ring<LogMessage>(RING);
  const subscribers = new Set<(message: LogMessage | null) => void>();
  let seq = 0;
  state.watchers.add({
    event: ({ resource }) => publish('webhook_event', () => redactText(JSON.stringify(resource))),
    delivery: ({ resource }) => {
      const text = JSON.stringify(resource);
      publish('delivery', () => redactText(text));
    },
  });
  const deliver = (message: LogMessage): void => {
    feed.push(message);
    for (const onMessage of subscribers) onMessage(message);
  };
  const publish = (kind: LogMessageKind, text: () => string): void => deliver({ id: ++seq, kind, text });
  return {
    publish,
    write(call, outgoing, startedAt) {
      const durationMs = Math.max(0, Math.round(state.settings.now() - startedAt));
      const entry = new LoggedRequest(call, outgoing, { seq: ++seq, at: state.clock.now(), durationMs });
      entries.push(entry);
      deliver(entry);
      record?.(exchangeRecord(state.settings.baseUrl, entry, startedAt));
    },
    writeAttempt: (attempt) => record?.(deliveryRecord(attempt)),
    entries: () => entries.all(),
    messages: () => feed.all(),
    subscribe(onMessage) {
      subscribers.add(onMessage);
      return () => subscribers.delete(onMessage);
    },
    last: () => seq,
    // Two sandboxes never start on one port within a millisecond.
    instance: state.settings.now().toString(36),
    clear: () => entries.clear(),
    close() {
      for (const onMessage of subscribers) onMessage(null);
    },
  };
}

/** A ring buffer: the last entries, up to a number. */
class Ring<T> {
  readonly #size: number;
  #items: T[] = [];
  /** Where the next one goes once the ring is full, and the oldest one is. */
  #at = 0;

  constructor(size: number) {
    this.#size = size;
  }

  push(item: T): void {
    if (this.#items.length < this.#size) {
      this.#items.push(item);
      return;
    }
    this.#items[this.#at] = item;
    this.#at = (this.#at + 1) % this.#size;
  }

  all(): T[] {
    return [...this.#items.slice(this.#at), ...this.#items.slice(0, this.#at)];
  }

  clear(): void {
    this.#items = [];
    this.#at = 0;
  }
}

// One entry of the request log (sandbox.md#request-log-and-stream): what is kept of a request and its answer, and what of that is shown.

const BODY_LIMIT = 16_384;

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

export interface ExchangeFacts {
  seq: number;
  /** Sandbox milliseconds. */
  at: number;
  durationMs: number;
}

/** A request and its answer as kept: formatted and searched for secrets only when somebody reads the log. */
export class LoggedRequest {
  readonly kind = 'request';
  readonly id: number;
  readonly call: SandboxCall;
  readonly status: number;
  readonly durationMs: number;
  readonly requestBody: string | null;
  readonly responseHeaders: Readonly<Record<string, string>>;
  readonly responseBody: string | null;
  readonly #at: number;

  constructor(call: SandboxCall, outgoing: Outgoing, { seq, at, durationMs }: ExchangeFacts) {
    const answer = outgoing === DROPPED ? null : outgoing;
    const { body } = call.request;
    this.id = seq;
    this.call = call;
    this.status = answer?.status ?? 0;
    this.durationMs = durationMs;
    this.requestBody = body instanceof Uint8Array ? kept(textOf(body), call.secretive) : null;
    this.responseHeaders = answer?.headers ?? {};
    this.responseBody = answer === null || answer.stream ? null : kept(answer.body, call.secretive);
    this.#at = at;
    // A small body can hold on to the 64 KiB the socket read it into.
    call.request.body = null;
    call.body = undefined;
  }

  /** Its place in the list. */
  get n(): number {
    return this.id;
  }

  text(): string {
    return JSON.stringify(this.show());
  }

  /** The entry as it may be shown. */
  show(): LogEntry {
    const { request, credential } = this.call;
    return {
      seq: this.id,
      at: isoSeconds(this.#at),
      request_id: this.call.requestId,
      method: request.method,
      path: redactText(request.path),
      query: redactText(`?${request.query}`).slice(1),
      status: this.status,
      duration_ms: this.durationMs,
      project: credential?.project ?? null,
      credential: credential?.shown ?? null,
      scope: this.call.scope,
      idempotency_key: redacted(this.call.idempotencyKey),
      replayed: this.call.replayed,
      error_code: this.call.errorCode,
      rate_limit_remaining: this.call.rate?.remaining ?? 0,
      resource_ids: this.call.resourceIds.map((id) => redactText(id)),
      notes: this.call.notes.map((note) => redactText(note)),
      fault_id: this.call.faultId,
      user_agent: redacted(request.headers['user-agent'] ?? null),
      request_headers: redactHeaders(request.headers),
      request_body: this.requestBody === null ? null : redactBody(this.requestBody, BODY_LIMIT + 100),
      response_headers: redactHeaders(this.responseHeaders),
      response_body: this.responseBody === null ? null : redactBody(this.responseBody, BODY_LIMIT + 100),
    };
  }
}

function textOf(body: Uint8Array): string {
  return Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8');
}

/** Bodies that hold a secret by design are redacted before they are kept. */
function kept(body: string, secretive: boolean): string {
  return secretive || body.length > BODY_LIMIT ? redactBody(body, BODY_LIMIT) : body;
}

function redacted(text: string | null): string | null {
  return text === null ? null : redactText(text);
}

// Requests and delivery attempts as records of the user's journal.

/** `startedAt` in real milliseconds. */
function exchangeRecord(baseUrl: string, entry: LoggedRequest, startedAt: number): ExchangeRecord {
  const { call, status } = entry;
  const { method, path, query, headers } = call.request;
  return {
    at: startedAt,
    source: 'sandbox',
    environment: 'local',
    method,
    path: query === '' ? path : `${path}?${query}`,
    origin: baseUrl,
    status: status === 0 ? null : status,
    latencyMs: entry.durationMs,
    attempt: 1,
    requestId: call.requestId,
    idempotencyKey: call.idempotencyKey,
    eventId: null,
    eventType: null,
    deliveryId: null,
    resourceId: call.resourceIds[0] ?? null,
    errorType: call.errorType,
    errorCode: call.errorCode,
    errorParam: call.errorParam,
    note: status === 0 ? 'connection dropped by a fault' : (call.notes[0] ?? null),
    requestHeaders: { ...headers },
    requestBody: entry.requestBody,
    responseHeaders: { ...entry.responseHeaders },
    responseBody: entry.responseBody,
  };
}

function deliveryRecord({ delivery, headers, attempt, startedAt, durationMs, result }: Attempted): ExchangeRecord {
  const url = new URL(delivery.resource.url);
  return {
    ...BLANK_RECORD,
    at: startedAt,
    source: 'sandbox',
    environment: 'local',
    method: 'POST',
    path: url.pathname + url.search,
    origin: url.origin,
    status: result.status,
    latencyMs: durationMs,
    attempt,
    eventId: delivery.resource.event_id,
    eventType: delivery.resource.event_type,
    deliveryId: delivery.resource.id,
    note: result.error,
    requestHeaders: headers,
    requestBody: delivery.body,
  };
}
