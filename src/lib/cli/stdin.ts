/** One secret from a pipe: `pass show … | credicorp login --secret-stdin`. */
import { usage } from '../failure.ts';
import type { Context } from './context.ts';

const LARGEST = 64 * 1024;
const PATIENCE_MS = 30_000;

/** The first line, without its end. @throws Failure `usage` when stdin is a terminal, empty, or says nothing for 30 s. */
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
