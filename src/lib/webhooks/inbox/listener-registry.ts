/**
 * The registry of listeners on this machine, and the take-over of what a crashed one left behind: its undelivered forwards, its endpoint,
 * which is still registered at the API, and its tunnel. Every take-over is one transaction that asks again who is running, so that two
 * listeners that start at the same moment never take the same thing.
 */
import type { DatabaseSync } from 'node:sqlite';
import type { Store } from '../../store/store.ts';
import { FORWARDS_PER_DELIVERY } from './inbox-tables.ts';

export interface RegistryOptions {
  store: Store;
  /** Profile and environment; listeners of other scopes are ignored. */
  scope: string;
  pid: number;
  /**
   * Text that differs between processes that had the same id one after another (when it started, in which boot); null when no such
   * process exists; empty when it exists and the system tells no more.
   */
  processStart: (pid: number) => string | null;
  now: () => number;
  /** Where the process behind a pid cannot be told, a listener without a heartbeat for this long counts as gone. Default 30 s. */
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

/** Deliveries that wait for a target to which no running listener forwards. */
export interface UnroutedTarget {
  target: string;
  waiting: number;
}

/** A running listener's entry in the registry. */
export interface ListenerRegistration {
  id: number;
  /**
   * Claims the endpoints that crashed listeners of this scope left registered, newest first: with `targets` those of listeners to the
   * same targets, and those for which the API holds nothing any more; without it all.
   */
  claimAbandoned(targets?: readonly string[]): AbandonedEndpoint[];
  /** A claimed endpoint, or its own, was removed. */
  markEndpointGone(listener: number): void;
  /** Stores this listener's own endpoint, registered or taken over, so that a later listener can find it. */
  saveEndpoint(endpoint: Omit<AbandonedEndpoint, 'listener'>): void;
  /** Whether the endpoint is still this listener's, and not taken over by another. */
  holdsEndpoint(endpointId: string): boolean;
  /** Claims what crashed and ended listeners have not delivered to these targets, in the order it was received. */
  claimPending(isOwnTarget: (target: string) => boolean): PendingForward[];
  /** What waits for other targets, to which no running listener forwards. */
  unrouted(isOwnTarget: (target: string) => boolean): UnroutedTarget[];
  /** Stores the process of the tunnel. */
  saveTunnel(pid: number): void;
  /** Pids of tunnels that crashed listeners left running; each is returned once. */
  claimTunnels(): number[];
  /** Number of forwards of this listener that are still to be delivered. */
  countWaiting(): number;
  /** Stores the current time; to be called every few seconds while the listener runs. */
  heartbeat(): void;
  /** Ends the entry. Pending forwards can be claimed by the next listener. */
  end(): void;
}

const KEPT_MS = 30 * 86_400_000;
/** The API gives a delivery up after three days (webhooks.md#retry-schedule): what was registered for longer gets nothing late. */
const RETRIED_MS = 3 * 86_400_000;

/** Ids of the listeners in this process, which share its pid: an entry with our pid that is not among them is from an earlier process. */
const own = new Set<string>();

/** Adds this process to the registry. @param targets where it forwards to */
export function registerListener(options: RegistryOptions, targets: readonly string[] = []): ListenerRegistration {
  const { scope, now, pid } = options;
  const { db } = options.store;
  const place = db.location() ?? '';
  const id = Number(
    db
      .prepare(
        'INSERT INTO inbox_listeners (scope, pid, process, targets, started_at, seen_at) VALUES (?, ?, ?, ?, ?, ?)',
      )
      .run(scope, pid, options.processStart(pid) ?? '', targetList(targets), now(), now()).lastInsertRowid,
  );
  own.add(`${place}#${id}`);
  // Entries of listeners that ended long ago and left no endpoint.
  db.prepare('DELETE FROM inbox_listeners WHERE endpoint_gone = 1 AND ended_at < ?').run(now() - KEPT_MS);
  return {
    id,
    claimAbandoned: (wanted) => inTransaction(db, () => claimAbandoned(options, id, wanted)),
    markEndpointGone: (listener) => {
      if (!db.isOpen) return;
      db.prepare('UPDATE inbox_listeners SET endpoint_gone = 1 WHERE id = ? AND coalesce(claimed_by, id) = ?').run(
        listener,
        id,
      );
    },
    saveEndpoint: (endpoint) => inTransaction(db, () => saveEndpoint(db, id, endpoint)),
    holdsEndpoint: (endpointId) => holdsEndpoint(db, id, endpointId),
    claimPending: (isOwnTarget) => inTransaction(db, () => claimPending(options, id, isOwnTarget)),
    unrouted: (isOwnTarget) => unroutedTargets(options, isOwnTarget),
    saveTunnel: (tunnel) => {
      try {
        db.prepare('UPDATE inbox_listeners SET tunnel_pid = ?, tunnel_process = ? WHERE id = ?').run(
          tunnel,
          options.processStart(tunnel),
          id,
        );
      } catch {
        // Busy, full, or closed: should this listener be killed, its tunnel stays.
      }
    },
    claimTunnels: () => inTransaction(db, () => claimTunnels(options)),
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

function inTransaction<T>(db: DatabaseSync, work: () => T): T {
  db.exec('BEGIN IMMEDIATE');
  try {
    const result = work();
    db.exec('COMMIT');
    return result;
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK');
    throw error;
  }
}

/** Targets as stored, to be compared. */
function targetList(targets: readonly string[]): string {
  return JSON.stringify([...new Set(targets)].toSorted());
}

function claimAbandoned(options: RegistryOptions, id: number, targets?: readonly string[]): AbandonedEndpoint[] {
  const { db } = options.store;
  const wanted = targets === undefined ? null : targetList(targets);
  const claim = db.prepare('UPDATE inbox_listeners SET claimed_by = ? WHERE id = ?');
  const claimed = findAbandoned(options).filter(
    (left) =>
      wanted === null || left.targets === null || left.targets === wanted || left.seenAt < options.now() - RETRIED_MS,
  );
  for (const { listener } of claimed) claim.run(id, listener);
  return claimed;
}

/** One listener holds an endpoint: the one it was taken over from holds it no longer. */
function saveEndpoint(db: DatabaseSync, id: number, endpoint: Omit<AbandonedEndpoint, 'listener'>): void {
  db.prepare('UPDATE inbox_listeners SET endpoint_gone = 1 WHERE endpoint_id = ? AND claimed_by = ? AND id <> ?').run(
    endpoint.endpointId,
    id,
    id,
  );
  db.prepare(
    `UPDATE inbox_listeners SET endpoint_id = $endpointId, url = $url, port = $port, path = $path, events = $events,
       endpoint_gone = 0, claimed_by = NULL
     WHERE id = $id`,
  ).run({ ...endpoint, events: JSON.stringify(endpoint.events), id });
}

/** True as well when the store cannot tell: nobody else can have learnt of the endpoint then. */
function holdsEndpoint(db: DatabaseSync, id: number, endpointId: string): boolean {
  try {
    const row = db.prepare('SELECT endpoint_id, endpoint_gone, claimed_by FROM inbox_listeners WHERE id = ?').get(id);
    if (row === undefined) return true;
    return row['endpoint_id'] === endpointId && row['endpoint_gone'] === 0 && row['claimed_by'] === null;
  } catch {
    return true;
  }
}

/** Of all scopes: a tunnel into a port where nobody listens is of no use to anyone. */
function claimTunnels(options: RegistryOptions): number[] {
  const { db } = options.store;
  const rows = db
    .prepare(
      `SELECT id, tunnel_pid, tunnel_process FROM inbox_listeners
       WHERE tunnel_pid IS NOT NULL AND id NOT IN (SELECT value FROM json_each(?))`,
    )
    .all(JSON.stringify(runningListeners(options, null)));
  const forget = db.prepare('UPDATE inbox_listeners SET tunnel_pid = NULL, tunnel_process = NULL WHERE id = ?');
  return rows.flatMap((row) => {
    forget.run(Number(row['id']));
    const pid = Number(row['tunnel_pid']);
    const start = options.processStart(pid);
    // Another process may have the number by now.
    return start !== null && start !== '' && start === row['tunnel_process'] ? [pid] : [];
  });
}

function countWaiting(db: DatabaseSync, scope: string, owner: number): number {
  if (!db.isOpen) return 0;
  const row = db
    .prepare("SELECT count(*) AS n FROM inbox_forwards WHERE scope = ? AND state = 'waiting' AND owner = ?")
    .get(scope, owner);
  return Number(row?.['n'] ?? 0);
}

/** Endpoints that crashed listeners left registered, newest first; for commands that list them. */
export function abandonedEndpoints(options: RegistryOptions): AbandonedEndpoint[] {
  return findAbandoned(options);
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

/** @param scope null for those of all scopes */
function runningListeners(options: RegistryOptions, scope: string | null = options.scope): number[] {
  const { db } = options.store;
  const place = db.location() ?? '';
  const lapsed = options.now() - (options.lapseMs ?? 30_000);
  const rows = db
    .prepare(
      'SELECT id, pid, process, seen_at FROM inbox_listeners WHERE ended_at IS NULL AND scope = coalesce(?, scope)',
    )
    .all(scope);
  return rows.flatMap((row) => {
    const listener = Number(row['id']);
    const pid = Number(row['pid']);
    if (pid === options.pid) return own.has(`${place}#${listener}`) ? [listener] : [];
    const start = options.processStart(pid);
    if (start === null) return [];
    const known = start !== '' && row['process'] !== '';
    // A listener that was stopped for long is still there: only its process says whether it runs.
    return (known ? start === row['process'] : Number(row['seen_at']) >= lapsed) ? [listener] : [];
  });
}

interface FoundEndpoint extends AbandonedEndpoint {
  /** Where its listener forwarded to, as stored; null when it is not known. */
  targets: string | null;
  /** When its listener was last alive. */
  seenAt: number;
}

function findAbandoned(options: RegistryOptions): FoundEndpoint[] {
  const running = JSON.stringify(runningListeners(options));
  const rows = options.store.db
    .prepare(
      `SELECT id, endpoint_id, url, port, path, events, targets, seen_at FROM inbox_listeners
       WHERE scope = ? AND endpoint_id IS NOT NULL AND endpoint_gone = 0
         AND coalesce(claimed_by, id) NOT IN (SELECT value FROM json_each(?))
         AND id NOT IN (SELECT value FROM json_each(?))
       ORDER BY id DESC`,
    )
    .all(options.scope, running, running);
  return rows.map((row) => {
    const events: unknown = JSON.parse(String(row['events']));
    return {
      listener: Number(row['id']),
      endpointId: String(row['endpoint_id']),
      url: String(row['url']),
      port: Number(row['port']),
      path: String(row['path']),
      events: Array.isArray(events) ? events.map(String) : [],
      targets: row['targets'] === null ? null : String(row['targets']),
      seenAt: Number(row['seen_at']),
    };
  });
}

/** Forwards that are still to be delivered and whose listener runs no longer. */
const ORPHANED = `f.scope = ? AND f.state = 'waiting' AND (f.owner IS NULL OR f.owner NOT IN (SELECT value FROM json_each(?)))`;

/** Forwards to a target that none of the running listeners has. */
const UNROUTED = `NOT EXISTS (
  SELECT 1 FROM inbox_listeners AS l, json_each(l.targets) AS t
  WHERE l.id IN (SELECT value FROM json_each(?)) AND t.value = f.target)`;

/** A forward keeps its target: what waits for another one is left to the listener that forwards there. */
function claimPending(
  options: RegistryOptions,
  owner: number,
  isOwnTarget: (target: string) => boolean,
): PendingForward[] {
  const { db } = options.store;
  const rows = db
    .prepare(
      `SELECT f.id, d.id AS delivery, f.target, f.attempts, d.event_id, d.event_type, d.delivery_id, d.resource_id, d.order_key,
              d.created, d.received_at, d.verdict
       FROM inbox_forwards AS f JOIN inbox_deliveries AS d ON d.id = f.id / ${FORWARDS_PER_DELIVERY}
       WHERE ${ORPHANED} ORDER BY f.id`,
    )
    .all(options.scope, JSON.stringify(runningListeners(options)));
  const claim = db.prepare('UPDATE inbox_forwards SET owner = ?, updated_at = ? WHERE id = ?');
  const pending = rows.map(readPending).filter(({ target }) => isOwnTarget(target));
  for (const { forward } of pending) claim.run(owner, options.now(), forward);
  return pending;
}

function unroutedTargets(options: RegistryOptions, isOwnTarget: (target: string) => boolean): UnroutedTarget[] {
  const { db } = options.store;
  const running = JSON.stringify(runningListeners(options));
  return db
    .prepare(
      `SELECT f.target, count(*) AS n FROM inbox_forwards AS f
       WHERE ${ORPHANED} AND ${UNROUTED}
       GROUP BY f.target ORDER BY f.target`,
    )
    .all(options.scope, running, running)
    .map((row) => ({ target: String(row['target']), waiting: Number(row['n']) }))
    .filter(({ target }) => !isOwnTarget(target));
}

/**
 * Settles what waits for targets to which no running listener forwards, because another target, named by the user, accepted it.
 * @returns whether there was any
 */
export function settleMoved(
  options: RegistryOptions,
  delivery: number,
  accepted: {
    target: string;
    /** Milliseconds since the epoch. */
    at: number;
    status: number | null;
    latencyMs: number | null;
    answer: string | null;
  },
): boolean {
  const { db } = options.store;
  const first = delivery * FORWARDS_PER_DELIVERY;
  return inTransaction(db, () => {
    const running = JSON.stringify(runningListeners(options));
    const { changes } = db
      .prepare(
        `UPDATE inbox_forwards AS f SET state = 'delivered', target = ?, attempts = attempts + 1, updated_at = ?, status = ?,
                latency_ms = ?, error = NULL, answer = ?
         WHERE f.id >= ? AND f.id < ? AND ${ORPHANED} AND ${UNROUTED}`,
      )
      .run(
        ...[accepted.target, accepted.at, accepted.status, accepted.latencyMs, accepted.answer],
        ...[first, first + FORWARDS_PER_DELIVERY, options.scope, running, running],
      );
    return changes > 0;
  });
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
