/**
 * Files and folders for this user alone. A file is replaced in one step: the text is written beside it and renamed into place, so that
 * a reader sees the old text or the new one and a crash leaves no half of either.
 */
import {
  closeSync,
  fsyncSync,
  mkdtempSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
  mkdirSync,
  statSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { Failure, usage } from '../failure.ts';
import { diskFull, isDiskFull } from './full-disk.ts';
import { whyNotOurs } from './ownership.ts';

/**
 * The text of a file, null when there is none.
 * @throws Failure `usage` (`not_readable`) when it exists and cannot be read, (`not_ours`) when another user could have written it
 */
export function readPrivate(path: string): string | null {
  try {
    const text = readFileSync(path, 'utf8');
    assertOurs(path);
    return text;
  } catch (error) {
    if (errorCodeOf(error) === 'ENOENT') return null;
    if (error instanceof Failure) throw error;
    throw usage(`${path} cannot be read (${errorCodeOf(error)})`, {
      code: 'not_readable',
      next: 'check who owns the file and its permissions',
    });
  }
}

/**
 * Writes a file for this user alone (mode 0600), making its folder (0700) where there is none.
 * @throws Failure `usage` (`not_writable`), `unavailable` (`disk_full`)
 */
export function writePrivate(path: string, text: string): void {
  makePrivateFolder(dirname(path));
  replaceFile(path, text, 0o600);
}

/**
 * Writes a file whole or not at all. A symbolic link (as people who keep their dot files elsewhere have) stays one.
 * @throws Failure `usage` (`not_writable`), `unavailable` (`disk_full`)
 */
export function replaceFile(path: string, content: string | Uint8Array, mode: number): void {
  let folder: string | undefined;
  try {
    const target = behindLink(path);
    // A fresh folder on the same file system: its name is free, and nobody else may look in.
    folder = mkdtempSync(`${target}.tmp-`);
    const temporary = join(folder, 'new');
    const file = openSync(temporary, 'wx', mode);
    try {
      writeFileSync(file, content);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(temporary, target);
  } catch (error) {
    throw notWritable(path, error);
  } finally {
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  }
}

function behindLink(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

/**
 * Makes a folder, and those above it, mode 0700. One that exists stays as it is.
 * @throws Failure `usage` (`not_writable`), (`not_ours`) when another user could write there
 */
export function makePrivateFolder(path: string): void {
  try {
    makeFolders(path);
  } catch (error) {
    throw notWritable(path, error);
  }
  assertOurs(path);
}

/** @throws Failure `usage` (`not_ours`) for what another user of this machine could have written */
export function assertOurs(path: string): void {
  const why = whyNotOurs(path);
  if (why === null) return;
  const close = `look what is in it, then close it to other users: chmod go-w ${why.path}`;
  const move = 'use folders of your own: CREDICORP_CONFIG_DIR and CREDICORP_STATE_DIR name them';
  throw usage(`${path} is not used: ${why.words}`, { code: 'not_ours', next: why.fault === 'mode' ? close : move });
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
function notWritable(path: string, error: unknown): Failure {
  if (isDiskFull(error)) return diskFull(path, error);
  return usage(`${path} cannot be written (${errorCodeOf(error)})`, {
    code: 'not_writable',
    next: 'make its folder writable, or choose another with CREDICORP_CONFIG_DIR and CREDICORP_STATE_DIR',
  });
}

/** `ENOENT`, `EACCES`, …, as the file system names what went wrong. */
function errorCodeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'unknown reason';
}
