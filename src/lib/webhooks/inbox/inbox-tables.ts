/** The tables of the inbox and their migrations. Published migrations are never changed; new ones are added. */
import type { Tables } from '../../store/store.ts';

/**
 * A forward's id is its delivery's id times this, plus its index among the delivery's targets. So neither a column nor
 * an index is needed to find one from the other.
 */
export const FORWARDS_PER_DELIVERY = 1024;

/**
 * - `inbox_listeners`: running and past listeners, so that a later one can take over the rows and the endpoint of a crashed one.
 *   `process` tells the process from a later one with the same pid, `targets` is a JSON list of where it forwards to, `claimed_by` is
 *   the listener that takes the endpoint over or removes it, `tunnel_*` is the process of its tunnel.
 * - `inbox_deliveries`: received deliveries, byte for byte. `headers` is a JSON list of names and values alternating, unchanged.
 * - `inbox_forwards`: the forwarding of one delivery to one target. `state` is `waiting`, `delivered`, `failed`, `duplicate`,
 *   `parked` or `dropped`; `signature` is the header that was sent last;
 *   `owner` is the listener that forwards a waiting one. Few indexes, because each makes every delivery slower.
 *
 * `scope` separates profiles and environments: a listener never delivers those of another.
 */
export const inboxTables: Tables = {
  room: 'webhooks',
  steps: [
    `CREATE TABLE inbox_listeners (
       id INTEGER PRIMARY KEY AUTOINCREMENT,
       scope TEXT NOT NULL,
       pid INTEGER NOT NULL,
       started_at INTEGER NOT NULL,
       seen_at INTEGER NOT NULL,
       ended_at INTEGER,
       endpoint_id TEXT,
       endpoint_gone INTEGER NOT NULL DEFAULT 0,
       url TEXT,
       port INTEGER,
       path TEXT,
       events TEXT
     );
     CREATE TABLE inbox_deliveries (
       id INTEGER PRIMARY KEY AUTOINCREMENT,
       scope TEXT NOT NULL,
       received_at INTEGER NOT NULL,
       delivery_id TEXT,
       event_id TEXT,
       event_type TEXT,
       resource_id TEXT,
       order_key TEXT,
       created INTEGER NOT NULL,
       method TEXT NOT NULL,
       headers TEXT NOT NULL,
       body BLOB NOT NULL,
       verdict TEXT NOT NULL
     );
     CREATE TABLE inbox_forwards (
       id INTEGER PRIMARY KEY,
       scope TEXT NOT NULL,
       event_id TEXT,
       target TEXT NOT NULL,
       state TEXT NOT NULL,
       owner INTEGER,
       attempts INTEGER NOT NULL DEFAULT 0,
       updated_at INTEGER NOT NULL,
       status INTEGER,
       latency_ms INTEGER,
       error TEXT,
       answer TEXT
     );
     CREATE INDEX inbox_forwards_event ON inbox_forwards (event_id) WHERE event_id IS NOT NULL;
     CREATE TRIGGER inbox_forwards_follow AFTER DELETE ON inbox_deliveries BEGIN
       DELETE FROM inbox_forwards
       WHERE id >= OLD.id * ${FORWARDS_PER_DELIVERY} AND id < (OLD.id + 1) * ${FORWARDS_PER_DELIVERY};
     END;`,
    `ALTER TABLE inbox_forwards ADD COLUMN signature TEXT;`,
    `ALTER TABLE inbox_listeners ADD COLUMN process TEXT NOT NULL DEFAULT '';
     ALTER TABLE inbox_listeners ADD COLUMN targets TEXT;
     ALTER TABLE inbox_listeners ADD COLUMN claimed_by INTEGER;
     ALTER TABLE inbox_listeners ADD COLUMN tunnel_pid INTEGER;
     ALTER TABLE inbox_listeners ADD COLUMN tunnel_process TEXT;`,
  ],
  trim: `DELETE FROM inbox_deliveries WHERE id IN (
           SELECT id FROM inbox_deliveries AS d
           WHERE NOT EXISTS (
             SELECT 1 FROM inbox_forwards
             WHERE id >= d.id * ${FORWARDS_PER_DELIVERY} AND id < (d.id + 1) * ${FORWARDS_PER_DELIVERY} AND state IN ('waiting', 'parked'))
           ORDER BY id LIMIT ?)`,
};
