import { existsSync, renameSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { DatabaseSync } from 'node:sqlite';
import { Failure } from '../../failure.ts';
import { APPLICATION_ID, claimDataFile } from './data-file-claim.ts';

/** Where changes are noted so that they outlive the process (sandbox.md#persistence). Without a data file nothing is noted. */

export interface Persistence {
  /** Notes the present value of a record; it is read when the note is written out. */
  put(kind: string, key: string, value: object): void;
  remove(kind: string, key: string): void;
  /** Writes out what was noted, before an answer leaves. */
  flush(): void;
  /** Drops everything, on reset. */
  clear(): void;
  close(): void;
}

export const noPersistence: Persistence = {
  put: () => {},
  remove: () => {},
  flush: () => {},
  clear: () => {},
  close: () => {},
};

// The state on disk (sandbox.md#persistence): one SQLite file that belongs to one process. What was noted is written in one transaction before the answer leaves, so a killed process loses nothing it acknowledged.

/** Changes with the shape of the records. */
const FORMAT = 1;

export interface SavedRow {
  key: string;
  value: unknown;
}

export interface DataFile extends Persistence {
  /** Every record of a kind. */
  read(kind: string): SavedRow[];
  /** What to tell the user about the file. */
  readonly notices: readonly string[];
}

export interface DataFileFacts {
  path: string;
  /** Real milliseconds, for the name of a file that is set aside. */
  now: number;
  /** State that is written beside every change: counters, clock. */
  clockAndCounters(): Record<string, object>;
}

/**
 * One of ours that is damaged is set aside.
 * @throws Failure `unavailable` when the file is somebody else's, another process has it, or the place cannot be written
 */
export function openDataFile(given: DataFileFacts): DataFile {
  const facts = { ...given, path: claimDataFile(given.path) };
  const notices: string[] = [];
  let db = tryOpen(facts.path);
  if (typeof db === 'string') {
    const aside = `${facts.path}.unreadable-${facts.now}`;
    for (const suffix of ['', '-wal', '-shm']) {
      if (existsSync(facts.path + suffix)) renameSync(facts.path + suffix, aside + suffix);
    }
    notices.push(`the data file ${facts.path} ${db}; it was set aside as ${aside}`);
    db = tryOpen(claimDataFile(facts.path));
  }
  if (typeof db === 'string') throw new Failure('unavailable', `the data file ${facts.path} ${db}`);
  return persistenceOn(db, facts, notices);
}

function persistenceOn(db: DatabaseSync, facts: DataFileFacts, notices: readonly string[]): DataFile {
  const put = db.prepare(
    'INSERT INTO records (kind, key, value) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value',
  );
  const remove = db.prepare('DELETE FROM records WHERE kind = ? AND key = ?');
  const read = db.prepare('SELECT key, value FROM records WHERE kind = ?');
  const noted = new Map<string, { kind: string; key: string; value: object | null }>();
  const places = ['', '-wal'].map((suffix) => placeOf(facts.path + suffix));
  let emptied = false;
  const write = (): void => {
    if (places.some((inPlace) => !inPlace())) throw new Error('it was moved or removed while in use');
    db.exec('BEGIN');
    try {
      if (emptied) db.exec('DELETE FROM records');
      for (const { kind, key, value } of noted.values()) {
        if (value === null) remove.run(kind, key);
        else put.run(kind, key, JSON.stringify(value));
      }
      for (const [key, value] of Object.entries(facts.clockAndCounters())) put.run('state', key, JSON.stringify(value));
      db.exec('COMMIT');
      noted.clear();
      emptied = false;
    } catch (error) {
      if (db.isTransaction) db.exec('ROLLBACK');
      throw error;
    }
  };
  return {
    notices,
    put: (kind, key, value) => void noted.set(`${kind} ${key}`, { kind, key, value }),
    remove: (kind, key) => void noted.set(`${kind} ${key}`, { kind, key, value: null }),
    flush: () => (noted.size > 0 ? write() : undefined),
    clear() {
      noted.clear();
      emptied = true;
    },
    close() {
      if (!db.isOpen) return;
      try {
        write();
      } catch (error) {
        const described = error instanceof Error ? error.message : String(error);
        const next =
          'the file, wherever it is now, holds every write that was answered; what happened by itself since then is lost';
        const message = `the data file ${facts.path} could not be written at the end: ${described}`;
        throw new Failure('unavailable', message, { code: 'data_unusable', next }, error);
      } finally {
        db.close();
      }
    },
    read: (kind) => read.all(kind).map((row) => ({ key: String(row['key']), value: JSON.parse(String(row['value'])) })),
  };
}

/** Whether a file is still the one that was opened: a removed one accepts every write and keeps none. */
function placeOf(path: string): () => boolean {
  const { ino } = statSync(path);
  return () => statSync(path, { throwIfNoEntry: false })?.ino === ino;
}

/** The database, or a sentence saying why it cannot be used. @throws Failure */
function tryOpen(path: string): DatabaseSync | string {
  // Loaded only where a data file is asked for: it is experimental in the oldest Node we support, and says so when loaded.
  const { DatabaseSync } = createRequire(import.meta.url)('node:sqlite') as typeof import('node:sqlite');
  const db = new DatabaseSync(path);
  try {
    db.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA synchronous = NORMAL');
    // Written into the file itself: in the log beside it, a killed process would leave a file without our mark.
    if (numberOf(db, 'schema_version') === 0)
      db.exec(`PRAGMA journal_mode = DELETE; PRAGMA application_id = ${APPLICATION_ID}`);
    db.exec('PRAGMA journal_mode = WAL; BEGIN EXCLUSIVE');
    const version = numberOf(db, 'user_version');
    const tables = numberOf(db, 'schema_version');
    if (tables !== 0 && version !== FORMAT) {
      db.exec('ROLLBACK');
      db.close();
      return `has the unknown version ${version}`;
    }
    db.exec(
      'CREATE TABLE IF NOT EXISTS records (kind TEXT, key TEXT, value TEXT, PRIMARY KEY (kind, key)) WITHOUT ROWID',
    );
    db.exec(`PRAGMA user_version = ${FORMAT}`);
    db.exec('COMMIT');
    db.prepare('SELECT count(*) FROM records').get();
    return db;
  } catch (error) {
    db.close();
    return explainError(path, error);
  }
}

/** SQLite's result codes (sqlite.org/rescode.html): 5 busy, 11 corrupt, 26 not a database. */
function explainError(path: string, error: unknown): string {
  const code = typeof error === 'object' && error !== null && 'errcode' in error ? Number(error.errcode) & 0xff : 0;
  if (code === 5 || code === 6) {
    const next = 'stop the other sandbox, or name another file with --data';
    throw new Failure(
      'unavailable',
      `another process uses the data file ${path}`,
      { code: 'data_in_use', next },
      error,
    );
  }
  if (code === 11 || code === 26) return 'cannot be read';
  throw new Failure('unavailable', `the data file ${path} cannot be used`, { code: 'data_unusable' }, error);
}

function numberOf(db: DatabaseSync, pragma: string): number {
  return Number(db.prepare(`PRAGMA ${pragma}`).get()?.[pragma] ?? 0);
}
