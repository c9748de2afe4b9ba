/** An SQLite file: opened so that each of its errors carries the file it came from, its errors told apart, a damaged one set aside. */
import { existsSync, renameSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { DatabaseSync, DatabaseSyncOptions, StatementSync } from 'node:sqlite';

const load = createRequire(import.meta.url);

/** node:sqlite is loaded here and not above: commands that keep nothing should not pay for it. */
export function connect(path: string, options: DatabaseSyncOptions = {}): DatabaseSync {
  const sqlite: typeof import('node:sqlite') = load('node:sqlite');
  const named = namer(path);
  const db = named(() => new sqlite.DatabaseSync(path, options));
  const exec = db.exec.bind(db);
  const prepare = db.prepare.bind(db);
  db.exec = (sql) => named(() => exec(sql));
  db.prepare = (sql) =>
    nameErrors(
      named(() => prepare(sql)),
      named,
    );
  return db;
}

type Named = <T>(run: () => T) => T;

/** Adds `file` to the errors of SQLite, which say what is wrong and not where. */
function namer(path: string): Named {
  return (run) => {
    try {
      return run();
    } catch (error) {
      if (sqliteCode(error) !== null) Object.assign(error as Error, { file: path });
      throw error;
    }
  };
}

function nameErrors(statement: StatementSync, named: Named): StatementSync {
  const get = statement.get.bind(statement) as (...values: unknown[]) => ReturnType<StatementSync['get']>;
  const all = statement.all.bind(statement) as (...values: unknown[]) => ReturnType<StatementSync['all']>;
  const run = statement.run.bind(statement) as (...values: unknown[]) => ReturnType<StatementSync['run']>;
  const iterate = statement.iterate.bind(statement) as (...values: unknown[]) => ReturnType<StatementSync['iterate']>;
  statement.get = (...values: unknown[]) => named(() => get(...values));
  statement.all = (...values: unknown[]) => named(() => all(...values));
  statement.run = (...values: unknown[]) => named(() => run(...values));
  statement.iterate = function* (...values: unknown[]) {
    const rows = named(() => iterate(...values));
    try {
      for (let row = named(() => rows.next()); row.done !== true; row = named(() => rows.next())) yield row.value;
    } finally {
      rows.return?.();
    }
    return undefined;
  };
  return statement;
}

/** The kind of an SQLite error, from its primary result code (sqlite.org/rescode.html); null for other errors. */
export function sqliteCode(error: unknown): 'busy' | 'damaged' | 'full' | 'other' | null {
  if (!(error instanceof Error && 'errcode' in error && typeof error.errcode === 'number')) return null;
  // The low byte is the primary code; extended codes add detail above it.
  switch (error.errcode & 0xff) {
    case 5: // SQLITE_BUSY
    case 6: // SQLITE_LOCKED
      return 'busy';
    case 11: // SQLITE_CORRUPT
    case 26: // SQLITE_NOTADB
      return 'damaged';
    case 13: // SQLITE_FULL
      return 'full';
    default:
      return 'other';
  }
}

/** The file an SQLite error came from; null for other errors. */
export function fileOf(error: unknown): string | null {
  return error instanceof Error && 'file' in error && typeof error.file === 'string' ? error.file : null;
}

/** True when the error says that this very file is damaged. */
export function isDamage(error: unknown, path: string): boolean {
  return sqliteCode(error) === 'damaged' && fileOf(error) === path;
}

/** Identifies the file at a path, so that a replaced one is noticed; null when there is none. */
export function inodeOf(path: string): bigint | null {
  return statSync(path, { bigint: true, throwIfNoEntry: false })?.ino ?? null;
}

/**
 * Renames the damaged file, and its `-wal` and `-shm` with it, to `<name>.corrupt-<time>`.
 * @param damaged inode of the damaged file @returns the new name; null when another process was faster and that file is gone already
 */
export function setAside(path: string, damaged: bigint | null, now: number): string | null {
  const stamp = new Date(now).toISOString().replaceAll(/[-:]|\.\d+/g, '');
  let target = `${path}.corrupt-${stamp}`;
  for (let n = 2; existsSync(target) && n < 1000; n += 1) target = `${path}.corrupt-${stamp}-${n}`;
  if (inodeOf(path) !== damaged) return null;
  for (const suffix of ['-wal', '-shm', '']) rename(path + suffix, target + suffix);
  return existsSync(target) ? target : null;
}

/** Renames a file that may be missing. */
function rename(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
  }
}
