/** What comes through a pipe: one secret, or lines without end. */
import { usage } from '../failure.ts';
import type { Context } from './context.ts';

const LARGEST = 64 * 1024;
const PATIENCE_MS = 30_000;

/** A secret: `pass show … | credicorp login --secret-stdin`. The first line, without its end. @throws Failure `usage` when stdin is a terminal, empty, or says nothing for 30 s. */
export async function readSecretFromStdin(context: Context): Promise<string> {
  if (context.stdin.isTTY === true) {
    throw usage('stdin is a terminal, and a secret typed there would show', {
      next: 'pipe it in, or leave out the flag and be asked',
    });
  }
  const limit = AbortSignal.any([context.signal, AbortSignal.timeout(PATIENCE_MS)]);
  const text = await Promise.race([readAll(context.stdin), ended(limit)]);
  const [first = ''] = text.split(/\r?\n/);
  if (first === '')
    throw usage('no secret came on stdin', {
      next: 'pipe it in: printf %s "$SECRET" | credicorp login --secret-stdin',
    });
  return first;
}

/** A line longer than this is no line of text. */
const LONGEST_LINE = 1024 * 1024;

/**
 * The lines as they come, without their ends; ends when the input ends or the signal is aborted.
 * @throws Failure `usage` when a line is longer than 1 MiB
 */
export async function* linesOf(stdin: NodeJS.ReadableStream, signal: AbortSignal): AsyncGenerator<string> {
  const stop = (): void => (stdin as { destroy?: () => void }).destroy?.();
  signal.addEventListener('abort', stop, { once: true });
  let rest = '';
  try {
    stdin.setEncoding('utf8');
    for await (const chunk of stdin) {
      const lines = (rest + String(chunk)).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) yield line.replace(/\r$/, '');
      if (rest.length > LONGEST_LINE) throw usage('a line on stdin is longer than 1 MiB');
    }
    if (rest !== '') yield rest;
  } catch (error) {
    // Destroyed by us: the command is being stopped.
    if (!signal.aborted) throw error;
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

async function readAll(stdin: NodeJS.ReadableStream): Promise<string> {
  let text = '';
  for await (const chunk of stdin) {
    text += String(chunk);
    if (text.length > LARGEST) throw usage('what came on stdin is too long for a secret');
  }
  return text;
}

function ended(signal: AbortSignal): Promise<string> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve('');
    else signal.addEventListener('abort', () => resolve(''), { once: true });
  });
}
