/** Telling a damaged store from a busy or unwritable one, and putting it out of the way without deleting anything. */
import { existsSync, renameSync, rmSync, writeFileSync } from 'node:fs';

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

/** Renames the file, and its `-wal` and `-shm` with it, to `<name>.corrupt-<time>`. Returns the new name. */
export function setAside(path: string, now: number): string {
  const stamp = new Date(now).toISOString().replaceAll(/[-:]|\.\d+/g, '');
  let target = `${path}.corrupt-${stamp}`;
  for (let n = 2; existsSync(target) && n < 1000; n += 1) target = `${path}.corrupt-${stamp}-${n}`;
  for (const suffix of ['-wal', '-shm', '']) {
    if (existsSync(path + suffix)) renameSync(path + suffix, target + suffix);
  }
  rmSync(path + MARK, { force: true });
  return target;
}

const MARK = '.damaged';

/** Leaves a mark beside the file: a whole check at every start would cost more than it finds. */
export function condemn(path: string): void {
  writeFileSync(path + MARK, '', { mode: 0o600 });
}

export function isCondemned(path: string): boolean {
  return existsSync(path + MARK);
}
