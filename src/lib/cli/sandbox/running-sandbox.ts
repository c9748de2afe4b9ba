/** The note a running embedded sandbox leaves in the state folder, so that the next command finds it. */
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isRecord } from '../../contract/json.ts';
import { holdLock } from '../../files/lock.ts';
import { writePrivate, makePrivateFolder } from '../../files/private-files.ts';
import type { Context } from '../context.ts';

export interface RunningSandbox {
  pid: number;
  base_url: string;
  started_at: string;
  /** Whose API it imitates. */
  provider: string;
}

/**
 * The sandbox that says it runs, or null. A note of a process that is gone does not count. Cheap, and good enough to look for a
 * base; whoever is about to end a process asks `surelyRunning`.
 */
export async function runningSandbox(
  context: Pick<Context, 'paths' | 'signalProcess'>,
): Promise<RunningSandbox | null> {
  const text = await readFile(noteFile(context), 'utf8').catch(() => null);
  if (text === null) return null;
  const found = readNote(text);
  return found && context.signalProcess(found.pid, 0) ? found : null;
}

/**
 * The sandbox that runs beyond doubt: it holds its lock, which no other process does, whatever became of its number (a note outlives
 * a killed process, a restart of the machine, a container).
 */
export async function surelyRunning(context: Pick<Context, 'paths' | 'signalProcess'>): Promise<RunningSandbox | null> {
  const lock = await holdSandboxLock(context);
  if (typeof lock === 'function') {
    lock();
    return null;
  }
  // Between taking the lock and leaving the note it starts to listen.
  for (let waited = 0; waited < 3000; waited += 25) {
    const found = await runningSandbox(context);
    if (found || lock === 'unusable') return found;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  return null;
}

/** One sandbox for each state folder. @throws Failure `usage` when the folder cannot be written */
export async function holdSandboxLock({ paths }: Pick<Context, 'paths'>): Promise<'busy' | 'unusable' | (() => void)> {
  makePrivateFolder(paths.state);
  return holdLock(join(paths.state, 'sandbox.lock'));
}

/** @throws Failure `usage` when the state folder cannot be written */
export function leaveNote(
  { paths }: Pick<Context, 'paths'>,
  { pid, base_url, started_at, provider }: RunningSandbox,
): void {
  writePrivate(noteFile({ paths }), `${JSON.stringify({ pid, base_url, started_at, provider })}\n`);
}

/** Removes the note if it is still this process's own. */
export async function removeNote(context: Pick<Context, 'paths'>, pid: number): Promise<void> {
  const text = await readFile(noteFile(context), 'utf8').catch(() => '');
  if (readNote(text)?.pid === pid) await rm(noteFile(context), { force: true });
}

function noteFile(context: Pick<Context, 'paths'>): string {
  return join(context.paths.state, 'sandbox.json');
}

function readNote(text: string): RunningSandbox | null {
  try {
    const value: unknown = JSON.parse(text);
    if (!isRecord(value) || !isProcess(value['pid']) || typeof value['base_url'] !== 'string') return null;
    return {
      pid: value['pid'],
      base_url: value['base_url'],
      started_at: String(value['started_at'] ?? ''),
      provider: String(value['provider'] ?? 'credicorp'),
    };
  } catch {
    return null;
  }
}

/** 0 and what is negative would mean whole groups of processes, 1 the system's own. */
function isProcess(pid: unknown): pid is number {
  return typeof pid === 'number' && Number.isInteger(pid) && pid > 1;
}
