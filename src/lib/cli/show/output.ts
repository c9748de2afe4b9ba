/**
 * Writes a result: stdout is data, stderr is for people. Every write waits for the reader, so no byte is lost in a slow pipe and
 * a reader that leaves stops the work instead of failing it.
 */
import { scalarText, writeJson } from '../../contract/json.ts';
import { colourOf, type Paint } from './colour.ts';
import type { Context, Output } from '../context.ts';
import { fieldLines, humanFields, humanRow, humanTable, row, valuesAt } from './render.ts';
import { idOf, type Result } from '../result.ts';
import { giveBack, makeRoom } from './standing-line.ts';
import { plain } from './text.ts';

/** How the user asked for the result (command-line.md#output). */
export interface View {
  json: boolean;
  field: string | null;
  quiet: boolean;
  color: boolean;
}

/** Writes a result to stdout in the view asked for. */
export async function emit(context: Context, view: View, result: Result): Promise<void> {
  if (result.kind === 'nothing') return;
  if (result.kind === 'stream') return emitStream(context, view, result);
  await send(context.stdout, await textOf(context, view, result));
}

/** A note for people, on stderr. Never awaited: it must not hold up data. */
export function note(context: Context, line: string): void {
  makeRoom(context.stderr);
  context.stderr.write(`${line}\n`);
}

/** Writes and waits until the reader took it; a reader that left is not an error. */
export function send(output: Output, text: string): Promise<void> {
  if (text === '') return Promise.resolve();
  makeRoom(output);
  return new Promise((resolve) => output.write(text, () => resolve()));
}

async function textOf(
  context: Context,
  view: View,
  result: Exclude<Result, { kind: 'stream' | 'nothing' }>,
): Promise<string> {
  const terminal = context.stdout.isTTY === true;
  if (view.field !== null) return fieldText(context, result.document, view.field);
  if (view.json) return jsonText(context, result.document, terminal ? 2 : undefined);
  if (result.kind === 'text') return `${terminal ? plain(result.text) : result.text}\n`;
  if (view.quiet) return ids(context, result.kind === 'page' ? result.items.map(idOf) : [result.id]);
  if (!terminal) {
    return result.kind === 'page'
      ? result.items.map((item) => row(item, result.columns)).join('')
      : fieldLines(result.document);
  }
  const paint = await colourOf(context, context.stdout, view.color);
  return result.kind === 'page'
    ? pageText(context, result, paint)
    : (result.human ?? humanFields(result.document, paint.dim, result.pence));
}

async function pageText(context: Context, result: Result & { kind: 'page' }, paint: Paint): Promise<string> {
  if (result.items.length === 0) {
    note(context, result.empty);
    return '';
  }
  return humanTable(result.items, result.columns, context.stdout.columns || 80, paint.dim);
}

async function emitStream(context: Context, view: View, result: Result & { kind: 'stream' }): Promise<void> {
  const terminal = context.stdout.isTTY === true;
  for await (const item of result.items) {
    const line =
      view.field !== null
        ? fieldText(context, item, view.field)
        : view.json
          ? jsonText(context, item)
          : view.quiet
            ? ids(context, [result.id(item)])
            : terminal && result.line
              ? `${result.line(item)}\n`
              : terminal
                ? humanRow(item, result.columns)
                : row(item, result.columns);
    // Both may be the same terminal.
    if (terminal) makeRoom(context.stderr);
    await sendUnlessStuck(context.stdout, line, context.signal);
    if (terminal) giveBack(context.stderr);
    if (context.signal.aborted && unread(context.signal.reason)) return;
  }
}

function fieldText(context: Context, document: unknown, path: string): string {
  const values = valuesAt(document, path);
  if (values.length === 0) {
    note(context, `note: the answer has no field ${path}`);
    return '\n';
  }
  const text = values.map((value) => `${scalarText(value)}\n`).join('');
  return context.stdout.isTTY === true ? plain(text) : text;
}

/** On a terminal, characters that JSON leaves bare and a terminal obeys are written as escapes: the same document. */
function jsonText(context: Context, document: unknown, indent?: number): string {
  const text = writeJson(document, indent);
  return `${context.stdout.isTTY === true ? text.replace(OBEYED, escape) : text}\n`;
}

const OBEYED = /[\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

function escape(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

function ids(context: Context, found: readonly (string | null)[]): string {
  const text = found.map((id) => (id === null ? '' : `${id}\n`)).join('');
  return context.stdout.isTTY === true ? plain(text) : text;
}

/** Nothing more can be written. */
function unread(why: unknown): boolean {
  return why === 'reader_gone' || why === 'not_written';
}

/** How long a reader that does not read may hold up a program that was asked to stop. */
const GRACE_MS = 500;

/** As `send`, but no longer than a moment once the program was asked to stop. Leaves no listener behind: a list has many lines. */
function sendUnlessStuck(output: Output, text: string, signal: AbortSignal): Promise<void> {
  if (text === '') return Promise.resolve();
  return new Promise((resolve) => {
    const leave = (): unknown => setTimeout(resolve, GRACE_MS).unref();
    if (signal.aborted) leave();
    else signal.addEventListener('abort', leave, { once: true });
    output.write(text, () => {
      signal.removeEventListener('abort', leave);
      resolve();
    });
  });
}

/** Resolves a moment after the program was asked to stop; never before. */
export function stuck(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const later = (): unknown => setTimeout(resolve, GRACE_MS).unref();
    if (signal.aborted) later();
    else signal.addEventListener('abort', later, { once: true });
  });
}
