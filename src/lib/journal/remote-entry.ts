/** A message of a sandbox's stream (sandbox.md#webhook-delivery, sandbox.md#request-log-and-stream) as an entry of the journal. */
import { BLANK_RECORD } from '../contract/exchange.ts';
import { isRecord } from '../contract/json.ts';
import { type JournalEntry, typeOfCode } from './entries.ts';

type Row = Record<string, unknown>;

/** A request, or an attempt at a delivery; null for what is neither, or cannot be read. @param base of the sandbox */
export function remoteEntry(event: string, data: string, base: string): JournalEntry | null {
  const row = rowOf(data);
  const entry = row === null ? null : event === 'request' ? requestEntry(row, base) : deliveryEntry(event, row);
  return entry === null || Number.isNaN(entry.at) ? null : entry;
}

function requestEntry(row: Row, base: string): JournalEntry {
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

/** Said after each attempt: the last one is what is new. What was sent is not told. */
function deliveryEntry(event: string, row: Row): JournalEntry | null {
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

/** 0 where no answer came. */
function statusOf(value: unknown): number | null {
  const status = Number(value);
  return status > 0 ? status : null;
}

function textsOf(row: Row): (name: string) => string | null {
  return (name) => {
    const value = row[name];
    return typeof value === 'string' ? value : null;
  };
}

function listOf(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

function rowOf(data: string): Row | null {
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
