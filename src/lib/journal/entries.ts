/** The journal's table, and the conversion of its rows to entries. All writes go through `record.ts`, which redacts them. */
import type { SQLOutputValue } from 'node:sqlite';
import type { ExchangeRecord, RecordSource } from '../contract/exchange.ts';
import { problemEntry } from '../contract/problem.ts';
import type { Tables } from '../store/store.ts';

/** Sequence numbers are never reused (AUTOINCREMENT), so a missing one means that a row was pruned. */
export const JOURNAL: Tables = {
  room: 'journal',
  steps: [
    `CREATE TABLE journal (
      seq INTEGER PRIMARY KEY AUTOINCREMENT,
      at INTEGER NOT NULL,
      source TEXT NOT NULL,
      environment TEXT,
      method TEXT NOT NULL,
      path TEXT NOT NULL,
      origin TEXT,
      status INTEGER,
      latency_ms REAL NOT NULL,
      attempt INTEGER NOT NULL,
      request_id TEXT,
      idempotency_key TEXT,
      event_id TEXT,
      event_type TEXT,
      delivery_id TEXT,
      resource_id TEXT,
      error_type TEXT,
      error_code TEXT,
      error_param TEXT,
      note TEXT,
      request_headers TEXT NOT NULL,
      request_body TEXT,
      response_headers TEXT NOT NULL,
      response_body TEXT
    ) STRICT;
    CREATE INDEX journal_at ON journal (at);
    CREATE INDEX journal_request_id ON journal (request_id) WHERE request_id IS NOT NULL;`,
    'CREATE TABLE journal_limits (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT',
  ],
  trim: 'DELETE FROM journal WHERE seq IN (SELECT seq FROM journal ORDER BY seq LIMIT ?)',
};

export interface JournalEntry extends ExchangeRecord {
  /** Grows by one with each entry written on this machine. */
  seq: number;
}

/** The members of a record and their columns. */
export const RECORD_COLUMNS = [
  ['at', 'at'],
  ['source', 'source'],
  ['environment', 'environment'],
  ['method', 'method'],
  ['path', 'path'],
  ['origin', 'origin'],
  ['status', 'status'],
  ['latencyMs', 'latency_ms'],
  ['attempt', 'attempt'],
  ['requestId', 'request_id'],
  ['idempotencyKey', 'idempotency_key'],
  ['eventId', 'event_id'],
  ['eventType', 'event_type'],
  ['deliveryId', 'delivery_id'],
  ['resourceId', 'resource_id'],
  ['errorType', 'error_type'],
  ['errorCode', 'error_code'],
  ['errorParam', 'error_param'],
  ['note', 'note'],
  ['requestHeaders', 'request_headers'],
  ['requestBody', 'request_body'],
  ['responseHeaders', 'response_headers'],
  ['responseBody', 'response_body'],
] as const satisfies readonly (readonly [keyof ExchangeRecord, string])[];

/** The entry of a row from `SELECT *`. */
export function toEntry(row: Record<string, SQLOutputValue>): JournalEntry {
  const text = (column: string): string | null => {
    const value = row[column];
    return typeof value === 'string' ? value : null;
  };
  return {
    seq: Number(row['seq']),
    at: Number(row['at']),
    source: sourceOf(text('source')),
    environment: text('environment'),
    method: text('method') ?? '',
    path: text('path') ?? '',
    origin: text('origin'),
    status: row['status'] === null ? null : Number(row['status']),
    latencyMs: Number(row['latency_ms']),
    attempt: Number(row['attempt']),
    requestId: text('request_id'),
    idempotencyKey: text('idempotency_key'),
    eventId: text('event_id'),
    eventType: text('event_type'),
    deliveryId: text('delivery_id'),
    resourceId: text('resource_id'),
    errorType: text('error_type') ?? typeOfCode(text('error_code')),
    errorCode: text('error_code'),
    errorParam: text('error_param'),
    note: text('note'),
    requestHeaders: headersOf(text('request_headers')),
    requestBody: text('request_body'),
    responseHeaders: headersOf(text('response_headers')),
    responseBody: text('response_body'),
  };
}

/** The error type that belongs to an error code, for records that carry only the code (partner-api.md#errors). */
export function typeOfCode(code: string | null): string | null {
  return code === null ? null : (problemEntry(code)?.type ?? null);
}

function headersOf(text: string | null): Record<string, string> {
  const headers: Record<string, string> = {};
  const kept: unknown = JSON.parse(text ?? '{}');
  if (typeof kept !== 'object' || kept === null) return headers;
  for (const [name, value] of Object.entries(kept)) headers[name] = String(value);
  return headers;
}

const SOURCES: readonly RecordSource[] = ['cli', 'sandbox', 'proxy', 'listener'];

function sourceOf(text: string | null): RecordSource {
  return SOURCES.find((source) => source === text) ?? 'cli';
}
