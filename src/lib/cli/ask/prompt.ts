/**
 * Prompts on a terminal: text, secrets, choices, values of flags that are missing, and the yes to a write on live. They are written to
 * stderr (stdout is data), and Ctrl-C at one ends the program with 130 and nothing sent. Prompts open only when `mayAsk` is true; every
 * one has a flag that answers it.
 */
import { Failure, usage } from '../../failure.ts';
import type { Context, contextOf } from '../context.ts';
import { suspendStatusLine } from '../output/status-line.ts';
import { wantsColour } from '../output/terminal-text.ts';
import { note } from '../output/write.ts';

/** The part of a flag that turns text into its value; oclif's own types for the rest are wider than what the checks use. */
export interface FlagParser<T> {
  parse: (text: string, command: never, flag: never) => Promise<T | undefined>;
}

/** The command that flags are parsed for. */
export type CommandHost = Parameters<typeof contextOf>[0];

export interface PromptContext {
  context: Context;
  command: CommandHost;
  /** Both ends are a terminal, and nobody forbade it (`--no-input`). */
  mayAsk: boolean;
}

export interface FlagQuestion<T> {
  /** `--company`. */
  flag: string;
  parser: FlagParser<T>;
  message: string;
  initial?: string;
  /** How the flag is used, for the error. */
  example: string;
}

/**
 * The value of a flag that was not given, asked for with the flag's own check.
 * @throws Failure `usage` naming the flag where nobody can be asked; `interrupted` on Ctrl-C at the prompt
 */
export async function askMissing<T>(asking: PromptContext, question: FlagQuestion<T>): Promise<T> {
  const { flag, parser, message, initial, example } = question;
  if (!asking.mayAsk) throw usage(`${flag} is missing`, { param: flag, next: `for example: ${example}` });
  const text = await askText(asking.context, message, {
    ...(initial === undefined ? {} : { initial }),
    check: (typed) => complaint(asking.command, parser, typed),
  });
  return parseWithFlag(parser, asking.command, text);
}

/** Text through the flag's own check. @throws Failure `usage` */
export async function parseWithFlag<T>(parser: FlagParser<T>, command: CommandHost, text: string): Promise<T> {
  const value = await parser.parse(text, command as never, parser as never);
  if (value === undefined) throw usage(`${JSON.stringify(text)} is not a value`);
  return value;
}

async function complaint<T>(command: CommandHost, parser: FlagParser<T>, text: string): Promise<true | string> {
  try {
    await parseWithFlag(parser, command, text);
    return true;
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return error.facts.next === undefined ? error.message : `${error.message}; ${error.facts.next}`;
  }
}

interface LiveWrite {
  /** What will happen: "create an application for 16093826". */
  summary: string;
  yes: boolean;
  mayAsk: boolean;
  /** What will be sent; shown before the question. */
  body?: unknown;
  /** Members of the body known to be pence. */
  pence?: readonly string[];
}

/**
 * On `live` a write needs a yes: a question on a terminal, `--yes` elsewhere (command-line.md#profiles-credentials-and-precedence).
 * @throws Failure `usage` without a yes
 */
export async function confirmLive(context: Context, environment: string, write: LiveWrite): Promise<void> {
  if (environment !== 'live' || write.yes) return;
  if (!write.mayAsk) {
    throw usage(`this would ${write.summary} on live`, {
      code: 'live_needs_yes',
      next: 'add --yes if that is what you want',
    });
  }
  if (write.body !== undefined) {
    const { humanFields } = await import('../output/format.ts');
    note(context, humanFields(write.body, String, write.pence).trimEnd());
  }
  if (!(await askYes(context, `LIVE: ${write.summary}?`)))
    throw usage('not confirmed; nothing was sent', { code: 'not_confirmed' });
}

type Check = (text: string) => true | string | Promise<true | string>;

export async function askText(
  context: Context,
  message: string,
  options: { initial?: string; check?: Check } = {},
): Promise<string> {
  const { initial, check } = options;
  return ask(context, {
    type: 'input',
    message,
    ...(initial ? { default: initial } : {}),
    ...(check ? { validate: check } : {}),
  });
}

/** What is typed is never shown. */
export async function askSecret(context: Context, message: string): Promise<string> {
  return ask(context, { type: 'password', message, mask: false, toggleMask: false });
}

export async function askChoice<T extends string>(
  context: Context,
  message: string,
  choices: readonly { value: T; name: string }[],
): Promise<T> {
  return ask(context, { type: 'select', message, choices: [...choices] });
}

/** A new passphrase is asked for twice: a typing mistake would lock its file for good. */
export async function askPassphrase(context: Context, exists: boolean): Promise<string> {
  if (exists) return askSecret(context, 'Passphrase of the encrypted file (not shown)');
  const first = await askSecret(context, 'New passphrase for the encrypted file (not shown)');
  const second = await askSecret(context, 'Repeat the passphrase (not shown)');
  if (first === second) return first;
  throw usage('the two passphrases differ; nothing was stored', { code: 'passphrases_differ' });
}

/** Several of many: all are selected at first, space deselects. */
export async function askMany(context: Context, message: string, values: readonly string[]): Promise<string[]> {
  const choices = values.map((value) => ({ value, name: value, checked: true }));
  return ask(context, { type: 'checkbox', message, choices, pageSize: 12 });
}

export async function askYes(context: Context, message: string, initial = false): Promise<boolean> {
  return ask(context, { type: 'confirm', message, default: initial });
}

async function ask<T>(context: Context, question: object): Promise<T> {
  const { default: inquirer } = await import('inquirer');
  const closed = new AbortController();
  // A closed input neither answers a prompt nor keeps the program running: it would end in the middle of the prompt, with status 0.
  const close = (): void => closed.abort();
  const onKeys = (keys: unknown): void => {
    if (String(keys) === CTRL_D) close();
  };
  const keepRunning = setInterval(() => undefined, 60_000);
  const resume = suspendStatusLine(context.stderr);
  context.stdin.on('data', onKeys).once('end', close).once('close', close);
  try {
    const prompt = inquirer.createPromptModule({
      input: context.stdin,
      output: outputOf(context),
      signal: AbortSignal.any([context.signal, closed.signal]),
    });
    const answers = (await prompt([{ ...question, name: 'answer' } as never])) as { answer: T };
    return answers.answer;
  } finally {
    clearInterval(keepRunning);
    resume();
    context.stdin.off('data', onKeys).off('end', close).off('close', close);
  }
}

/** inquirer colours whatever the settings: where there is to be no colour, it is removed on the way. Cursor movements are kept. */
function outputOf(context: Context): NodeJS.WritableStream {
  const stderr = context.stderr as unknown as NodeJS.WritableStream;
  if (wantsColour(context, context.stderr, true)) return stderr;
  const write = (chunk: string | Uint8Array, ...rest: never[]): boolean =>
    stderr.write(String(chunk).replaceAll(STYLES, ''), ...rest);
  return new Proxy(stderr, {
    get: (target, key) => {
      const value: unknown = Reflect.get(target, key);
      if (key === 'write') return write;
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

// oxlint-disable-next-line no-control-regex
const STYLES = /\u001b\[[\d;]*m/g;
const CTRL_D = '\u0004';
