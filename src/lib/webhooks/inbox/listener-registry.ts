/**
 * The registry of listeners on this machine, and the take-over from a crashed one: its pending forwards (claimed with
 * `claimPending`) and its endpoint (`findAbandoned`), which is still registered at the API.
 */
import type { DatabaseSync } from 'node:sqlite';
import type { Store } from '../../store/store.ts';
import { identityOf } from './inbox.ts';
import { FORWARDS_PER_DELIVERY } from './inbox-tables.ts';

export interface RegistryOptions {
  store: Store;
  /** Profile and environment; listeners of other scopes are ignored. */
  scope: string;
  pid: number;
  /** Whether a process with this id exists. */
  isAlive: (pid: number) => boolean;
  now: () => number;
  /** Milliseconds without a heartbeat after which a listener is treated as crashed, even if its pid is in use. Default 30 s. */
  lapseMs?: number;
}

/** The endpoint of a listener that ended without removing it. */
export interface AbandonedEndpoint {
  listener: number;
  endpointId: string;
  url: string;
  port: number;
  path: string;
  events: string[];
}

/** A stored forward that is still to be delivered. */
export interface PendingForward {
  forward: number;
  delivery: number;
  target: string;
  attempts: number;
  eventId: string | null;
  eventType: string | null;
  deliveryId: string | null;
  resourceId: string | null;
  orderKey: string | null;
  created: number;
  receivedAt: number;
  /** Whether its signature was checked. */
  verified: boolean;
}

/** A running listener's entry in the registry. */
export interface ListenerRegistration {
  id: number;
  /** Endpoints that crashed listeners of this scope left registered, newest first. */
  findAbandoned(): AbandonedEndpoint[];
  /** Marks the endpoint of a crashed listener as removed or taken over. */
  markEndpointGone(listener: number): void;
  /** Stores this listener's own endpoint, so that a later listener can find it. */
  saveEndpoint(endpoint: Omit<AbandonedEndpoint, 'listener'>): void;
  /** Claims the pending forwards of crashed and ended listeners, in the order they were received. */
  claimPending(route: (eventType: string | null) => readonly string[]): PendingForward[];
  /** Number of forwards of this listener that are still to be delivered. */
  countWaiting(): number;
  /** Stores the current time; to be called every few seconds while the listener runs. */
  heartbeat(): void;
  /** Ends the entry. Pending forwards can be claimed by the next listener. */
  end(): void;
}

const KEPT_MS = 30 * 86_400_000;

/** Ids of the listeners in this process, which share its pid: an entry with our pid that is not among them is from an earlier process. */
const own = new Set<string>();

/** Adds this process to the registry. */
export function registerListener(options: RegistryOptions): ListenerRegistration {
  const { scope, now } = options;
  const { db } = options.store;
  const place = db.location() ?? '';
  const id = Number(
    db
      .prepare('INSERT INTO inbox_listeners (scope, pid, started_at, seen_at) VALUES (?, ?, ?, ?)')
      .run(scope, options.pid, now(), now()).lastInsertRowid,
  );
  own.add(`${place}#${id}`);
  // Entries of listeners that ended long ago and left no endpoint.
  db.prepare('DELETE FROM inbox_listeners WHERE endpoint_gone = 1 AND ended_at < ?').run(now() - KEPT_MS);
  const running = (): number[] => runningListeners(options).concat(id);
  return {
    id,
    findAbandoned: () => findAbandoned(db, scope, running()),
    markEndpointGone: (listener) => {
      if (db.isOpen) db.prepare('UPDATE inbox_listeners SET endpoint_gone = 1 WHERE id = ?').run(listener);
    },
    saveEndpoint: (endpoint) => {
      db.prepare(
        `UPDATE inbox_listeners SET endpoint_id = $endpointId, url = $url, port = $port, path = $path, events = $events
         WHERE id = $id`,
      ).run({ ...endpoint, events: JSON.stringify(endpoint.events), id });
    },
    claimPending: (route) => claimPending(db, { scope, owner: id, running: running(), now: now() }, route),
    countWaiting: () => countWaiting(db, scope, id),
    heartbeat: () => {
      try {
        db.prepare('UPDATE inbox_listeners SET seen_at = ? WHERE id = ?').run(now(), id);
      } catch {
        // The store is busy, full, or closed: one missed heartbeat is harmless.
      }
    },
    end: () => {
      own.delete(`${place}#${id}`);
      if (db.isOpen) db.prepare('UPDATE inbox_listeners SET ended_at = ? WHERE id = ?').run(now(), id);
    },
  };
}

function countWaiting(db: DatabaseSync, scope: string, owner: number): number {
  if (!db.isOpen) return 0;
  const row = db
    .prepare("SELECT count(*) AS n FROM inbox_forwards WHERE scope = ? AND state = 'waiting' AND owner = ?")
    .get(scope, owner);
  return Number(row?.['n'] ?? 0);
}

/** Endpoints that crashed listeners left registered, newest first; for commands that list or remove them. */
export function abandonedEndpoints(options: RegistryOptions): AbandonedEndpoint[] {
  return findAbandoned(options.store.db, options.scope, runningListeners(options));
}

/** The endpoint of the running listener, else of the last one; null when there was none in this scope. */
export function latestEndpoint(options: RegistryOptions): { endpointId: string; url: string; running: boolean } | null {
  const row = options.store.db
    .prepare(
      `SELECT id, endpoint_id, url FROM inbox_listeners WHERE scope = ? AND endpoint_id IS NOT NULL
       ORDER BY ended_at IS NOT NULL, id DESC LIMIT 1`,
    )
    .get(options.scope);
  if (row === undefined) return null;
  const running = runningListeners(options).includes(Number(row['id']));
  return { endpointId: String(row['endpoint_id']), url: String(row['url']), running };
}

function runningListeners(options: RegistryOptions): number[] {
  const { db } = options.store;
  const place = db.location() ?? '';
  const lapsed = options.now() - (options.lapseMs ?? 30_000);
  const rows = db
    .prepare('SELECT id, pid FROM inbox_listeners WHERE scope = ? AND ended_at IS NULL AND seen_at >= ?')
    .all(options.scope, lapsed);
  return rows.flatMap((row) => {
    const listener = Number(row['id']);
    const pid = Number(row['pid']);
    const runs = pid === options.pid ? own.has(`${place}#${listener}`) : options.isAlive(pid);
    return runs ? [listener] : [];
  });
}

function findAbandoned(db: DatabaseSync, scope: string, running: readonly number[]): AbandonedEndpoint[] {
  const rows = db
    .prepare(
      `SELECT id, endpoint_id, url, port, path, events FROM inbox_listeners
       WHERE scope = ? AND endpoint_id IS NOT NULL AND endpoint_gone = 0 AND id NOT IN (SELECT value FROM json_each(?))
       ORDER BY id DESC`,
    )
    .all(scope, JSON.stringify(running));
  return rows.map((row) => {
    const events: unknown = JSON.parse(String(row['events']));
    return {
      listener: Number(row['id']),
      endpointId: String(row['endpoint_id']),
      url: String(row['url']),
      port: Number(row['port']),
      path: String(row['path']),
      events: Array.isArray(events) ? events.map(String) : [],
    };
  });
}

/** The listener that claims pending forwards. */
interface Claimant {
  scope: string;
  owner: number;
  /** Ids of running listeners, whose forwards are not claimed. */
  running: readonly number[];
  now: number;
}

/** Claims pending forwards in one transaction, so that two listeners that start at the same time do not claim the same rows. */
function claimPending(
  db: DatabaseSync,
  claimant: Claimant,
  route: (eventType: string | null) => readonly string[],
): PendingForward[] {
  db.exec('BEGIN IMMEDIATE');
  try {
    const rows = db
      .prepare(
        `SELECT f.id, d.id AS delivery, f.target, f.attempts, d.event_id, d.event_type, d.delivery_id, d.resource_id, d.order_key,
                d.created, d.received_at, d.verdict
         FROM inbox_forwards AS f JOIN inbox_deliveries AS d ON d.id = f.id / ${FORWARDS_PER_DELIVERY}
         WHERE f.scope = ? AND f.state = 'waiting' AND (f.owner IS NULL OR f.owner NOT IN (SELECT value FROM json_each(?)))
         ORDER BY f.id`,
      )
      .all(claimant.scope, JSON.stringify(claimant.running));
    const retarget = retargeter(db, claimant);
    const claimed = rows.flatMap((row) => {
      const pending = readPending(row);
      const targets = route(pending.eventType);
      const target = targets.includes(pending.target) ? pending.target : targets[0];
      return target !== undefined && retarget(pending, target) ? [{ ...pending, target }] : [];
    });
    db.exec('COMMIT');
    return claimed;
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK');
    throw error;
  }
}

/** Changes a pending forward to the target of the current routes, because the app may have moved. Once per event and target. */
function retargeter(db: DatabaseSync, claimant: Claimant): (pending: PendingForward, target: string) => boolean {
  const earlier = db.prepare(
    `SELECT 1 FROM inbox_forwards
     WHERE event_id = ? AND target = ? AND state IN ('waiting', 'delivered') AND scope = ? AND id <> ? LIMIT 1`,
  );
  const own = db.prepare('UPDATE inbox_forwards SET owner = ?, target = ?, state = ?, updated_at = ? WHERE id = ?');
  return (pending, target) => {
    const moved = target !== pending.target;
    const same = identityOf(pending);
    const repeated = moved && same !== null && earlier.get(same, target, claimant.scope, pending.forward) !== undefined;
    own.run(claimant.owner, target, repeated ? 'duplicate' : 'waiting', claimant.now, pending.forward);
    return !repeated;
  };
}

function readPending(row: Record<string, unknown>): PendingForward {
  const text = (name: string): string | null => (row[name] === null ? null : String(row[name]));
  return {
    forward: Number(row['id']),
    delivery: Number(row['delivery']),
    target: String(row['target']),
    attempts: Number(row['attempts']),
    eventId: text('event_id'),
    eventType: text('event_type'),
    deliveryId: text('delivery_id'),
    resourceId: text('resource_id'),
    orderKey: text('order_key'),
    created: Number(row['created']),
    receivedAt: Number(row['received_at']),
    verified: row['verdict'] !== 'unverified',
  };
}
