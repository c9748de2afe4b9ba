/** A full disk is called one, whoever met it: the file system (`ENOSPC`, `EDQUOT`) or SQLite, whose codes also stand for other troubles. */
import { statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import { Failure } from '../failure.ts';

/** With less room than this a failed write is blamed on the disk. */
const ROOM_BYTES = 256 * 1024;

/** @param path the file that was written; needed to judge an error of SQLite */
export function isDiskFull(error: unknown, path: string | null = null): boolean {
  if (!(error instanceof Error)) return false;
  if ('code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT')) return true;
  // sqlite.org/rescode.html: 13 SQLITE_FULL, also a limit of ours; 10 SQLITE_IOERR and 14 SQLITE_CANTOPEN, for files beside the database.
  const code = 'errcode' in error ? Number(error.errcode) & 0xff : 0;
  return path !== null && (code === 13 || code === 10 || code === 14) && hasNoRoom(path);
}

export function diskFull(path: string | null, cause: unknown): Failure {
  const message = path === null ? 'the disk is full' : `the disk is full: ${path} cannot be written`;
  return new Failure(
    'unavailable',
    message,
    { code: 'disk_full', next: 'make room on that disk, then run the command again' },
    cause,
  );
}

function hasNoRoom(path: string): boolean {
  try {
    const { bavail, bsize } = statfsSync(dirname(path));
    return bavail * bsize < ROOM_BYTES;
  } catch {
    return false;
  }
}
