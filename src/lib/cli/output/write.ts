/**
 * Writes results and notes: stdout is data, stderr is for people. Every write waits for the reader, so no byte is lost in a slow pipe
 * and a reader that leaves stops the work instead of failing it.
 */
import { scalarText, safeJson, writeJson } from '../../contract/json.ts';
import type { Context, Output } from '../context.ts';
import { idOf, type Result } from '../result.ts';
import { fieldLines, humanFields, humanRow, tabRow, valuesAt } from './format.ts';
import { clearStatusLine, redrawStatusLine } from './status-line.ts';
import { colourOf, escapeControls, plain } from './terminal-text.ts';

/** How the user asked for the result (command-line.md#output). */
export interface View {
  json: boolean;
  field: string | null;
  /** The values of `field` as they came, control characters included. */
  raw: boolean;
  quiet: boolean;
  color: boolean;
}

/** Writes a result to stdout in the view asked for. */
export async function writeResult(context: Context, view: View, result: Result): Promise<void> {
  if (result.kind === 'nothing') return;
  if (result.kind === 'stream') return writeStream(context, view, result);
  await writeText(context.stdout, await resultText(context, view, result));
}

/** A line for people, on stderr. Not awaited: it must not hold up data. */
export function note(context: Context, line: string): void {
  clearStatusLine(context.stderr);
  context.stderr.write(`${line}\n`);
}

/** Writes, and waits until the reader took it; a reader that left is not an error. */
export function writeText(output: Output, text: string): Promise<void> {
  if (text === '') return Promise.resolve();
  clearStatusLine(output);
  return new Promise((resolve) => output.write(text, () => resolve()));
}

async function resultText(
  context: Context,
  view: View,
  result: Exclude<Result, { kind: 'stream' | 'nothing' }>,
): Promise<string> {
  const terminal = context.stdout.isTTY === true;
  if (view.field !== null) return fieldText(context, result.document, view.field, view.raw);
  if (view.json) return jsonText(result.document, terminal ? 2 : undefined);
  if (result.kind === 'text') return `${terminal ? plain(result.text) : result.text}\n`;
  if (view.quiet) return idText(result.kind === 'page' ? result.items.map(idOf) : [result.id]);
  if (!terminal) {
    return result.kind === 'page'
      ? result.items.map((item) => tabRow(item, result.columns)).join('')
      : fieldLines(result.document);
  }
  const { dim } = await colourOf(context, context.stdout, view.color);
  if (result.kind === 'object') return result.human ?? humanFields(result.document, dim, result.pence);
  if (result.items.length > 0) {
    const { itemTable } = await import('./table.ts');
    return itemTable(result.items, result.columns, context.stdout.columns || 80, dim);
  }
  note(context, result.empty);
  return '';
}

/** Writes items as they arrive; none is kept. */
async function writeStream(context: Context, view: View, result: Result & { kind: 'stream' }): Promise<void> {
  const terminal = context.stdout.isTTY === true;
  const line = (item: unknown): string => {
    if (view.field !== null) return fieldText(context, item, view.field, view.raw);
    if (view.json) return jsonText(item);
    if (view.quiet) return idText([result.id(item)]);
    if (!terminal) return tabRow(item, result.columns);
    return result.line ? `${result.line(item)}\n` : humanRow(item, result.columns);
  };
  for await (const next of result.items) {
    // Both may be the same terminal.
    if (terminal) clearStatusLine(context.stderr);
    for (const item of result.paged && Array.isArray(next) ? next : [next]) {
      const falling = writeUntilStopped(context.stdout, line(item), context.signal);
      if (falling !== undefined) await falling;
      if (context.signal.aborted && cannotWrite(context.signal.reason)) return;
    }
    if (terminal) redrawStatusLine(context.stderr);
  }
}

function fieldText(context: Context, document: unknown, path: string, raw: boolean): string {
  const values = valuesAt(document, path);
  if (values.length === 0) {
    note(context, `note: the answer has no field ${path}`);
    return '\n';
  }
  return values.map((value) => `${raw ? scalarText(value) : escapeControls(scalarText(value))}\n`).join('');
}

/** Control characters that JSON allows unescaped are escaped too, for a pipe as well: its reader may be a terminal's. */
function jsonText(document: unknown, indent?: number): string {
  return `${safeJson(writeJson(document, indent))}\n`;
}

function idText(ids: readonly (string | null)[]): string {
  return ids.map((id) => (id === null ? '' : `${escapeControls(id)}\n`)).join('');
}

function cannotWrite(abortReason: unknown): boolean {
  return abortReason === 'reader_gone' || abortReason === 'not_written';
}

/** How long a reader that does not read may hold up a program that was asked to stop. */
const GRACE_MS = 500;

/**
 * Writes a line of many, and waits for the reader only when it has fallen behind; no longer than the grace period once the program was
 * asked to stop. Leaves no listener behind.
 */
function writeUntilStopped(output: Output, text: string, signal: AbortSignal): Promise<void> | undefined {
  if (text === '') return undefined;
  let taken: (() => void) | undefined;
  if (output.write(text, () => taken?.())) return undefined;
  return new Promise((resolve) => {
    const giveUp = (): unknown => setTimeout(resolve, GRACE_MS).unref();
    if (signal.aborted) giveUp();
    else signal.addEventListener('abort', giveUp, { once: true });
    taken = () => {
      signal.removeEventListener('abort', giveUp);
      resolve();
    };
  });
}

/** Resolves a grace period (500 ms) after the program was asked to stop; never before. */
export function graceAfterStop(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const giveUp = (): unknown => setTimeout(resolve, GRACE_MS).unref();
    if (signal.aborted) giveUp();
    else signal.addEventListener('abort', giveUp, { once: true });
  });
}
