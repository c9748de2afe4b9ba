/** Makes folders for this user alone (mode 0700). */
import { mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { type Failure, usage } from '../failure.ts';

/**
 * Makes a folder, and those above it, mode 0700. One that exists stays as it is: it may belong to anybody.
 * @throws Failure `usage` (`not_writable`)
 */
export function makePrivateFolder(path: string): void {
  try {
    makeFolders(path);
  } catch (error) {
    throw notWritable(path, error);
  }
}

/**
 * The same, for callers that explain the error themselves. Not Node's own `recursive`: that never returns where a file system answers
 * "no such folder" for ever, as /proc does.
 * @throws the file system's error
 */
export function makeFolders(path: string): void {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() === true) return;
  const above = dirname(path);
  if (above !== path) makeFolders(above);
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    // Another process may have made it in the meantime.
    if (statSync(path, { throwIfNoEntry: false })?.isDirectory() !== true) throw error;
  }
}

/** The failure for a file or folder that could not be written. */
export function notWritable(path: string, error: unknown): Failure {
  return usage(`${path} cannot be written (${errorCodeOf(error)})`, {
    code: 'not_writable',
    next: 'make its folder writable, or choose another with CREDICORP_CONFIG_DIR and CREDICORP_STATE_DIR',
  });
}

/** `ENOENT`, `EACCES`, …, as the file system names what went wrong. */
export function errorCodeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'unknown reason';
}
