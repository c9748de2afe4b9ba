/** Exchanges and delivery attempts as the user's journal takes them. */
import type { ExchangeRecord } from '../contract/exchange.ts';
import type { Attempted } from './courier.ts';
import type { Call } from './exchange.ts';
import type { KeptEntry } from './log-entry.ts';

/** `startedAt` in real milliseconds. */
export function exchangeRecord(baseUrl: string, call: Call, entry: KeptEntry, startedAt: number): ExchangeRecord {
  return {
    at: startedAt,
    source: 'sandbox',
    environment: 'local',
    method: entry.method,
    path: entry.query === '' ? entry.path : `${entry.path}?${entry.query}`,
    origin: baseUrl,
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
    requestHeaders: { ...entry.request_headers },
    requestBody: entry.request_body,
    responseHeaders: { ...entry.response_headers },
    responseBody: entry.response_body,
  };
}

export function deliveryRecord({
  delivery,
  headers,
  attempt,
  startedAt,
  durationMs,
  receipt,
}: Attempted): ExchangeRecord {
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
