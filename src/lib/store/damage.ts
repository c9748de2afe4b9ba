/** Telling a damaged store from a busy or unwritable one, and putting it out of the way without deleting anything. */
import { existsSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';

/** SQLite's primary result codes that this program tells apart (sqlite.org/rescode.html). */
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

export function isDamage(error: unknown): boolean {
  return sqliteCode(error) === 'damaged';
}

/** Tells one file from another in the same place; null when there is none. */
export function inodeOf(path: string): bigint | null {
  return statSync(path, { bigint: true, throwIfNoEntry: false })?.ino ?? null;
}

/**
 * Renames the damaged file, and its `-wal` and `-shm` with it, to `<name>.corrupt-<time>`.
 * @param damaged the file that is meant @returns the new name; null when another process was faster and that file is gone already
 */
export function setAside(path: string, damaged: bigint | null, now: number): string | null {
  const stamp = new Date(now).toISOString().replaceAll(/[-:]|\.\d+/g, '');
  let target = `${path}.corrupt-${stamp}`;
  for (let n = 2; existsSync(target) && n < 1000; n += 1) target = `${path}.corrupt-${stamp}-${n}`;
  if (inodeOf(path) !== damaged) return null;
  for (const suffix of ['-wal', '-shm', '']) rename(path + suffix, target + suffix);
  rmSync(path + MARK, { force: true });
  return existsSync(target) ? target : null;
}

/** What is not there, or no longer, needs no renaming. */
function rename(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
  }
}

const MARK = '.damaged';

/** Leaves a mark beside the file that says which one is meant: a whole check at every start would cost more than it finds. */
export function condemn(path: string, inode: bigint | null): void {
  writeFileSync(path + MARK, String(inode), { mode: 0o600 });
}

export function isCondemned(path: string, inode: bigint | null): boolean {
  return inode !== null && existsSync(path + MARK) && readFileSync(path + MARK, 'utf8') === String(inode);
}
