/**
 * The local store, one SQLite file per user: opened, migrated, bounded in size; a damaged file is renamed, not deleted. Each room
 * defines its own tables.
 *
 * Several processes use the file at once (WAL). A new file is created in a temporary folder and then linked to its
 * name, so that no process opens an incomplete file, and the switch to WAL, which does not wait for locks, never happens on a file in use.
 */
import {
  chmodSync,
  closeSync,
  linkSync,
  mkdtempSync,
  openSync,
  rmSync,
  statSync,
  existsSync,
  readFileSync,
  writeFileSync,
  fdatasync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { Failure } from '../failure.ts';
import { diskFull, isDiskFull } from '../files/full-disk.ts';
import { assertOurs, makeFolders } from '../files/private-files.ts';
import { connect, inodeOf, isDamage, setAside, sqliteCode } from './sqlite-file.ts';

export interface StoreOptions {
  path: string;
  /** Milliseconds since the epoch; part of the new name of a damaged file. */
  now: () => number;
  tables: readonly Tables[];
  /** When the file is larger than this many bytes, `bound` deletes the oldest expendable rows; twice this is the hard limit. Default 128 MiB. */
  maxBytes?: number;
  /** How long a statement waits for another process. Default 5000. */
  busyTimeoutMs?: number;
}

export interface Store {
  path: string;
  db: DatabaseSync;
  /** The new name of a damaged file that was renamed when this store was opened; null when there was none. */
  setAside: string | null;
  /**
   * Deletes the oldest expendable rows when the file is larger than its limit, or than `maxBytes` if that is lower, and makes the file
   * smaller. Returns the number of deleted rows. Cheap when the file is within the limit.
   */
  bound(maxBytes?: number): number;
  /** Deletes one small batch of such rows, for programs that write while others wait; call it about once every hundred rows. */
  trim(maxBytes?: number): void;
  /** Resolves once everything committed before would survive a power cut. Overlapping calls share one flush to disk. */
  sync(): Promise<void>;
  /** Marks the file as damaged: the next `openStore` renames it and creates a new one. */
  condemn(): void;
  /** True when the file was replaced, removed or marked as damaged, so that rows written now would be lost: open the store again. */
  isStale(): boolean;
  close(): void;
}

/** `CRED` in ASCII: tells our file from any other SQLite file. */
const APPLICATION_ID = 0x43_52_45_44;
const PAGE_BYTES = 4096;

/**
 * Opens the store, creating it (mode 0600) and its directory (0700) when absent.
 * @throws Failure `usage` (`state_unwritable`, `state_too_new`, `not_ours`), `unavailable` (`state_busy`).
 */
export function openStore(options: StoreOptions): Store {
  try {
    let aside: string | null = null;
    // Several processes may find the damage at once: one renames the file, the others open the new one.
    for (let tries = 0; tries < 3; tries += 1) {
      const opened = open(options);
      if (opened.db !== null) return finish(opened.db, options, { inode: opened.inode, aside });
      aside = setAside(options.path, opened.inode, options.now()) ?? aside;
      rmSync(options.path + MARK, { force: true });
    }
    throw new Failure('bug', 'a store that was just created cannot be read');
  } catch (error) {
    throw asFailure(error, options.path);
  }
}

/** Opens, checks and migrates the file; `db` is null when it is damaged or no store. */
function open(options: StoreOptions): { db: DatabaseSync | null; inode: bigint | null } {
  const { path, busyTimeoutMs = 5000 } = options;
  createUnlessPresent(path);
  const inode = inodeOf(path);
  if (isCondemned(path, inode)) return { db: null, inode };
  let db: DatabaseSync | undefined;
  try {
    db = connect(path, { timeout: busyTimeoutMs });
    if (pragma(db, 'application_id') !== APPLICATION_ID) {
      db.close();
      return { db: null, inode };
    }
    // A commit survives a crash of the process; what must also survive a power cut waits for `sync`.
    db.exec('PRAGMA synchronous=NORMAL');
    migrate(db, options.tables);
    return { db, inode };
  } catch (error) {
    db?.close();
    if (isDamage(error, path)) return { db: null, inode };
    throw error;
  }
}

function createUnlessPresent(path: string): void {
  assertOurs(path);
  const found = statSync(path, { throwIfNoEntry: false });
  if (found !== undefined) {
    if (found.isFile() && (found.mode & 0o077) !== 0) chmodSync(path, 0o600);
    return;
  }
  makeFolders(dirname(path));
  const folder = mkdtempSync(`${path}.new-`);
  const fresh = join(folder, 'store.db');
  closeSync(openSync(fresh, 'wx', 0o600));
  try {
    const db = connect(fresh, { timeout: 0 });
    db.exec(
      `PRAGMA page_size=${PAGE_BYTES}; PRAGMA auto_vacuum=INCREMENTAL; PRAGMA journal_mode=WAL; PRAGMA application_id=${APPLICATION_ID}`,
    );
    db.close();
    publish(fresh, path);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** `link` does not replace a file that another process published in the meantime: that one is used then. */
function publish(fresh: string, path: string): void {
  try {
    linkSync(fresh, path);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  }
}

function finish(
  db: DatabaseSync,
  options: StoreOptions,
  { inode, aside }: { inode: bigint | null; aside: string | null },
): Store {
  const { path } = options;
  const maxPages = Math.ceil((options.maxBytes ?? 128 * 1024 * 1024) / PAGE_BYTES);
  db.exec(`PRAGMA max_page_count=${maxPages * 2}; PRAGMA journal_size_limit=${4 * 1024 * 1024}`);
  const wal = createWalSync(`${path}-wal`);
  const pages = (bytes: number): number => Math.min(maxPages, Math.ceil(bytes / PAGE_BYTES));
  const store: Store = {
    path,
    db,
    setAside: aside,
    bound: (maxBytes = Infinity) => {
      const removed = bound(db, options.tables, pages(maxBytes));
      if (pragma(db, 'freelist_count') > freePages(maxPages)) db.exec('PRAGMA incremental_vacuum');
      return removed;
    },
    trim: createTrim(db, options.tables, pages, freePages(maxPages)),
    sync: wal.sync,
    // Another process may have replaced the file already: the new one is not damaged.
    condemn: () => (inodeOf(path) === inode ? condemn(path, inode) : undefined),
    isStale: () => inodeOf(path) !== inode || isCondemned(path, inode),
    close: () => {
      if (db.isOpen) db.close();
      wal.close();
    },
  };
  store.bound();
  return store;
}

/** Trims in batches down to nine tenths, so that a full file is not trimmed on every call. */
function bound(db: DatabaseSync, tables: readonly Tables[], maxPages: number): number {
  if (usedPages(db) <= maxPages) return 0;
  let removed = 0;
  for (let round = 0; round < 1000 && usedPages(db) > maxPages * 0.9; round += 1) {
    const gone = removeOldest(db, tables, ROUND_ROWS);
    if (gone === 0) break;
    removed += gone;
  }
  return removed;
}

/** Free pages that the file keeps for the next rows; with more it is made smaller. */
function freePages(maxPages: number): number {
  return Math.ceil(maxPages / 16);
}

/** Pages that `trim` gives back at once, some 20 ms of work. */
const STEP_PAGES = 256;

/** Rows deleted from each table in one batch: by `bound`, and by `trim`, which other writers may be waiting for. */
const ROUND_ROWS = 500;
const STEP_ROWS = 200;
/** A search that finds nothing to delete reads every row: after one, `trim` skips this many calls. */
const REST_CALLS = 200;

/** Freed pages are reused; what is more than that is given back in short steps. */
function createTrim(
  db: DatabaseSync,
  tables: readonly Tables[],
  pages: (bytes: number) => number,
  keptFree: number,
): Store['trim'] {
  let rest = 0;
  return (maxBytes = Infinity) => {
    rest -= 1;
    if (rest <= 0 && usedPages(db) > pages(maxBytes)) {
      rest = removeOldest(db, tables, STEP_ROWS) === 0 ? REST_CALLS : 0;
    }
    if (pragma(db, 'freelist_count') > keptFree) db.exec(`PRAGMA incremental_vacuum(${STEP_PAGES})`);
  };
}

function removeOldest(db: DatabaseSync, tables: readonly Tables[], rows: number): number {
  let gone = 0;
  for (const { trim } of tables) if (trim !== undefined) gone += Number(db.prepare(trim).run(rows).changes);
  return gone;
}

function usedPages(db: DatabaseSync): number {
  return pragma(db, 'page_count') - pragma(db, 'freelist_count');
}

function pragma(db: DatabaseSync, name: 'application_id' | 'page_count' | 'freelist_count'): number {
  return Number(db.prepare(`PRAGMA ${name}`).get()?.[name] ?? 0);
}

function asFailure(error: unknown, path: string): unknown {
  if (error instanceof Failure) return error;
  if (isDiskFull(error, path)) return diskFull(path, error);
  if (sqliteCode(error) === 'busy') {
    return new Failure(
      'unavailable',
      `the local store is in use by another process (${path})`,
      { code: 'state_busy', next: 'try again; if that does not help, end the other credicorp processes' },
      error,
    );
  }
  const reason = error instanceof Error ? error.message.replace(/^[A-Z]+: /, '') : 'unknown';
  return new Failure(
    'usage',
    `the local store cannot be opened or written (${path}): ${reason}`,
    { code: 'state_unwritable', next: 'make the directory writable, or name another with CREDICORP_STATE_DIR' },
    error,
  );
}

/** What a room keeps in the store. */
export interface Tables {
  /** The room's name, unique in the file. */
  room: string;
  /** SQL scripts; the first makes version 1, the next version 2. Released steps are never changed; new ones are added at the end. */
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
    // Read again: another process may have migrated the file while this one waited for the lock.
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

const MARK = '.damaged';

/** Marks a file as damaged, by writing its inode to a file beside it. Checking the whole file at every start would be too slow. */
export function condemn(path: string, inode: bigint | null): void {
  writeFileSync(path + MARK, String(inode), { mode: 0o600 });
}

export function isCondemned(path: string, inode: bigint | null): boolean {
  return inode !== null && existsSync(path + MARK) && readFileSync(path + MARK, 'utf8') === String(inode);
}

export interface WalSync {
  sync(): Promise<void>;
  close(): void;
}

export function createWalSync(path: string): WalSync {
  let file: number | null = null;
  let running: Promise<void> | null = null;
  let queued: Promise<void> | null = null;
  let closed = false;

  const run = (): Promise<void> => {
    running = flush().finally(() => {
      running = null;
      if (closed) release();
    });
    return running;
  };
  const flush = (): Promise<void> =>
    new Promise((resolve, reject) => {
      file ??= openSync(path, 'r+');
      fdatasync(file, (error) => (error === null ? resolve() : reject(error)));
    });
  const release = (): void => {
    if (file !== null) closeSync(file);
    file = null;
  };
  const after = async (earlier: Promise<void>): Promise<void> => {
    await earlier.catch(() => {});
    queued = null;
    await run();
  };
  return {
    sync() {
      // A flush that is already running may have started before the caller's commit, so it does not count.
      if (running === null) return run();
      queued ??= after(running);
      return queued;
    },
    close() {
      closed = true;
      if (running === null) release();
    },
  };
}
