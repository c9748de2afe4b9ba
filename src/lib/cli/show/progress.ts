/** A spinner on stderr for anything slower than about 300 ms; silent where stderr is not a terminal. */
import type { Context } from '../context.ts';
import { standingLine } from './standing-line.ts';

export interface Progress {
  /** Changes what is being waited for. */
  say(label: string): void;
  stop(): void;
}

const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
const PLAIN = ['-', '\\', '|', '/'];

/** Inside another one, silent: the first says what is being waited for. */
export function progress(context: Pick<Context, 'stderr' | 'env'>, label: string): Progress {
  const frames = context.env['TERM'] === 'dumb' ? PLAIN : FRAMES;
  let current = label;
  let tick = 0;
  const text = (): string => {
    tick += 1;
    const room = Math.max(10, (context.stderr.columns || 80) - 3);
    return `${frames[tick % frames.length]} ${current.slice(0, room)}`;
  };
  const line = standingLine(context, text, { afterMs: 300, everyMs: 120 });
  return {
    say(next) {
      current = next;
    },
    stop: () => line?.stop(),
  };
}

/** Shows a spinner while the promise is under way. */
export async function during<T>(context: Pick<Context, 'stderr' | 'env'>, label: string, work: Promise<T>): Promise<T> {
  const spinner = progress(context, label);
  try {
    return await work;
  } finally {
    spinner.stop();
  }
}
