/**
 * Who listens, and what those who are gone have left behind. A listener that was killed could not tidy up: its rows are still
 * waiting and its endpoint is still registered. The next one of the same scope takes both over.
 */
import type { DatabaseSync } from 'node:sqlite';
import type { Store } from '../store/store.ts';
import { FORWARDS_PER_DELIVERY } from './inbox-tables.ts';

export interface EnrolOptions {
  store: Store;
  scope: string;
  pid: number;
  /** Whether a process with this id exists. */
  isAlive: (pid: number) => boolean;
  now: () => number;
  /** A listener that has not been seen for this long counts as gone, whoever has its pid now. Default 30 s. */
  lapseMs?: number;
}

/** The endpoint of a listener that ended without removing it. */
export interface LeftEndpoint {
  listener: number;
  endpointId: string;
  url: string;
  port: number;
  path: string;
  events: string[];
}

/** A forward that is still to be made. */
export interface Leftover {
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
}

export interface Enrolment {
  id: number;
  /** Endpoints of dead listeners of this scope, newest first. */
  leftEndpoints(): LeftEndpoint[];
  /** The endpoint of that listener is somebody else's now, or gone. */
  forgetEndpoint(listener: number): void;
  /** Notes this listener's own endpoint, so that a successor can find it. */
  noteEndpoint(endpoint: Omit<LeftEndpoint, 'listener'>): void;
  /** Takes over what dead and ended listeners have not delivered, in the order it came in. */
  takeOver(route: (eventType: string | null) => readonly string[]): Leftover[];
  /** How many forwards of this listener are still to be made. */
  waiting(): number;
  /** "Still here." To be said every few seconds. */
  seen(): void;
  /** Leaves. What is still waiting is there for the next one. */
  end(): void;
}

const KEPT_MS = 30 * 86_400_000;

/** Listeners of this very process: two of them share a pid, and a pid that comes again is not the same listener. */
const own = new Set<string>();

export function enrol(options: EnrolOptions): Enrolment {
  const { scope, now } = options;
  const { db } = options.store;
  const place = db.location() ?? '';
  const id = Number(
    db
      .prepare('INSERT INTO inbox_listeners (scope, pid, started_at, seen_at) VALUES (?, ?, ?, ?)')
      .run(scope, options.pid, now(), now()).lastInsertRowid,
  );
  own.add(`${place}#${id}`);
  // Rows of listeners that ended tidily long ago are of no use to anybody.
  db.prepare('DELETE FROM inbox_listeners WHERE endpoint_gone = 1 AND ended_at < ?').run(now() - KEPT_MS);
  const living = (): number[] => livingListeners(options).concat(id);
  return {
    id,
    leftEndpoints: () => leftEndpoints(db, scope, living()),
    forgetEndpoint: (listener) => {
      if (db.isOpen) db.prepare('UPDATE inbox_listeners SET endpoint_gone = 1 WHERE id = ?').run(listener);
    },
    noteEndpoint: (endpoint) => {
      db.prepare(
        `UPDATE inbox_listeners SET endpoint_id = $endpointId, url = $url, port = $port, path = $path, events = $events
         WHERE id = $id`,
      ).run({ ...endpoint, events: JSON.stringify(endpoint.events), id });
    },
    takeOver: (route) => takeOver(db, { scope, owner: id, living: living(), now: now() }, route),
    waiting: () => countWaiting(db, scope, id),
    seen: () => {
      try {
        db.prepare('UPDATE inbox_listeners SET seen_at = ? WHERE id = ?').run(now(), id);
      } catch {
        // Busy, full, or closed: one missed beat says nothing, and the next one comes.
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

/** Endpoints that dead listeners left behind, newest first, for whoever lists or removes them. */
export function abandonedEndpoints(options: EnrolOptions): LeftEndpoint[] {
  return leftEndpoints(options.store.db, options.scope, livingListeners(options));
}

/** The endpoint of the listener that runs, else of the last one that ran; null when none ever did in this scope. */
export function latestEndpoint(options: EnrolOptions): { endpointId: string; url: string; running: boolean } | null {
  const row = options.store.db
    .prepare(
      `SELECT id, endpoint_id, url FROM inbox_listeners WHERE scope = ? AND endpoint_id IS NOT NULL
       ORDER BY ended_at IS NOT NULL, id DESC LIMIT 1`,
    )
    .get(options.scope);
  if (row === undefined) return null;
  const running = livingListeners(options).includes(Number(row['id']));
  return { endpointId: String(row['endpoint_id']), url: String(row['url']), running };
}

function livingListeners(options: EnrolOptions): number[] {
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

function leftEndpoints(db: DatabaseSync, scope: string, living: readonly number[]): LeftEndpoint[] {
  const rows = db
    .prepare(
      `SELECT id, endpoint_id, url, port, path, events FROM inbox_listeners
       WHERE scope = ? AND endpoint_id IS NOT NULL AND endpoint_gone = 0 AND id NOT IN (SELECT value FROM json_each(?))
       ORDER BY id DESC`,
    )
    .all(scope, JSON.stringify(living));
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

interface Heir {
  scope: string;
  owner: number;
  /** Listeners whose rows are not to be touched. */
  living: readonly number[];
  now: number;
}

/** One transaction: two listeners that start together must not take the same rows. */
function takeOver(db: DatabaseSync, heir: Heir, route: (eventType: string | null) => readonly string[]): Leftover[] {
  db.exec('BEGIN IMMEDIATE');
  try {
    const rows = db
      .prepare(
        `SELECT f.id, d.id AS delivery, f.target, f.attempts, d.event_id, d.event_type, d.delivery_id, d.resource_id, d.order_key,
                d.created, d.received_at
         FROM inbox_forwards AS f JOIN inbox_deliveries AS d ON d.id = f.id / ${FORWARDS_PER_DELIVERY}
         WHERE f.scope = ? AND f.state = 'waiting' AND (f.owner IS NULL OR f.owner NOT IN (SELECT value FROM json_each(?)))
         ORDER BY f.id`,
      )
      .all(heir.scope, JSON.stringify(heir.living));
    const readdress = readdresser(db, heir);
    const taken = rows.flatMap((row) => {
      const leftover = readLeftover(row);
      const targets = route(leftover.eventType);
      const target = targets.includes(leftover.target) ? leftover.target : targets[0];
      return target !== undefined && readdress(leftover, target) ? [{ ...leftover, target }] : [];
    });
    db.exec('COMMIT');
    return taken;
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK');
    throw error;
  }
}

/** The app may have moved to another port since: what waits goes where the routes point now, once per event and target. */
function readdresser(db: DatabaseSync, heir: Heir): (leftover: Leftover, target: string) => boolean {
  const twin = db.prepare(
    `SELECT 1 FROM inbox_forwards
     WHERE event_id = ? AND target = ? AND state IN ('waiting', 'delivered') AND scope = ? AND id <> ? LIMIT 1`,
  );
  const own = db.prepare('UPDATE inbox_forwards SET owner = ?, target = ?, state = ?, updated_at = ? WHERE id = ?');
  return (leftover, target) => {
    const moved = target !== leftover.target;
    const repeated =
      moved &&
      leftover.eventId !== null &&
      twin.get(leftover.eventId, target, heir.scope, leftover.forward) !== undefined;
    own.run(heir.owner, target, repeated ? 'duplicate' : 'waiting', heir.now, leftover.forward);
    return !repeated;
  };
}

function readLeftover(row: Record<string, unknown>): Leftover {
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
  };
}
