/** Reads stdin: one secret, a token, or lines as they come. */
import { usage } from '../failure.ts';
import type { Context } from './context.ts';
import type { Session } from './session.ts';

/** Characters. */
const LONGEST_SECRET = 64 * 1024;
const TIMEOUT_MS = 30_000;

/** A secret, as in `pass show … | credicorp login --secret-stdin`: the first line without its end. @throws Failure `usage` when stdin is a terminal, empty, or silent for 30 s */
export async function readSecretFromStdin(context: Context): Promise<string> {
  if (context.stdin.isTTY === true) {
    throw usage('stdin is a terminal: a secret typed there would be shown', {
      next: 'pipe the secret in, or leave out the flag to be asked for it',
    });
  }
  const limit = AbortSignal.any([context.signal, AbortSignal.timeout(TIMEOUT_MS)]);
  const text = await Promise.race([readAll(context.stdin), ended(limit)]);
  const [first = ''] = text.split(/\r?\n/);
  if (first === '')
    throw usage('no secret was found on stdin', {
      next: 'pipe the secret in: printf %s "$SECRET" | credicorp login --secret-stdin',
    });
  return first;
}

/** The token a command is about: from stdin, else the session's own. @throws Failure `usage` where a secret key is used instead of tokens */
export async function tokenFromStdinOrSession(context: Context, session: Session, fromStdin: boolean): Promise<string> {
  if (!fromStdin && session.identity.mode === 'secret_key') {
    throw usage('there is no token: the secret key is sent as the bearer itself', {
      code: 'no_tokens',
      next: 'check it with credicorp whoami --check, or pipe a token in with --token-stdin',
    });
  }
  if (!fromStdin) return session.token({ refused: null });
  const token = (await readSecretFromStdin(context)).trim();
  session.hide(token);
  return token;
}

/** Characters. */
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
    if (text.length > LONGEST_SECRET) throw usage('the input on stdin is too long for a secret');
  }
  return text;
}

function ended(signal: AbortSignal): Promise<string> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve('');
    else signal.addEventListener('abort', () => resolve(''), { once: true });
  });
}
