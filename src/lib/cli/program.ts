/**
 * The frame round every command: finds it, runs it, writes its result or its failure, and says with which status to end.
 *
 * oclif parses and dispatches; it never prints, never exits and never sees `--json` as its own flag, which disarms what it would
 * do under that flag (other statuses, silent notes, a dump of the command object; tests in test/cli/traps.test.ts).
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeJson } from '../contract/json.ts';
import { redactText } from '../contract/secrets.ts';
import { Failure } from '../failure.ts';
import { colourOf } from './output/terminal-text.ts';
import { type Context, contextKey } from './context.ts';
import { asFailure, errorDocument, errorLines, STATUS } from './explain.ts';
import { graceAfterStop, type View, writeResult, writeText } from './output/write.ts';
import type { Result } from './result.ts';

/** What a command learned from its flags that the frame needs: set by the base command once flags are parsed. */
export interface Ending {
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

export const endingKey: unique symbol = Symbol.for('credicorp.ending');

/** Runs one command line. @returns the exit status; everything written has reached its reader by then. */
export async function run(argv: readonly string[], lent: Context): Promise<number> {
  const context = flagged(argv, '--no-color') ? withoutColour(lent) : lent;
  const ending: Ending = {};
  let status: number;
  try {
    const result = await dispatch(argv, context, ending);
    if (result && ending.view) await writeResult(context, ending.view, result);
    status = interruptedStatus(context, ending) ?? ending.status ?? 0;
  } catch (error) {
    status = await fail(error, argv, context, ending);
  }
  await ending.close?.().catch(() => undefined);
  const flushing = Promise.all([flushed(context.stdout), flushed(context.stderr)]);
  await (context.signal.aborted ? Promise.race([flushing, graceAfterStop(context.signal)]) : flushing);
  return context.signal.reason === 'not_written' ? notWritten(context, ending, argv) : status;
}

/** What stdout is connected to refused the bytes: a full disk, a closed terminal. */
async function notWritten(context: Context, ending: Ending, argv: readonly string[]): Promise<number> {
  const failure = new Failure('unavailable', 'the result could not be written to stdout', {
    code: 'not_written',
    next: 'make room where stdout goes; what the command did stands: see credicorp logs tail --no-follow',
  });
  await tell(failure, argv, context, ending);
  return STATUS.unavailable;
}

async function dispatch(argv: readonly string[], context: Context, ending: Ending): Promise<Result | undefined> {
  if (argv[0] === '--version' || (argv[0] === 'version' && argv.length === 1)) {
    await writeText(context.stdout, `credicorp ${await versionOf(context)}\n`);
    return undefined;
  }
  if (argv[0] === '__complete') {
    const { completeLine } = await import('./completion/complete-line.ts');
    await writeText(context.stdout, await completeLine(argv.slice(1), context));
    return undefined;
  }
  if (argv.length === 0) {
    const { startPage } = await import('./start-page.ts');
    await writeText(context.stdout, await startPage(context));
    return undefined;
  }
  const { runCommand } = await import('./oclif.ts');
  return runCommand(argv, { [contextKey]: context, [endingKey]: ending }, context.root, context.fromSource);
}

/** The version in package.json. */
async function versionOf(context: Pick<Context, 'root'>): Promise<string> {
  const text = await readFile(join(context.root, 'package.json'), 'utf8');
  const version: unknown = Reflect.get(JSON.parse(text) as object, 'version');
  return String(version);
}

async function fail(error: unknown, argv: readonly string[], context: Context, ending: Ending): Promise<number> {
  const stopped = interruptedStatus(context, ending);
  if (stopped === 0) return 0;
  const failure = stopped === null ? asFailure(error, ending.command ?? '') : new Failure('interrupted', 'stopped');
  await tell(failure, argv, context, ending);
  return stopped ?? STATUS[failure.kind];
}

async function tell(failure: Failure, argv: readonly string[], context: Context, ending: Ending): Promise<void> {
  const json = ending.view?.json ?? flagged(argv, '--json');
  const paint = await colourOf(context, context.stderr, true);
  await writeText(context.stderr, json ? `${writeJson(errorDocument(failure))}\n` : errorLines(failure, paint));
  if (ending.debug === true && failure.kind === 'bug')
    await writeText(context.stderr, `${redactText(stackOf(failure.cause))}\n`);
}

/** 128 and the number of the signal. */
const SIGNALLED: Readonly<Record<string, number>> = { SIGHUP: 129, SIGINT: STATUS.interrupted, SIGTERM: 143 };

/** null when nothing interrupted the program. */
function interruptedStatus(context: Context, ending: Ending): number | null {
  if (!context.signal.aborted) return null;
  if (context.signal.reason === 'reader_gone' || ending.endsOnSignal === true) return 0;
  return SIGNALLED[String(context.signal.reason)] ?? STATUS.interrupted;
}

function flushed(output: Context['stdout']): Promise<void> {
  return new Promise((resolve) => output.write('', () => resolve()));
}

/** For what has to be known before flags are parsed. */
function flagged(argv: readonly string[], flag: string): boolean {
  const end = argv.indexOf('--');
  return (end === -1 ? argv : argv.slice(0, end)).includes(flag);
}

/** `--no-color` is `NO_COLOR` for whatever this run shows, asks and starts. */
function withoutColour(context: Context): Context {
  const env = { value: { ...context.env, NO_COLOR: '1' }, enumerable: true };
  return Object.defineProperties({} as Context, { ...Object.getOwnPropertyDescriptors(context), env });
}

function stackOf(cause: unknown): string {
  return cause instanceof Error && cause.stack !== undefined ? cause.stack : '';
}
