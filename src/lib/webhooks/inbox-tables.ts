/** The rows behind the inbox. Published steps are never changed, only followed by others. */
import type { Tables } from '../store/tables.ts';

/**
 * - `listeners`: who is or was listening, so that a later one can take over what a dead one left (its rows, its endpoint).
 * - `deliveries`: what came in, byte for byte. `headers` is a JSON list of names and values in turn, as they came.
 * - `forwards`: the journey of one delivery to one target. `state` is `waiting`, `delivered`, `failed` or `duplicate`;
 *   `owner` is the listener that is at work on a waiting one.
 *
 * `scope` tells profiles and environments apart: a listener never delivers what belongs to another.
 */
export const inboxTables: Tables = {
  room: 'inbox',
  steps: [
    `CREATE TABLE listeners (
       id INTEGER PRIMARY KEY AUTOINCREMENT,
       scope TEXT NOT NULL,
       pid INTEGER NOT NULL,
       started_at INTEGER NOT NULL,
       seen_at INTEGER NOT NULL,
       ended_at INTEGER,
       endpoint_id TEXT,
       url TEXT,
       port INTEGER,
       path TEXT,
       events TEXT
     );
     CREATE TABLE deliveries (
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
     CREATE INDEX deliveries_event ON deliveries (event_id);
     CREATE TABLE forwards (
       id INTEGER PRIMARY KEY AUTOINCREMENT,
       delivery INTEGER NOT NULL REFERENCES deliveries (id) ON DELETE CASCADE,
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
     CREATE INDEX forwards_delivery ON forwards (delivery);
     CREATE INDEX forwards_event ON forwards (event_id, target, state);
     CREATE INDEX forwards_waiting ON forwards (scope, id) WHERE state = 'waiting';`,
    'ALTER TABLE listeners ADD COLUMN endpoint_gone INTEGER NOT NULL DEFAULT 0;',
  ],
  trim: `DELETE FROM deliveries WHERE id IN (
           SELECT id FROM deliveries AS d
           WHERE NOT EXISTS (SELECT 1 FROM forwards WHERE delivery = d.id AND state = 'waiting')
           ORDER BY id LIMIT ?)`,
};
