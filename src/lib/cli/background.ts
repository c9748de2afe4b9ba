/** Starting this program again, detached, and waiting until it says that it is ready. */
import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { makePrivateFolder } from '../auth/private-file.ts';
import { isRecord } from '../contract/json.ts';
import { Failure } from '../failure.ts';
import type { Context } from './context.ts';

const PATIENCE_MS = 15_000;

/**
 * Runs `sandbox start` with the same words in a process of its own and returns what it wrote into its ready file.
 * @throws Failure with the words of the other process when it ended instead; `unavailable` after 15 s.
 */
export async function detach(context: Context, argv: readonly string[]): Promise<Record<string, unknown>> {
  makePrivateFolder(context.paths.state);
  const words = argv.filter((word) => !['--background', '-b', '--quiet', '-q'].includes(word));
  const own = words.indexOf('--ready-file');
  const readyFile = own === -1 ? join(context.paths.state, `ready-${context.uuid()}.json`) : (words[own + 1] ?? '');
  const logFile = join(context.paths.state, 'sandbox.log');
  const log = openSync(logFile, 'w', 0o600);
  const [interpreter, ...rest] = context.program;
  const ready = own === -1 ? ['--ready-file', readyFile] : [];
  const child = spawn(interpreter, [...rest, 'sandbox', 'start', ...words, ...ready], {
    detached: true,
    stdio: ['ignore', 'ignore', log],
    env: context.env as NodeJS.ProcessEnv,
    cwd: context.cwd,
  });
  closeSync(log);
  const ended = new Promise<number>((resolve) => {
    child.once('exit', (status) => resolve(status ?? 70));
    child.once('error', () => resolve(70));
  });
  try {
    return await readyOrEnded(readyFile, ended, logFile, context.signal);
  } finally {
    if (own === -1) await rm(readyFile, { force: true });
    child.unref();
  }
}

async function readyOrEnded(
  file: string,
  ended: Promise<number>,
  log: string,
  signal: AbortSignal,
): Promise<Record<string, unknown>> {
  let over = false;
  void ended.then(() => (over = true));
  for (let waited = 0; waited < PATIENCE_MS; waited += 25) {
    const ready = parsed(await readFile(file, 'utf8').catch(() => ''));
    if (ready) return ready;
    if (over) throw await wordsOf(log);
    if (signal.aborted) throw new Failure('interrupted', 'stopped while the sandbox was starting');
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Failure('unavailable', `the sandbox did not get ready in ${PATIENCE_MS / 1000} s`, {
    next: `see what it said: ${log}`,
  });
}

/** The other process ended: its error becomes ours. */
async function wordsOf(log: string): Promise<Failure> {
  const text = await readFile(log, 'utf8').catch(() => '');
  const document = parsed(text.trim().split('\n').at(-1) ?? '');
  const error = document?.['error'];
  if (isRecord(error) && typeof error['message'] === 'string') {
    const kind = error['kind'] === 'usage' ? 'usage' : 'unavailable';
    return new Failure(kind, error['message'], typeof error['next'] === 'string' ? { next: error['next'] } : {});
  }
  const [first = '', ...others] = text.trim().split('\n');
  const next = others.at(-1)?.trim();
  return new Failure(
    'unavailable',
    first.replace(/^error: /, '') || 'the sandbox ended while starting',
    next ? { next } : {},
  );
}

function parsed(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return isRecord(value) ? value : null;
  } catch {
    return null;
  }
}
