/**
 * One HTTP exchange as plain data, and its journal record. The rooms `api`, `auth`, `sandbox`, `webhooks` and
 * `journal` do not import each other; they share these types.
 */

/** A request ready to be sent. `url` is absolute; header names are lower case. */
export interface HttpRequest {
  method: string;
  url: string;
  headers: Record<string, string>;
  body?: string | Uint8Array;
  /** Limit for the whole exchange, in milliseconds. */
  timeoutMs?: number;
  signal?: AbortSignal;
}

/** A complete answer. Header names are lower case. */
export interface HttpAnswer {
  status: number;
  headers: Record<string, string>;
  text: string;
}

/** Sends one request once: no retry, no redirect, no credential added. Throws `Failure` (`unavailable`, `interrupted`). */
export type Send = (request: HttpRequest) => Promise<HttpAnswer>;

/** Which part of the program recorded the exchange. */
export type RecordSource = 'cli' | 'sandbox' | 'proxy' | 'listener';

/**
 * One line of the journal. Times are milliseconds since the epoch, latency is in milliseconds. A record may still contain
 * secrets: `journal` redacts it before it writes.
 */
export interface ExchangeRecord {
  at: number;
  source: RecordSource;
  environment: string | null;
  method: string;
  /** Path with query, without the host. */
  path: string;
  /** Scheme, host and port. */
  origin: string | null;
  /** null when no answer came. */
  status: number | null;
  latencyMs: number;
  /** 1 for the first try. */
  attempt: number;
  requestId: string | null;
  idempotencyKey: string | null;
  eventId: string | null;
  eventType: string | null;
  deliveryId: string | null;
  resourceId: string | null;
  errorType: string | null;
  errorCode: string | null;
  errorParam: string | null;
  /** A short reason where there is no status: `timeout`, `connection refused`, `bad signature: stale_timestamp`. */
  note: string | null;
  requestHeaders: Record<string, string>;
  requestBody: string | null;
  responseHeaders: Record<string, string>;
  responseBody: string | null;
}

/** Defaults for the members that most records do not have. */
export const BLANK_RECORD = {
  attempt: 1,
  requestId: null,
  idempotencyKey: null,
  eventId: null,
  eventType: null,
  deliveryId: null,
  resourceId: null,
  errorType: null,
  errorCode: null,
  errorParam: null,
  note: null,
  requestHeaders: {},
  requestBody: null,
  responseHeaders: {},
  responseBody: null,
} as const satisfies Partial<ExchangeRecord>;

/** Records an exchange in the journal. Must not throw and must not wait. */
export type RecordExchange = (record: ExchangeRecord) => void;

/**
 * Headers that go on although `Connection` names them (RFC 9110 §7.6.1): the other end cannot do without them, and a sender could otherwise
 * take the signature or the credential off a message by naming it.
 */
export const KEPT_THOUGH_NAMED =
  /^(?:content-length|transfer-encoding|host|authorization|idempotency-key|credicorp-[\w-]+|[\w-]*signature[\w-]*)$/;
