/**
 * Runs one command line: dispatches it, writes its result or its error, and returns the exit status.
 *
 * oclif parses and dispatches (`dispatch.ts`) but never prints and never exits: commands return a result or throw, and `BaseCommand`
 * (`command.ts`) overrides oclif's default behaviour. The tests in test/cli/traps.test.ts show each difference.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { safeJson, writeJson } from '../contract/json.ts';
import { redactText } from '../contract/secrets.ts';
import { Failure } from '../failure.ts';
import { colourOf, plain } from './output/terminal-text.ts';
import { type Context, contextKey, runProcess, type Start } from './context.ts';
import { asFailure, errorDocument, errorLines, STATUS } from './explain.ts';
import { graceAfterStop, type View, writeResult, writeText } from './output/write.ts';
import type { Result } from './result.ts';

/** What the frame needs to know about the running command; the base command fills it in once flags are parsed. */
export interface CommandState {
  view?: View;
  debug?: boolean;
  /** The command's natural end is Ctrl-C or SIGTERM (`listen`, `tail`, `start`): status 0. */
  endsOnSignal?: boolean;
  /** Closes what the command opened (connections, store). Called exactly once. */
  close?: () => Promise<void>;
  /** The command's name as typed, for the help hint. */
  command?: string;
  /** A status other than 0 for a result that is printed all the same (`--exit-status`). */
  status?: number;
}

/** The key under which the state is handed through oclif's load options to the command. */
export const stateKey: unique symbol = Symbol.for('credicorp.command-state');

/** The entry point of `bin`: runs the process's own command line and ends the process. */
export function main(start: Start): Promise<void> {
  return runProcess(start, run);
}

/** Runs one command line. @returns the exit status; everything written has reached its reader by then. */
export async function run(argv: readonly string[], given: Context): Promise<number> {
  const context = flagged(argv, '--no-color') ? withoutColour(given) : given;
  const state: CommandState = {};
  let status: number;
  try {
    const result = await dispatch(argv, context, state);
    if (result && state.view) await writeResult(context, state.view, result);
    status = interruptedStatus(context, state) ?? state.status ?? 0;
  } catch (error) {
    status = await fail(error, argv, context, state);
  }
  await state.close?.().catch(() => undefined);
  const flushing = Promise.all([flushed(context.stdout), flushed(context.stderr)]);
  await (context.signal.aborted ? Promise.race([flushing, graceAfterStop(context.signal)]) : flushing);
  return context.signal.reason === 'not_written' ? notWritten(context, state, argv) : status;
}

/** For a stdout that cannot be written: a full disk, a closed terminal. */
async function notWritten(context: Context, state: CommandState, argv: readonly string[]): Promise<number> {
  const failure = new Failure('unavailable', 'the result could not be written to stdout', {
    code: 'not_written',
    next: 'free some space; what the command did is not undone: see credicorp logs tail --no-follow',
  });
  await writeError(failure, argv, context, state);
  return STATUS.unavailable;
}

async function dispatch(argv: readonly string[], context: Context, state: CommandState): Promise<Result | undefined> {
  if (argv[0] === '--version' || (argv[0] === 'version' && argv.length === 1)) {
    await writeText(context.stdout, `credicorp ${await versionOf(context)}\n`);
    return undefined;
  }
  if (argv[0] === '__complete') {
    const { completeLine } = await import('./completion/completion.ts');
    await writeText(context.stdout, await completeLine(argv.slice(1), context));
    return undefined;
  }
  if (argv.length === 0) {
    const { startPage } = await import('./start-page.ts');
    await writeText(context.stdout, await startPage(context));
    return undefined;
  }
  const { runCommand } = await import('./dispatch.ts');
  return runCommand(argv, { [contextKey]: context, [stateKey]: state }, context.root, context.fromSource);
}

/** The version in package.json. */
async function versionOf(context: Pick<Context, 'root'>): Promise<string> {
  const text = await readFile(join(context.root, 'package.json'), 'utf8');
  const version: unknown = Reflect.get(JSON.parse(text) as object, 'version');
  return String(version);
}

async function fail(error: unknown, argv: readonly string[], context: Context, state: CommandState): Promise<number> {
  const stopped = interruptedStatus(context, state);
  if (stopped === 0) return 0;
  const failure = stopped === null ? asFailure(error, state.command ?? '') : stoppedBy(error);
  await writeError(failure, argv, context, state);
  return stopped ?? STATUS[failure.kind];
}

/** Of what the stop broke off, only that a write may have happened is worth telling. */
function stoppedBy(error: unknown): Failure {
  const facts = error instanceof Failure && error.facts.mayHaveHappened ? error.facts : {};
  return new Failure('interrupted', 'stopped', facts);
}

async function writeError(
  failure: Failure,
  argv: readonly string[],
  context: Context,
  state: CommandState,
): Promise<void> {
  const json = state.view?.json ?? flagged(argv, '--json');
  const paint = await colourOf(context, context.stderr, true);
  await writeText(
    context.stderr,
    json ? `${safeJson(writeJson(errorDocument(failure)))}\n` : errorLines(failure, paint),
  );
  if (state.debug === true && failure.kind === 'bug')
    await writeText(context.stderr, `${plain(redactText(stackOf(failure.cause)))}\n`);
}

/** 128 and the number of the signal. */
const SIGNALLED: Readonly<Record<string, number>> = { SIGHUP: 129, SIGINT: STATUS.interrupted, SIGTERM: 143 };

/** null when nothing interrupted the program. */
function interruptedStatus(context: Context, state: CommandState): number | null {
  if (!context.signal.aborted) return null;
  if (context.signal.reason === 'reader_gone' || state.endsOnSignal === true) return 0;
  return SIGNALLED[String(context.signal.reason)] ?? STATUS.interrupted;
}

function flushed(output: Context['stdout']): Promise<void> {
  return new Promise((resolve) => output.write('', () => resolve()));
}

/** Whether a flag is given, for what has to be known before flags are parsed. */
function flagged(argv: readonly string[], flag: string): boolean {
  const end = argv.indexOf('--');
  return (end === -1 ? argv : argv.slice(0, end)).includes(flag);
}

/** `--no-color` sets `NO_COLOR`, for prompts and started programs too. */
function withoutColour(context: Context): Context {
  const env = { value: { ...context.env, NO_COLOR: '1' }, enumerable: true };
  return Object.defineProperties({} as Context, { ...Object.getOwnPropertyDescriptors(context), env });
}

function stackOf(cause: unknown): string {
  return cause instanceof Error && cause.stack !== undefined ? cause.stack : '';
}
