/** A spinner on stderr for anything slower than about 300 ms; silent where stderr is not a terminal. */
import type { Context } from './context.ts';

export interface Progress {
  /** Changes what is being waited for. */
  say(label: string): void;
  stop(): void;
}

const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
const PLAIN = ['-', '\\', '|', '/'];

export function progress(context: Pick<Context, 'stderr' | 'env'>, label: string): Progress {
  if (context.stderr.isTTY !== true) return { say: () => undefined, stop: () => undefined };
  const frames = context.env['TERM'] === 'dumb' ? PLAIN : FRAMES;
  let current = label;
  let shown = false;
  let tick = 0;
  const draw = (): void => {
    shown = true;
    tick += 1;
    const room = Math.max(10, (context.stderr.columns ?? 80) - 3);
    context.stderr.write(`\r\u001b[K${frames[tick % frames.length]} ${current.slice(0, room)}`);
  };
  let timer = setTimeout(() => {
    draw();
    timer = setInterval(draw, 120);
  }, 300);
  return {
    say(next) {
      current = next;
    },
    stop() {
      clearTimeout(timer);
      clearInterval(timer);
      if (shown) context.stderr.write('\r\u001b[K');
      shown = false;
    },
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
