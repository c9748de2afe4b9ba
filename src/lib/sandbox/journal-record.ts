/** Exchanges and delivery attempts as the user's journal takes them. */
import { BLANK_RECORD, type ExchangeRecord } from '../contract/exchange.ts';
import type { Attempted } from './courier.ts';
import type { LoggedExchange } from './log-entry.ts';

/** `startedAt` in real milliseconds. */
export function exchangeRecord(baseUrl: string, entry: LoggedExchange, startedAt: number): ExchangeRecord {
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
    ...BLANK_RECORD,
    at: startedAt,
    source: 'sandbox',
    environment: 'local',
    method: 'POST',
    path: url.pathname + url.search,
    origin: url.origin,
    status: receipt.status,
    latencyMs: durationMs,
    attempt,
    eventId: delivery.resource.event_id,
    eventType: delivery.resource.event_type,
    deliveryId: delivery.resource.id,
    note: receipt.error,
    requestHeaders: headers,
    requestBody: delivery.body,
  };
}
