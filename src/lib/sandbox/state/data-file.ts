/**
 * The state on disk (sandbox.md#persistence): one SQLite file that belongs to one process. What was noted is written in one transaction
 * before the answer leaves, so a killed process loses nothing it acknowledged.
 */
import { statSync } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import { Failure } from '../../failure.ts';
import { diskFull, isDiskFull } from '../../files/full-disk.ts';
import { inodeOf, setAside, sqliteCode } from '../../store/sqlite-file.ts';
import { claimDataFile } from './data-file-claim.ts';
import { isDataRowWhole, openRecords, type DataRow, sumOf } from './data-records.ts';
import { recoverRows } from './data-recovery.ts';
import type { Persistence } from './persistence.ts';

export interface SavedRow {
  key: string;
  value: unknown;
}

export interface DataFile extends Persistence {
  /** Every record of a kind, one after the other: together they may not fit in memory twice. */
  read(kind: string): Iterable<SavedRow>;
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
 * A file that is damaged or of an unknown version is set aside, and what is whole in it is written to a new one.
 * @throws Failure `unavailable` (`data_not_ours`, `data_in_use`, `data_unusable`, `disk_full`)
 */
export function openDataFile(given: DataFileFacts): DataFile {
  const facts = { ...given, path: claimDataFile(given.path) };
  const { path, now } = facts;
  try {
    const inode = inodeOf(path);
    const opened = tryOpen(path);
    if (typeof opened !== 'string') return persistenceOn(opened, facts, []);
    const aside = setAside(path, inode, now);
    if (aside === null) throw new Error('it was moved or removed while it was opened');
    const db = openRecords(claimDataFile(path));
    const rows = recoverRows(aside);
    insertAll(db, rows);
    const found = rows.length === 1 ? 'the one record' : `the ${rows.length} records`;
    const kept = rows.length === 0 ? 'nothing in it could be read' : `${found} that could be read are in the new one`;
    return persistenceOn(db, facts, [`the data file ${path} ${opened}; it was set aside as ${aside}, ${kept}`]);
  } catch (error) {
    throw asFailure(path, error);
  }
}

/** The database, or what is wrong with the file. @throws what is no damage */
function tryOpen(path: string): DatabaseSync | string {
  let db: DatabaseSync | undefined;
  try {
    db = openRecords(path);
    if (db.prepare('PRAGMA quick_check(1)').get()?.['quick_check'] !== 'ok') throw new Error('damaged');
    for (const row of db.prepare('SELECT kind, key, value, sum FROM records').iterate())
      if (!isDataRowWhole(row)) throw new Error('damaged');
    return db;
  } catch (error) {
    db?.close();
    if (error instanceof Failure || isTroubleOfThePlace(path, error)) throw error;
    return error instanceof Error && error.message.startsWith('has the unknown') ? error.message : 'was damaged';
  }
}

/** Trouble that another file would have too. The rest says that what is in the file makes no sense. */
function isTroubleOfThePlace(path: string, error: unknown): boolean {
  const code = error instanceof Error && 'errcode' in error ? Number(error.errcode) & 0xff : null;
  // sqlite.org/rescode.html: 10 is an error of the disk.
  return sqliteCode(error) === 'busy' || isDiskFull(error, path) || code === 10 || code === 13;
}

function insertAll(db: DatabaseSync, rows: readonly DataRow[]): void {
  const put = db.prepare('INSERT OR REPLACE INTO records (kind, key, value, sum) VALUES (?, ?, ?, ?)');
  db.exec('BEGIN');
  for (const { kind, key, value } of rows) put.run(kind, key, value, sumOf(kind, key, value));
  db.exec('COMMIT');
}

function persistenceOn(db: DatabaseSync, facts: DataFileFacts, notices: readonly string[]): DataFile {
  const put = db.prepare(
    `INSERT INTO records (kind, key, value, sum) VALUES (?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET value = excluded.value, sum = excluded.sum`,
  );
  const remove = db.prepare('DELETE FROM records WHERE kind = ? AND key = ?');
  const read = db.prepare('SELECT key, value FROM records WHERE kind = ?');
  const noted = new Map<string, { kind: string; key: string; value: object | null }>();
  const places = ['', '-wal'].map((suffix) => placeOf(facts.path + suffix));
  let emptied = false;
  const putValue = (kind: string, key: string, value: object): void => {
    const text = JSON.stringify(value);
    put.run(kind, key, text, sumOf(kind, key, text));
  };
  const write = (): void => {
    if (places.some((inPlace) => !inPlace())) throw new Error('it was moved or removed while in use');
    db.exec('BEGIN');
    try {
      if (emptied) db.exec('DELETE FROM records');
      for (const { kind, key, value } of noted.values()) {
        if (value === null) remove.run(kind, key);
        else putValue(kind, key, value);
      }
      for (const [key, value] of Object.entries(facts.clockAndCounters())) putValue('state', key, value);
      db.exec('COMMIT');
      noted.clear();
      emptied = false;
    } catch (error) {
      if (db.isTransaction) db.exec('ROLLBACK');
      throw error;
    }
  };
  const writeOrSay = (): void => {
    try {
      write();
    } catch (error) {
      throw new Error(described(facts.path, error), { cause: error });
    }
  };
  return {
    notices,
    put: (kind, key, value) => void noted.set(`${kind} ${key}`, { kind, key, value }),
    remove: (kind, key) => void noted.set(`${kind} ${key}`, { kind, key, value: null }),
    flush: () => (noted.size > 0 ? writeOrSay() : undefined),
    clear() {
      noted.clear();
      emptied = true;
    },
    close() {
      if (!db.isOpen) return;
      try {
        write();
      } catch (error) {
        const next =
          'the file, wherever it is now, holds every write that was answered; what happened by itself since then is lost';
        const message = `the data file ${facts.path} could not be written at the end: ${described(facts.path, error)}`;
        const code = isFull(facts.path, error) ? 'disk_full' : 'data_unusable';
        throw new Failure('unavailable', message, { code, next }, error);
      } finally {
        db.close();
      }
    },
    *read(kind) {
      for (const row of read.iterate(kind)) yield { key: String(row['key']), value: JSON.parse(String(row['value'])) };
    },
  };
}

/** Whether a file is still the one that was opened: a removed one accepts every write and keeps none. */
function placeOf(path: string): () => boolean {
  const { ino } = statSync(path);
  return () => statSync(path, { throwIfNoEntry: false })?.ino === ino;
}

/** The data file has no limit of its own: when SQLite says that it is full, the disk is. */
function isFull(path: string, error: unknown): boolean {
  return sqliteCode(error) === 'full' || isDiskFull(error, path);
}

function described(path: string, error: unknown): string {
  if (isFull(path, error)) return 'the disk is full';
  return error instanceof Error ? error.message : String(error);
}

function asFailure(path: string, error: unknown): Failure {
  if (error instanceof Failure) return error;
  if (isFull(path, error)) return diskFull(path, error);
  if (sqliteCode(error) === 'busy') {
    const next = 'stop the other sandbox, or name another file with --data';
    const message = `another process uses the data file ${path}`;
    return new Failure('unavailable', message, { code: 'data_in_use', next }, error);
  }
  const message = `the data file ${path} cannot be used: ${described(path, error)}`;
  const next = 'name another file with --data';
  return new Failure('unavailable', message, { code: 'data_unusable', next }, error);
}
