/** Bringing a room's tables up to date. Each room counts its own versions, so that rooms can be added in any order. */
import type { DatabaseSync } from 'node:sqlite';
import { Failure } from '../failure.ts';

/** What a room keeps in the store. */
export interface Tables {
  /** The room's name, unique in the file. */
  room: string;
  /** SQL scripts; the first makes version 1, the next version 2. Published steps are never changed, only followed. */
  steps: readonly string[];
  /** Deletes up to `?` of the oldest rows that may be lost when the file grows too big. */
  trim?: string;
}

/**
 * Runs the steps that are missing, in one transaction. Costs one read when nothing is missing.
 * @throws Failure `usage` (`state_too_new`) when a newer version of the program wrote the file.
 */
export function migrate(db: DatabaseSync, tables: readonly Tables[]): void {
  if (pending(db, tables).length === 0) return;
  db.exec('BEGIN IMMEDIATE');
  try {
    db.exec('CREATE TABLE IF NOT EXISTS rooms (name TEXT PRIMARY KEY, version INTEGER NOT NULL) WITHOUT ROWID');
    // Read again: another process may have been faster while this one waited for the lock.
    for (const { room, steps, from } of pending(db, tables)) {
      for (const step of steps.slice(from)) db.exec(step);
      db.prepare('INSERT OR REPLACE INTO rooms (name, version) VALUES (?, ?)').run(room, steps.length);
    }
    db.exec('COMMIT');
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK');
    throw error;
  }
}

function pending(db: DatabaseSync, tables: readonly Tables[]): (Tables & { from: number })[] {
  const versions = new Map<string, number>();
  if (db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'rooms'").get() !== undefined) {
    for (const row of db.prepare('SELECT name, version FROM rooms').all()) {
      versions.set(String(row['name']), Number(row['version']));
    }
  }
  return tables.flatMap((entry) => {
    const from = versions.get(entry.room) ?? 0;
    if (from > entry.steps.length) {
      throw new Failure('usage', `the local store was written by a newer version of this program (${entry.room})`, {
        code: 'state_too_new',
        next: 'update credicorp, or name another directory with CREDICORP_STATE_DIR',
      });
    }
    return from < entry.steps.length ? [{ ...entry, from }] : [];
  });
}
