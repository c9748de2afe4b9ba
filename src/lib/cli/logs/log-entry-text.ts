/** A journal entry as a document, as one line, and in full. */
import { isReplay } from '../../contract/error-answer.ts';
import { parseJson, writeJson } from '../../contract/json.ts';
import type { JournalEntry } from '../../journal/entries.ts';
import type { JournalItem } from '../../journal/follow.ts';
import { localTime, plain, plainLine } from '../output/terminal-text.ts';

/** What `logs tail` yields, for `--json`: an entry or a gap. */
export function itemDocument(item: JournalItem): Record<string, unknown> {
  if (item.type === 'entry') return entryDocument(item.entry);
  return { type: 'gap', why: item.why, note: `some entries are missing here: ${GAPS[item.why]}` };
}

const GAPS = { pruned: 'older entries were deleted', replaced: 'the log was replaced by a new one' } as const;

/** snake_case, times as ISO 8601, nothing left out. */
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
    replayed: isReplay(entry.responseHeaders),
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

/** What `--quiet` prints: the id that `logs show` takes. */
export function itemId(item: unknown): string | null {
  const entry = item as Record<string, string | null>;
  return entry['request_id'] ?? entry['delivery_id'] ?? entry['event_id'] ?? null;
}

export interface LineOptions {
  colour: boolean;
  /** Adds the request and response bodies below the line. */
  bodies: boolean;
  /** The heading (day and zone) to print above a line, or null. */
  heading: (at: string) => string | null;
}

/**
 * `  11:14:02 cli      POST   /partner/v1/applications 201 12ms req_… app_…`. A failed call begins with `!`, so that it
 * stands out without colour.
 */
export function itemLine(item: unknown, { colour, bodies, heading }: LineOptions): string {
  const entry = item as Record<string, string | number | boolean | null>;
  if (entry['type'] === 'gap') return `-- ${entry['note']} --`;
  const day = heading(String(entry['at']));
  const status = entry['status'];
  const bad = status === null || Number(status) >= 400;
  const parts = [
    bad ? '!' : ' ',
    localTime(String(entry['at'])).slice(11, 19),
    String(entry['source']).padEnd(8),
    String(entry['method']).padEnd(6),
    String(entry['path']),
    String(status ?? 'FAILED'),
    `${entry['latency_ms']}ms`,
    ...[Number(entry['attempt']) > 1 ? `try ${entry['attempt']}` : null, entry['event_type'], entry['error_code']],
    ...[entry['replayed'] ? 'replayed' : null],
    ...[entry['note'], entry['request_id'] ?? entry['delivery_id'], entry['resource_id']],
  ];
  const line = plainLine(parts.filter((part) => part !== null && part !== undefined).join(' '));
  const painted = bad && colour ? `\u001b[31m${line}\u001b[39m` : line;
  return [
    ...(day === null ? [] : [colour ? `\u001b[2m${day}\u001b[22m` : day]),
    painted,
    ...(bodies ? [...bodyLines(entry['request_body'], '>'), ...bodyLines(entry['response_body'], '<')] : []),
  ].join('\n');
}

/** One call in full: recorded at both ends, each try. */
export function fullText(entries: readonly JournalEntry[]): string {
  return `${entries.map((entry) => fullEntry(entry)).join('\n\n')}\n`;
}

function fullEntry(entry: JournalEntry): string {
  const seen = `${localTime(entry.at)}, ${entry.environment ?? 'unknown environment'}, seen by ${entry.source}, try ${entry.attempt}`;
  const about = [
    ['idempotency key', entry.idempotencyKey],
    ['replayed', isReplay(entry.responseHeaders) ? 'the answer of an earlier try; nothing was done again' : null],
    ['event', [entry.eventId, entry.eventType].filter(Boolean).join(' ')],
    ['delivery', entry.deliveryId],
    ['resource', entry.resourceId],
    ['error', [entry.errorType, entry.errorCode, entry.errorParam].filter(Boolean).join(' ')],
    ['note', entry.note],
  ].flatMap(([name, value]) => (value ? [`# ${name}: ${value}`] : []));
  const headers = (of: Record<string, string>, mark: string): string[] =>
    Object.entries(of).map(([name, value]) => `${mark} ${name}: ${value}`);
  const lines = [
    `# ${entry.requestId ?? entry.deliveryId ?? 'no request id'}: ${seen}`,
    ...about,
    `> ${entry.method} ${entry.origin ?? ''}${entry.path}`,
    ...headers(entry.requestHeaders, '>'),
    ...bodyLines(entry.requestBody, '>'),
    `< ${entry.status ?? 'no answer'} after ${Math.round(entry.latencyMs)} ms`,
    ...headers(entry.responseHeaders, '<'),
    ...bodyLines(entry.responseBody, '<'),
  ];
  return plain(lines.join('\n'));
}

/** JSON is indented; anything else stays as it is. */
function bodyLines(body: unknown, mark: string): string[] {
  if (typeof body !== 'string' || body === '') return [];
  return plain(indented(body))
    .split('\n')
    .map((line) => `${mark}   ${line}`);
}

function indented(body: string): string {
  try {
    return writeJson(parseJson(body), 2);
  } catch {
    return body;
  }
}
