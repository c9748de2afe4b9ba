/** The run file: a running sandbox writes its process and address into the state folder, so that other commands find it. */
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isRecord } from '../../contract/json.ts';
import { holdLock } from '../../files/lock.ts';
import { assertOurs, writePrivate, makePrivateFolder } from '../../files/private-files.ts';
import type { Context } from '../context.ts';

export interface RunningSandbox {
  pid: number;
  base_url: string;
  started_at: string;
  /** Whose API it imitates. */
  provider: string;
  /** For its admin routes; null where they need none. Never printed. */
  admin_token: string | null;
}

/**
 * The sandbox of the run file, or null when its process is gone. Cheap, and sufficient to find the
 * base URL; use `confirmedSandbox` before ending a process.
 * @throws Failure `usage` (`not_ours`) when another user could have written the file: our calls would go to his server
 */
export async function runningSandbox(
  context: Pick<Context, 'paths' | 'signalProcess'>,
): Promise<RunningSandbox | null> {
  const text = await readFile(runFile(context), 'utf8').catch(() => null);
  if (text === null) return null;
  assertOurs(runFile(context));
  const found = readRunFile(text);
  return found && context.signalProcess(found.pid, 0) ? found : null;
}

/**
 * The sandbox that runs beyond doubt: it holds its lock, which no other process does, whatever became of its number (a run file outlives
 * a killed process, a restart of the machine, a container).
 */
export async function confirmedSandbox(
  context: Pick<Context, 'paths' | 'signalProcess'>,
): Promise<RunningSandbox | null> {
  const lock = await holdSandboxLock(context);
  if (typeof lock === 'function') {
    lock();
    return null;
  }
  // Between taking the lock and writing the run file it starts to listen.
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
export function writeRunFile(
  { paths }: Pick<Context, 'paths'>,
  { pid, base_url, started_at, provider, admin_token }: RunningSandbox,
): void {
  writePrivate(runFile({ paths }), `${JSON.stringify({ pid, base_url, started_at, provider, admin_token })}\n`);
}

/** Removes the run file if it is still this process's own. */
export async function removeRunFile(context: Pick<Context, 'paths'>, pid: number): Promise<void> {
  const text = await readFile(runFile(context), 'utf8').catch(() => '');
  if (readRunFile(text)?.pid === pid) await rm(runFile(context), { force: true });
}

function runFile(context: Pick<Context, 'paths'>): string {
  return join(context.paths.state, 'sandbox.json');
}

function readRunFile(text: string): RunningSandbox | null {
  try {
    const value: unknown = JSON.parse(text);
    if (!isRecord(value) || !isProcess(value['pid']) || typeof value['base_url'] !== 'string') return null;
    return {
      pid: value['pid'],
      base_url: value['base_url'],
      started_at: String(value['started_at'] ?? ''),
      provider: String(value['provider'] ?? 'credicorp'),
      admin_token: typeof value['admin_token'] === 'string' ? value['admin_token'] : null,
    };
  } catch {
    return null;
  }
}

/** 0 and what is negative would mean whole groups of processes, 1 the system's own. */
function isProcess(pid: unknown): pid is number {
  return typeof pid === 'number' && Number.isInteger(pid) && pid > 1;
}
