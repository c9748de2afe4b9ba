/** Reading the inbox: what came in, what became of it, and the bytes, for lists, replays and waits. */
import type { DatabaseSync, SQLInputValue } from 'node:sqlite';
import { setTimeout as wait } from 'node:timers/promises';
import type { ForwardState, InboxEntry } from '../contract/listener-events.ts';
import { Failure } from '../failure.ts';
import type { Store } from '../store/store.ts';
import { readHeaders } from './inbox.ts';
import { FORWARDS_PER_DELIVERY as PER } from './inbox-tables.ts';

export interface InboxQuery {
  scope: string;
  /** At most this many. Default 50. */
  limit?: number;
  /** Only entries older than this inbox id: the next page. */
  before?: number;
  /** Only entries newer than this inbox id. */
  after?: number;
  /** Milliseconds since the epoch. */
  since?: number;
  /** An exact type, or a family such as `payment.*`. */
  type?: string;
  state?: ForwardState;
}

/** All but the bytes: a list of large deliveries must not read them all. */
const LISTED = 'id, received_at, event_id, event_type, delivery_id, resource_id, verdict, length(body) AS bytes';

/** Newest first; with `after`, oldest first. */
export function listEntries(store: Store, query: InboxQuery): InboxEntry[] {
  const { where, values } = conditions(query);
  const order = query.after === undefined ? 'DESC' : 'ASC';
  const rows = store.db
    .prepare(`SELECT ${LISTED} FROM inbox_deliveries AS d WHERE ${where} ORDER BY id ${order} LIMIT ?`)
    .all(...values, query.limit ?? 50);
  return rows.map((row) => readEntry(store.db, row));
}

/** A delivery by its inbox id, its event id or its delivery id; of several the newest. Null when there is none. */
export function findEntry(
  store: Store,
  scope: string,
  id: string,
): { entry: InboxEntry; headers: string[]; body: Uint8Array } | null {
  const find = (where: string, ...values: SQLInputValue[]): Record<string, unknown> | undefined =>
    store.db
      .prepare(
        `SELECT *, length(body) AS bytes FROM inbox_deliveries WHERE scope = ? AND ${where} ORDER BY id DESC LIMIT 1`,
      )
      .get(scope, ...values);
  // By number without a look at the others: `expect` asks for one after another.
  const numbered = /^\d{1,15}$/.test(id) ? find('id = ?', Number(id)) : undefined;
  const row = numbered ?? find('(event_id = ? OR delivery_id = ?)', id, id);
  if (row === undefined || !(row['body'] instanceof Uint8Array)) return null;
  return { entry: readEntry(store.db, row), headers: readHeaders(row['headers']), body: row['body'] };
}

export interface Expectation {
  store: Store;
  scope: string;
  /** Judges the body of a delivery. */
  fits: (body: Uint8Array, entry: InboxEntry) => boolean;
  count: number;
  /** Entries received from then on count, in milliseconds since the epoch. */
  since: number;
  timeoutMs: number;
  /** Milliseconds on a clock that never jumps. */
  ticks: () => number;
  signal: AbortSignal;
  /** How often the inbox is looked at, in milliseconds. Default 50. */
  pollMs?: number;
}

/**
 * Yields what fits, as it comes in, whichever process receives it, and ends when there were enough.
 * @throws Failure `pending` (`not_seen`) when the time runs out, `interrupted` when the signal is aborted.
 */
export async function* expectEntries(expected: Expectation): AsyncGenerator<InboxEntry> {
  const { store, scope, since, ticks } = expected;
  const end = ticks() + expected.timeoutMs;
  let after = 0;
  let seen = 0;
  for (;;) {
    const entries = listEntries(store, { scope, since, after, limit: 500 });
    for (const entry of entries) {
      after = entry.inbox_id;
      const found = findEntry(store, scope, String(entry.inbox_id));
      if (found === null || !expected.fits(found.body, entry)) continue;
      yield entry;
      seen += 1;
      if (seen >= expected.count) return;
    }
    if (entries.length > 0) continue;
    if (expected.signal.aborted) throw new Failure('interrupted', 'stopped before the events were seen');
    if (ticks() >= end) throw notSeen(seen, expected);
    await wait(Math.min(expected.pollMs ?? 50, Math.max(1, end - ticks())), null, { signal: expected.signal }).catch(
      () => null,
    );
  }
}

function notSeen(seen: number, { count, timeoutMs }: Expectation): Failure {
  return new Failure('pending', `${seen} of ${count} expected events were seen in ${timeoutMs} ms`, {
    code: 'not_seen',
    next: 'check that a listener runs, or wait longer with --timeout',
  });
}

function conditions(query: InboxQuery): { where: string; values: SQLInputValue[] } {
  const clauses: [sql: string, value: SQLInputValue][] = [['scope = ?', query.scope]];
  if (query.before !== undefined) clauses.push(['id < ?', query.before]);
  if (query.after !== undefined) clauses.push(['id > ?', query.after]);
  if (query.since !== undefined) clauses.push(['received_at >= ?', query.since]);
  if (query.type?.endsWith('.*') === true) {
    // Families end in a dot, so what they may hold sorts before the next character, a slash.
    const family = query.type.slice(0, -1);
    clauses.push(['event_type >= ?', family], ['event_type < ?', family.replace(/\.$/, '/')]);
  } else if (query.type !== undefined && query.type !== '*') {
    clauses.push(['event_type = ?', query.type]);
  }
  if (query.state !== undefined) {
    clauses.push([
      `EXISTS (SELECT 1 FROM inbox_forwards WHERE id >= d.id * ${PER} AND id < (d.id + 1) * ${PER} AND state = ?)`,
      query.state,
    ]);
  }
  return { where: clauses.map(([sql]) => sql).join(' AND '), values: clauses.map(([, value]) => value) };
}

function readEntry(db: DatabaseSync, row: Record<string, unknown>): InboxEntry {
  const first = Number(row['id']) * PER;
  const forwards = db
    .prepare('SELECT * FROM inbox_forwards WHERE id >= ? AND id < ? ORDER BY id')
    .all(first, first + PER);
  return {
    inbox_id: Number(row['id']),
    received_at: iso(row['received_at']),
    event_id: text(row['event_id']),
    event_type: text(row['event_type']),
    delivery_id: text(row['delivery_id']),
    resource_id: text(row['resource_id']),
    bytes: Number(row['bytes']),
    verdict: String(row['verdict']),
    forwards: forwards.map((forward) => ({
      target: String(forward['target']),
      state: stateOf(forward['state']),
      attempts: Number(forward['attempts']),
      updated_at: iso(forward['updated_at']),
      status: number(forward['status']),
      latency_ms: number(forward['latency_ms']),
      error: text(forward['error']),
      answer: text(forward['answer']),
    })),
  };
}

function stateOf(value: unknown): ForwardState {
  return value === 'delivered' || value === 'failed' || value === 'duplicate' ? value : 'waiting';
}

function text(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

function number(value: unknown): number | null {
  return value === null || value === undefined ? null : Number(value);
}

function iso(value: unknown): string {
  return new Date(Number(value)).toISOString();
}
