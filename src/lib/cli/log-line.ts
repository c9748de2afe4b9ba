/** A journal entry as a document and as one calm line. */
import type { JournalEntry } from '../journal/entries.ts';
import { localTime } from './render.ts';
import { plainLine } from './text.ts';

/** The shape of `logs tail --json`: snake_case, times as ISO 8601, nothing left out. */
export function entryDocument(entry: JournalEntry): Record<string, unknown> {
  return {
    type: 'entry',
    seq: entry.seq,
    at: new Date(entry.at).toISOString(),
    source: entry.source,
    environment: entry.environment,
    method: entry.method,
    path: entry.path,
    origin: entry.origin,
    status: entry.status,
    latency_ms: Math.round(entry.latencyMs),
    attempt: entry.attempt,
    request_id: entry.requestId,
    idempotency_key: entry.idempotencyKey,
    event_id: entry.eventId,
    event_type: entry.eventType,
    delivery_id: entry.deliveryId,
    resource_id: entry.resourceId,
    error_type: entry.errorType,
    error_code: entry.errorCode,
    error_param: entry.errorParam,
    note: entry.note,
    request_headers: entry.requestHeaders,
    request_body: entry.requestBody,
    response_headers: entry.responseHeaders,
    response_body: entry.responseBody,
  };
}

/** `11:14:02 cli POST /partner/v1/applications 201 12ms req_… app_…`; what failed is marked by a word, not by colour alone. */
export function entryLine(document: unknown, colour: boolean): string {
  const entry = document as Record<string, string | number | null>;
  if (entry['type'] === 'gap') return `-- some entries are missing here (${entry['why']}) --`;
  const status = entry['status'];
  const bad = status === null || Number(status) >= 400;
  const parts = [
    localTime(String(entry['at'])).slice(11, 19),
    String(entry['source']).padEnd(8),
    String(entry['method']).padEnd(6),
    String(entry['path']),
    bad ? `${status ?? 'FAILED'}!` : String(status),
    `${entry['latency_ms']}ms`,
    ...[
      entry['event_type'],
      entry['error_code'],
      entry['note'],
      entry['request_id'] ?? entry['delivery_id'],
      entry['resource_id'],
    ].filter((part) => part !== null),
  ];
  const line = plainLine(parts.join(' '));
  return bad && colour ? `\u001b[31m${line}\u001b[39m` : line;
}
