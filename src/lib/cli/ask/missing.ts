/** A value that was not given: asked for on a terminal, with the flag's own check in place; elsewhere a mistake that names the flag. */
import { Failure, usage } from '../../failure.ts';
import type { Context, contextOf } from '../context.ts';

/** The part of a flag that turns text into its value; oclif's own types for the rest are wider than what the checks use. */
export interface Reader<T> {
  parse: (text: string, command: never, flag: never) => Promise<T | undefined>;
}

/** What the flags' checks want to know about. */
export type Host = Parameters<typeof contextOf>[0];

export interface Asking {
  context: Context;
  command: Host;
  mayAsk: boolean;
}

export interface Question<T> {
  /** `--company`. */
  flag: string;
  reader: Reader<T>;
  message: string;
  initial?: string;
  /** How the flag is used, for the mistake. */
  example: string;
}

/** @throws Failure `usage` naming the flag where nobody can be asked; `interrupted` on Ctrl-C at the question */
export async function askedFor<T>(asking: Asking, question: Question<T>): Promise<T> {
  const { flag, message, initial, example } = question;
  if (!asking.mayAsk) throw usage(`${flag} is missing`, { param: flag, next: `for example: ${example}` });
  const { askText } = await import('./prompt.ts');
  const text = await askText(asking.context, message, {
    ...(initial === undefined ? {} : { initial }),
    check: (typed) => complaint(asking.command, question, typed),
  });
  return readText(question.reader, asking.command, text);
}

/** Text through the flag's own check. @throws Failure `usage` */
export async function readText<T>(reader: Reader<T>, command: Host, text: string): Promise<T> {
  const value = await reader.parse(text, command as never, reader as never);
  if (value === undefined) throw usage(`${JSON.stringify(text)} is no value`);
  return value;
}

async function complaint<T>(command: Host, { reader }: Question<T>, text: string): Promise<true | string> {
  try {
    await readText(reader, command, text);
    return true;
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return error.facts.next === undefined ? error.message : `${error.message}; ${error.facts.next}`;
  }
}
