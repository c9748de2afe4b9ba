/** Reads the inbox: lists deliveries with the state of their forwards, and finds one with its bytes (`events list`, `events show`). */
import type { DatabaseSync, SQLInputValue } from 'node:sqlite';
import { FORWARD_STATES, type ForwardState, type InboxEntry } from '../../contract/listener-events.ts';
import type { Store } from '../../store/store.ts';
import { FORWARDS_PER_DELIVERY as PER } from './inbox-tables.ts';
import { readHeaders } from './inbox.ts';

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

/** All columns but the body: a list must not read all bodies. */
const LISTED = 'id, received_at, event_id, event_type, delivery_id, resource_id, verdict, length(body) AS bytes';

/** Deliveries of a scope, newest first; with `after`, oldest first. */
export function listEntries(store: Store, query: InboxQuery): InboxEntry[] {
  const { where, values } = inboxSql(query);
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
  // A number is looked up by primary key alone: `webhooks expect` finds one after another.
  const numbered = /^\d{1,15}$/.test(id) ? find('id = ?', Number(id)) : undefined;
  const row = numbered ?? find('(event_id = ? OR delivery_id = ?)', id, id);
  if (row === undefined || !(row['body'] instanceof Uint8Array)) return null;
  return { entry: readEntry(store.db, row), headers: readHeaders(row['headers']), body: row['body'] };
}

function inboxSql(query: InboxQuery): { where: string; values: SQLInputValue[] } {
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
      signature: text(forward['signature']),
      reason: parkedReason(forward),
    })),
  };
}

function stateOf(value: unknown): ForwardState {
  return FORWARD_STATES.find((state) => state === value) ?? 'waiting';
}

function parkedReason({ state, status, answer }: Record<string, unknown>): string | null {
  if (state !== 'parked') return null;
  const said = text(answer)?.trim() ?? '';
  return `the app refused it with ${String(status)} again and again${said === '' ? '' : `: ${said.slice(0, 200)}`}`;
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
