/**
 * Files of one user: mode 0600 in a folder of mode 0700, replaced in one step, so that a reader sees the old text or the new one
 * and a crash leaves no half of either.
 */

import { closeSync, fsyncSync, openSync, readFileSync, realpathSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { dirname } from 'node:path';
import { type Failure, usage } from '../failure.ts';
import { makeFolders } from '../folder.ts';

/**
 * The text of a file, null when there is none.
 * @throws Failure `usage` (`not_readable`) when it is there and cannot be read.
 */
export function readPrivate(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null;
    throw usage(`${path} cannot be read (${codeOf(error)})`, {
      code: 'not_readable',
      next: 'check who owns the file and its permissions',
    });
  }
}

/**
 * Writes a file for this user alone, making its folder where there is none.
 * @throws Failure `usage` (`not_writable`)
 */
export function writePrivate(path: string, text: string): void {
  makePrivateFolder(dirname(path));
  replaceFile(path, text, 0o600);
}

/**
 * Writes a file whole or not at all. A symbolic link (as people who keep their dot files elsewhere have) stays one.
 * @throws Failure `usage` (`not_writable`)
 */
export function replaceFile(path: string, text: string, mode: number): void {
  let temporary: string | undefined;
  try {
    const target = behindLink(path);
    temporary = `${target}.${randomBytes(6).toString('hex')}.tmp`;
    const file = openSync(temporary, 'wx', mode);
    try {
      writeFileSync(file, text);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(temporary, target);
  } catch (error) {
    if (temporary !== undefined) rmSync(temporary, { force: true });
    throw notWritable(path, error);
  }
}

/**
 * Makes a folder, and those above it, for this user alone. One that exists stays as it is: it may be anybody's.
 * @throws Failure `usage` (`not_writable`)
 */
export function makePrivateFolder(path: string): void {
  try {
    makeFolders(path);
  } catch (error) {
    throw notWritable(path, error);
  }
}

function notWritable(path: string, error: unknown): Failure {
  return usage(`${path} cannot be written (${codeOf(error)})`, {
    code: 'not_writable',
    next: 'make its folder writable, or choose another with CREDICORP_CONFIG_DIR and CREDICORP_STATE_DIR',
  });
}

function behindLink(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'unknown reason';
}
