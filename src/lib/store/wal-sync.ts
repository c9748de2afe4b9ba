/**
 * Waiting for the disk without holding up everything else. SQLite's own `synchronous=FULL` syncs the write-ahead log inside each
 * commit and so stops the event loop; syncing the same file from a thread afterwards gives the same promise
 * (sqlite.org/wal.html), and one wait serves all commits made meanwhile. Locks are never on this file, so closing our
 * descriptor takes none away.
 */
import { closeSync, fdatasync, openSync } from 'node:fs';

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
      // One that is under way may have begun before the caller's commit: it does not count.
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
