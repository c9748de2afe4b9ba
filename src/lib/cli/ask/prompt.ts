/**
 * Questions on a terminal. They are written to stderr (stdout is data), and Ctrl-C at one ends the program with 130 and nothing
 * sent. Callers ask only when `mayAsk` is true; every question has a flag.
 */
import { usage } from '../../failure.ts';
import { wantsColour } from '../output/terminal-text.ts';
import type { Context } from '../context.ts';
import { suspendStatusLine } from '../output/status-line.ts';

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

/** What is typed is not shown, and no key shows it. */
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

/** A new passphrase is asked for twice: what was mistyped once would lock its file for good. */
export async function askPassphrase(context: Context, exists: boolean): Promise<string> {
  if (exists) return askSecret(context, 'Passphrase of the encrypted file (not shown)');
  const first = await askSecret(context, 'New passphrase of the encrypted file (not shown)');
  const second = await askSecret(context, 'The same once more (not shown)');
  if (first === second) return first;
  throw usage('the two passphrases differ; nothing was stored', { code: 'passphrases_differ' });
}

/** All are chosen to begin with; space takes one out. */
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
  // A closed input settles nothing at a prompt and keeps nobody waiting: the program would end in the middle of it, with 0.
  const close = (): void => closed.abort();
  const onKeys = (keys: unknown): void => {
    if (String(keys) === CTRL_D) close();
  };
  const open = setInterval(() => undefined, 60_000);
  const letBack = suspendStatusLine(context.stderr);
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
    clearInterval(open);
    letBack();
    context.stdin.off('data', onKeys).off('end', close).off('close', close);
  }
}

/** What asks colours as it likes: where there is to be no colour, it is taken out on the way. Where the cursor stands is left alone. */
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
