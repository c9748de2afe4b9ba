/** Runs a command line inside a running command: with streams in memory, no stdin and an interrupt of its own. */
import { Readable } from 'node:stream';
import { isRecord } from '../contract/json.ts';
import type { Context, Interruption, Output } from './context.ts';
import { run } from './program.ts';

export interface InProcessRun {
  /** Resolves with the exit status. */
  ended: Promise<number>;
  interrupt(why: Interruption): void;
}

interface InProcessOptions {
  stdout: Output;
  stderr: Output;
  /** The outer command's Ctrl-C does not stop it. */
  ignoreInterrupt?: boolean;
  /** Other folders, another environment. */
  changes?: Partial<Context>;
}

/** Starts it at once. It is interrupted when the outer command is, unless `ignoreInterrupt` is set. */
export function runInProcess(
  argv: readonly string[],
  outer: Context,
  { stdout, stderr, ignoreInterrupt = false, changes = {} }: InProcessOptions,
): InProcessRun {
  const controller = new AbortController();
  const interrupt = (why: Interruption): void => controller.abort(why);
  const onOuter = (): void => controller.abort(outer.signal.reason);
  if (!ignoreInterrupt) {
    if (outer.signal.aborted) onOuter();
    outer.signal.addEventListener('abort', onOuter, { once: true });
  }
  const stdin = Object.assign(Readable.from([]), { isTTY: false });
  const context = { ...outer, stdout, stderr, stdin, interrupt, signal: controller.signal, ...changes };
  const ended = run(argv, context).finally(() => outer.signal.removeEventListener('abort', onOuter));
  return { ended, interrupt };
}

/** A stream that keeps what is written to it as text. */
export class CapturedOutput implements Output {
  readonly isTTY = false;
  readonly #onText: ((output: CapturedOutput) => void) | undefined;
  text = '';

  /** @param onText called after each write */
  constructor(onText?: (output: CapturedOutput) => void) {
    this.#onText = onText;
  }

  write(chunk: string | Uint8Array, callback?: (error?: Error | null) => void): boolean {
    this.text += typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString();
    this.#onText?.(this);
    if (callback) setImmediate(callback);
    return true;
  }

  on(): this {
    return this;
  }

  /** The JSON objects among the lines. */
  documents(): Record<string, unknown>[] {
    return this.text.split('\n').flatMap((line) => {
      try {
        const value: unknown = JSON.parse(line);
        return isRecord(value) ? [value] : [];
      } catch {
        return [];
      }
    });
  }
}
