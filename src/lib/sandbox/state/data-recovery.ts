/** Reads what is whole in a damaged data file (sandbox.md#persistence). The file itself is not changed. */
import {
  closeSync,
  copyFileSync,
  existsSync,
  fstatSync,
  mkdtempSync,
  openSync,
  readSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { connect } from '../../store/sqlite-file.ts';
import { isDataRowWhole, openRecords, PAGE_BYTES, type DataRow } from './data-records.ts';

type Rows = Map<string, DataRow>;

export function recoverRows(damaged: string): DataRow[] {
  // Beside it: a copy must fit where the file did.
  const folder = mkdtempSync(`${damaged}.recovery-`);
  try {
    const copy = join(folder, 'copy.db');
    const rows: Rows = new Map();
    for (const suffix of ['', '-wal']) if (existsSync(damaged + suffix)) copyFileSync(damaged + suffix, copy + suffix);
    // When it is closed, what is in the -wal moves into the copy.
    withDatabase(copy, (db) => readBothWays(rows, db));
    for (const suffix of ['-wal', '-shm']) rmSync(copy + suffix, { force: true });
    readPages(rows, copy, firstPageOfAnother(join(folder, 'fresh.db')));
    return [...rows.values()];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function withDatabase(path: string, act: (db: DatabaseSync) => void): void {
  try {
    const db = connect(path);
    try {
      act(db);
    } finally {
      db.close();
    }
  } catch {
    // Nothing can be read this way.
  }
}

/** Forwards and backwards, each up to the damage. What was found earlier stays. */
function readBothWays(rows: Rows, db: DatabaseSync): void {
  for (const order of ['ASC', 'DESC']) {
    try {
      // All columns: the first format has no sum.
      for (const row of db.prepare(`SELECT * FROM records ORDER BY kind ${order}, key ${order}`).iterate()) {
        const whole = { sum: null, ...row };
        if (isDataRowWhole(whole) && !rows.has(nameOf(whole))) rows.set(nameOf(whole), whole);
      }
      return;
    } catch {
      // The rest is read from the other end.
    }
  }
}

function nameOf({ kind, key }: DataRow): string {
  return `${kind} ${key}`;
}

/** First bytes of the pages of a table WITHOUT ROWID: those inside the tree and its leaves (sqlite.org/fileformat2.html). */
const TREE_PAGES: ReadonlySet<number | undefined> = new Set([0x02, 0x0a]);

/**
 * Where the pages that lead to the others are damaged, each page is read by itself: it is put in the place of the root, below a first
 * page that is sound.
 */
function readPages(rows: Rows, copy: string, firstPage: Buffer): void {
  const file = openSync(copy, 'r+');
  try {
    const count = Math.ceil(fstatSync(file).size / PAGE_BYTES);
    firstPage.writeUInt32BE(count, 28);
    writeSync(file, firstPage, 0, PAGE_BYTES, 0);
    withDatabase(copy, (db) => {
      const page = Buffer.alloc(PAGE_BYTES);
      for (let number = 2; number <= count; number += 1) {
        readSync(file, page, 0, PAGE_BYTES, (number - 1) * PAGE_BYTES);
        if (!TREE_PAGES.has(page[0])) continue;
        writeSync(file, page, 0, PAGE_BYTES, PAGE_BYTES);
        // Another change counter, so that SQLite reads the pages again.
        for (const place of [24, 92]) firstPage.writeUInt32BE(number, place);
        writeSync(file, firstPage, 0, PAGE_BYTES, 0);
        readBothWays(rows, db);
      }
    });
  } finally {
    closeSync(file);
  }
}

/** Of a data file that is empty: it says that the table begins at page 2, as in all of them. */
function firstPageOfAnother(path: string): Buffer {
  openRecords(path).close();
  const page = Buffer.alloc(PAGE_BYTES);
  const file = openSync(path, 'r');
  readSync(file, page, 0, PAGE_BYTES, 0);
  closeSync(file);
  // Not WAL: nothing is to be beside the copy.
  page[18] = page[19] = 1;
  return page;
}
