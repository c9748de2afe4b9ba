/** A record to write down, for the tests of this room. */
import type { ExchangeRecord } from '../../src/lib/contract/exchange.ts';

export const NOW = Date.parse('2026-06-29T10:15:00Z');

export function record(more: Partial<ExchangeRecord> = {}): ExchangeRecord {
  return {
    at: NOW,
    source: 'cli',
    environment: 'local',
    method: 'GET',
    path: '/partner/v1/applications/app_1?limit=2',
    origin: 'http://127.0.0.1:4010',
    status: 200,
    latencyMs: 12.5,
    attempt: 1,
    requestId: 'req_7Hs2bV9k4LmQ',
    idempotencyKey: null,
    eventId: null,
    eventType: null,
    deliveryId: null,
    resourceId: 'app_1',
    errorType: null,
    errorCode: null,
    errorParam: null,
    note: null,
    requestHeaders: { accept: 'application/json' },
    requestBody: null,
    responseHeaders: { 'content-type': 'application/json' },
    responseBody: '{"id":"app_1"}',
    ...more,
  };
}
