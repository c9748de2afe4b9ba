/** The table of a data file (sandbox.md#persistence), and what shows that a row is whole. */
import type { DatabaseSync } from 'node:sqlite';
import { crc32 } from 'node:zlib';
import { connect } from '../../store/sqlite-file.ts';
import { APPLICATION_ID } from './data-file-claim.ts';

/** 1 had no sums. */
const FORMAT = 2;

const TABLE =
  'CREATE TABLE records (kind TEXT, key TEXT, value TEXT, sum INTEGER, PRIMARY KEY (kind, key)) WITHOUT ROWID';

export const PAGE_BYTES = 4096;

export interface DataRow {
  kind: string;
  key: string;
  /** JSON. */
  value: string;
}

/** Opens a file for this process alone and makes the table where there is none. @throws errors of SQLite, `has the unknown version …` */
export function openRecords(path: string): DatabaseSync {
  const db = connect(path);
  try {
    // Looked at first: a file that will be set aside stays as it is.
    db.exec('PRAGMA locking_mode = EXCLUSIVE');
    const isNew = numberOf(db, 'schema_version') === 0;
    const version = numberOf(db, 'user_version');
    if (!isNew && version !== FORMAT && version !== 1) throw new Error(`has the unknown version ${version}`);
    // Written into the file itself: in the log beside it, a killed process would leave a file without our mark.
    if (isNew)
      db.exec(
        `PRAGMA page_size = ${PAGE_BYTES}; PRAGMA journal_mode = DELETE; PRAGMA application_id = ${APPLICATION_ID}`,
      );
    // What is deleted is overwritten: it must not come back when a damaged file is recovered page by page.
    db.exec(`PRAGMA secure_delete = ON; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL`);
    db.exec('BEGIN EXCLUSIVE');
    if (isNew) db.exec(TABLE);
    else if (version === 1) db.exec('ALTER TABLE records ADD COLUMN sum INTEGER');
    if (isNew || version !== FORMAT) db.exec(`PRAGMA user_version = ${FORMAT}`);
    db.exec('COMMIT');
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

function numberOf(db: DatabaseSync, pragma: string): number {
  return Number(db.prepare(`PRAGMA ${pragma}`).get()?.[pragma] ?? 0);
}

/** SQLite does not notice a bit that changed inside a text. */
export function sumOf(kind: string, key: string, value: string): number {
  return crc32(`${kind} ${key} ${value}`);
}

/** True for a row as it was written. One of the first format has no sum: it is whole when it is JSON. */
export function isDataRowWhole(row: Record<string, unknown>): row is Record<string, unknown> & DataRow {
  const { kind, key, value, sum } = row;
  if (typeof kind !== 'string' || typeof key !== 'string' || typeof value !== 'string') return false;
  if (sum !== null) return sum === sumOf(kind, key, value);
  try {
    return typeof JSON.parse(value) === 'object';
  } catch {
    return false;
  }
}
