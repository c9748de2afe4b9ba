/**
 * A lock file: one holder at a time across processes. It is SQLite's exclusive lock on an empty file, which the operating system
 * releases as soon as its holder ends: no lock is ever stale, and nobody waits for a crashed process.
 */

import { closeSync, openSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { Failure } from '../failure.ts';

export interface LockOptions {
  /** How long to wait for a holder that is alive; after that the work is done without the lock, late is better than never. */
  patienceMs: number;
  signal?: AbortSignal;
  /** Called once when the wait has taken two seconds. */
  onLongWait?: () => void;
}

const LONG_WAIT_MS = 2000;

/**
 * Runs `work` while holding the lock of that file (its folder must exist). A file system without locks, or a holder that outlasts
 * the patience, does not stop the work: it saves work, correctness does not depend on it.
 * @throws Failure `interrupted`, and what `work` throws.
 */
export async function withLock<T>(path: string, options: LockOptions, work: () => Promise<T>): Promise<T> {
  const release = await acquire(path, options);
  try {
    return await work();
  } finally {
    release();
  }
}

/**
 * Takes the lock until the returned function releases it. `busy`: another process holds it. `unusable`: this file system has no locks.
 */
export async function holdLock(path: string): Promise<'busy' | 'unusable' | (() => void)> {
  const { DatabaseSync } = await import('node:sqlite');
  return tryLock(DatabaseSync, path);
}

async function acquire(path: string, { patienceMs, signal, onLongWait }: LockOptions): Promise<() => void> {
  // Loaded here: most commands find a token in the cache and never need a lock.
  const { DatabaseSync } = await import('node:sqlite');
  const over = AbortSignal.timeout(patienceMs);
  const long = AbortSignal.timeout(LONG_WAIT_MS);
  let reported = false;
  for (let wait = 5; ; wait = Math.min(wait * 1.5, 60)) {
    const outcome = tryLock(DatabaseSync, path);
    if (outcome === 'unusable') return () => undefined;
    if (outcome !== 'busy') return outcome;
    if (over.aborted) return () => undefined;
    if (long.aborted && !reported) {
      reported = true;
      onLongWait?.();
    }
    await sleep(wait, signal);
  }
}

async function sleep(ms: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await pause(ms, undefined, signal === undefined ? {} : { signal });
  } catch {
    throw new Failure('interrupted', 'interrupted while waiting for another process');
  }
}

type Outcome = 'busy' | 'unusable' | (() => void);

function tryLock(DatabaseSync: typeof import('node:sqlite').DatabaseSync, path: string): Outcome {
  let database: InstanceType<typeof DatabaseSync> | undefined;
  try {
    closeSync(openSync(path, 'a', 0o600));
    database = new DatabaseSync(path, { timeout: 0 });
    database.exec('BEGIN EXCLUSIVE');
    const held = database;
    return () => held.close();
  } catch (error) {
    database?.close();
    return isBusy(error) ? 'busy' : 'unusable';
  }
}

/** SQLITE_BUSY is 5; extended codes carry it in their low byte (sqlite.org/rescode.html). */
function isBusy(error: unknown): boolean {
  return (
    error instanceof Error && 'errcode' in error && typeof error.errcode === 'number' && (error.errcode & 255) === 5
  );
}
