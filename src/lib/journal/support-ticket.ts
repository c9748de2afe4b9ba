/**
 * A support ticket, as the support page asks for it: which call, the expected and the actual result, and the call as a redacted curl line.
 * The journal was redacted when it was written; the whole ticket is redacted once more, because people type into it too.
 */
import { STATUS_CODES } from 'node:http';
import { redactText } from '../contract/secrets.ts';
import { isoSeconds } from '../contract/time.ts';
import type { JournalEntry } from './entries.ts';
import { asCurl } from './export.ts';

export interface Ticket {
  requestId: string;
  /** `live` or `sandbox`; `local` for the embedded one, which support cannot see. null: unknown. */
  environment: string | null;
  /** Prefix of the key or client id that was used. */
  keyPrefix: string | null;
  /** `POST /partner/v1/payments`; null: unknown. */
  endpoint: string | null;
  /** Milliseconds since the epoch. */
  at: number | null;
  expected: string | null;
  actual: string | null;
  idempotencyKey: string | null;
  errorCode: string | null;
  severity: Severity | null;
  curl: string | null;
}

export type Severity = 1 | 2 | 3;

/** Support page, response targets. */
export const SEVERITIES: Readonly<Record<Severity, { means: string; answer: string }>> = {
  1: {
    means: 'live is down: decisions, payouts or repayments fail for everybody',
    answer: 'within 1 hour, day and night',
  },
  2: { means: 'a live feature or one endpoint fails, or there is a workaround', answer: 'within 4 business hours' },
  3: {
    means: 'sandbox, integration question, gap in the documentation, feature request',
    answer: 'within 1 business day',
  },
};

/** A ticket with what the journal knows: the last attempt of the request, as the sender recorded it. */
export function ticketOf(requestId: string, entries: readonly JournalEntry[]): Ticket {
  const sent = entries.findLast(({ source }) => source === 'cli' || source === 'proxy');
  const entry = sent ?? entries.at(-1);
  const blank = { expected: null, severity: null, requestId };
  if (!entry) {
    const unknown = { environment: null, keyPrefix: null, endpoint: null, at: null, actual: null };
    return { ...blank, ...unknown, idempotencyKey: null, errorCode: null, curl: null };
  }
  return {
    ...blank,
    environment: entry.environment,
    keyPrefix: prefixOf(entry.requestHeaders['authorization'] ?? ''),
    endpoint: `${entry.method} ${entry.path}`,
    at: entry.at,
    actual: actualOf(entry),
    idempotencyKey: entry.idempotencyKey,
    errorCode: entry.errorCode,
    curl: asCurl(entry, 'Bearer [REDACTED]'),
  };
}

/** The prefix of a key or client id, which shows its kind; null when it has none. */
export function prefixOf(credential: string): string | null {
  return /\b(?:(?:sk|pk)_(?:test|live)_|cid_(?:sbx|live)_|cc_client_)/.exec(credential)?.[0] ?? null;
}

/** The ticket as text, ready to paste into a mail. @param known live secret values */
export function ticketText(ticket: Ticket, known: readonly string[] = []): string {
  const { requestId, environment, keyPrefix, at, severity } = ticket;
  const rows: [name: string, value: string | null][] = [
    ['Severity', severity === null ? null : `SEV-${severity}`],
    ['Environment', `${environment ?? 'unknown'}${keyPrefix === null ? '' : `  (key prefix: ${keyPrefix})`}`],
    ['Endpoint', ticket.endpoint ?? 'unknown'],
    ['request_id', requestId],
    ['Time (UTC)', at === null ? null : isoSeconds(at)],
    ['Expected', ticket.expected],
    ['Actual', ticket.actual],
    ['Idempotency-Key', ticket.idempotencyKey],
  ];
  const lines = rows.flatMap(([name, value]) => (value === null ? [] : [`${`${name}:`.padEnd(17)} ${value}`]));
  const text = ticket.curl === null ? lines.join('\n') : `${lines.join('\n')}\n\n${ticket.curl}`;
  return redactText(text, known);
}

function actualOf({ status, errorCode, note }: JournalEntry): string {
  if (status === null) return `no answer${note === null ? '' : ` (${note})`}`;
  const words = [String(status), STATUS_CODES[status] ?? ''].join(' ').trim();
  return errorCode === null ? words : `${words}, error.code = ${errorCode}`;
}
