/** A command run inside another one by the real frame: with streams in memory, no stdin, and a signal of its own. */
import { Readable } from 'node:stream';
import { isRecord } from '../contract/json.ts';
import type { Context, Interruption, Output } from './context.ts';

export interface Inner {
  context: Context;
  interrupt(why: Interruption): void;
  /** The outer program's end is no longer passed on. */
  detach(): void;
}

/** @param follow the outer program's Ctrl-C stops it too */
export function innerContext(
  outer: Context,
  streams: Pick<Context, 'stdout' | 'stderr'>,
  { follow = true, changes = {} }: { follow?: boolean; changes?: Partial<Context> } = {},
): Inner {
  const controller = new AbortController();
  const interrupt = (why: Interruption): void => controller.abort(why);
  const pass = (): void => controller.abort(outer.signal.reason);
  if (follow && outer.signal.aborted) pass();
  if (follow) outer.signal.addEventListener('abort', pass, { once: true });
  const stdin = Object.assign(Readable.from([]), { isTTY: false });
  return {
    context: { ...outer, ...streams, stdin, interrupt, signal: controller.signal, ...changes },
    interrupt,
    detach: () => outer.signal.removeEventListener('abort', pass),
  };
}

/** Keeps what a command writes. */
export class Memory implements Output {
  readonly isTTY = false;
  readonly #onText: ((memory: Memory) => void) | undefined;
  text = '';

  /** @param onText called after each write */
  constructor(onText?: (memory: Memory) => void) {
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
