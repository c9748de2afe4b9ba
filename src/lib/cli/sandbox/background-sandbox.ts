/** Starting the sandbox in a process of its own, and waiting until it is ready. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { childEnvironment } from '../../child-environment.ts';
import { isRecord } from '../../contract/json.ts';
import { Failure, type FailureFacts, type FailureKind, usage } from '../../failure.ts';
import { replaceFile, makePrivateFolder } from '../../files/private-files.ts';
import type { Context } from '../context.ts';
import { STATUS } from '../explain.ts';

const READY_LIMIT_MS = 15_000;
/** How long the other process may take to end after SIGTERM. */
const STOP_LIMIT_MS = 3000;

/**
 * Runs `sandbox start` with the same flags, detached, and returns what it wrote into its ready file; `already` when another one was
 * quicker. Whatever else happens, nothing is left running.
 * @param flags names and finished values, as parsed
 * @throws Failure: the other process's own, `unavailable` after 15 s, `interrupted`
 */
export async function startInBackground(
  context: Context,
  flags: readonly (readonly [name: string, value: unknown])[],
  copyTo: string | undefined,
): Promise<Record<string, unknown> | 'already'> {
  makePrivateFolder(context.paths.state);
  const readyFile = join(context.paths.state, `ready-${context.uuid()}.json`);
  const logFile = join(context.paths.state, 'sandbox.log');
  const child = start(
    context,
    ['sandbox', 'start', ...argumentsOf(flags), '--json', `--ready-file=${readyFile}`],
    logFile,
  );
  const ended = new Promise<number>((done) => {
    child.once('exit', (status) => done(status ?? STATUS.bug));
    child.once('error', () => done(STATUS.bug));
  });
  try {
    const ready = await readyOrEnded(readyFile, ended, logFile, context.signal);
    if (ready !== 'already' && copyTo !== undefined) {
      replaceFile(resolve(context.cwd, copyTo), `${JSON.stringify(ready)}\n`, 0o600);
    }
    child.unref();
    return ready;
  } catch (error) {
    child.kill('SIGTERM');
    await Promise.race([ended, new Promise((done) => setTimeout(done, STOP_LIMIT_MS))]);
    throw error;
  } finally {
    await rm(readyFile, { force: true });
  }
}

function start(context: Context, words: readonly string[], logFile: string): ChildProcess {
  const [interpreter, ...rest] = context.program;
  const log = openLog(logFile);
  try {
    return spawn(interpreter, [...rest, ...words], {
      detached: true,
      stdio: ['ignore', 'ignore', log],
      env: childEnvironment(context.env, tokensOf(context)),
      cwd: context.cwd,
    });
  } finally {
    closeSync(log);
  }
}

/** The sandbox's own tokens. */
function tokensOf({ env }: Context): Record<string, string> {
  const names = ['CREDICORP_SANDBOX_LOG_TOKEN', 'CREDICORP_SANDBOX_ADMIN_TOKEN'];
  return Object.fromEntries(names.flatMap((name) => (env[name] ? [[name, env[name]]] : [])));
}

function openLog(path: string): number {
  try {
    return openSync(path, 'w', 0o600);
  } catch (error) {
    throw usage(
      `${path} cannot be written`,
      { code: 'not_writable', next: 'make its folder writable, or choose another with CREDICORP_STATE_DIR' },
      error,
    );
  }
}

/** Flags as words; `--background` and the ready file are this side's business. */
function argumentsOf(flags: readonly (readonly [name: string, value: unknown])[]): string[] {
  return flags.flatMap(([name, value]) => {
    if (name === 'background' || name === 'ready-file' || value === undefined || value === false) return [];
    return value === true ? [`--${name}`] : [`--${name}=${String(value)}`];
  });
}

async function readyOrEnded(
  file: string,
  ended: Promise<number>,
  log: string,
  signal: AbortSignal,
): Promise<Record<string, unknown> | 'already'> {
  let status: number | null = null;
  void ended.then((with_) => (status = with_));
  for (let waited = 0; waited < READY_LIMIT_MS; waited += 25) {
    const ready = parsed(await readFile(file, 'utf8').catch(() => ''));
    if (ready && !signal.aborted) return ready;
    if (status === 0) return 'already';
    if (status !== null) throw await failureOf(log, status);
    if (signal.aborted) throw new Failure('interrupted', 'stopped while the sandbox was starting');
    await new Promise((done) => setTimeout(done, 25));
  }
  throw new Failure('unavailable', `the sandbox was not ready after ${READY_LIMIT_MS / 1000} s`, {
    next: `see its log: ${log}`,
  });
}

/** The other process's error document becomes ours; its status tells the kind where there is none. */
async function failureOf(log: string, status: number): Promise<Failure> {
  const text = await readFile(log, 'utf8').catch(() => '');
  const error = parsed(text.trim().split('\n').at(-1) ?? '')?.['error'];
  const kinds = Object.keys(STATUS) as FailureKind[];
  const kind = kinds.find((name) => STATUS[name] === status) ?? 'unavailable';
  if (!isRecord(error)) {
    return new Failure(kind, 'the sandbox ended while it was starting', { next: `see its log: ${log}` });
  }
  const textOf = (name: string): string | undefined => (typeof error[name] === 'string' ? error[name] : undefined);
  const facts = { code: textOf('code'), param: textOf('param'), next: textOf('next') };
  const known = Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== undefined)) as FailureFacts;
  return new Failure(kind, textOf('message') ?? 'the sandbox ended while it was starting', known);
}

function parsed(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return isRecord(value) ? value : null;
  } catch {
    return null;
  }
}
