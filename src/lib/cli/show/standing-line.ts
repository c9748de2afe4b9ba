/**
 * The one line at the foot of a terminal that comes and goes: a spinner, a bar. Whatever else is written there takes it away first, and
 * it comes back by itself; while a question is open it stays away. The first that stands stays: another inside it is not shown.
 */
import type { Context, Output } from '../context.ts';

export interface StandingLine {
  /** Takes it away until it is drawn the next time. */
  hide(): void;
  /** Draws it at once where it was taken away. */
  back(): void;
  stop(): void;
}

interface Foot {
  line: StandingLine | null;
  /** Questions that are open. */
  questions: number;
}

const feet = new WeakMap<Output, Foot>();

/** @param text the line of this moment @returns null where stderr is not a terminal, or where one stands already */
export function standingLine(
  { stderr }: Pick<Context, 'stderr'>,
  text: () => string,
  { afterMs, everyMs }: { afterMs: number; everyMs: number },
): StandingLine | null {
  const foot = footOf(stderr);
  if (stderr.isTTY !== true || foot.line !== null) return null;
  let shown = false;
  let away = false;
  const draw = (): void => {
    if (foot.questions > 0) return;
    shown = true;
    away = false;
    stderr.write(`\r\u001b[K${text()}`);
  };
  let timer = setTimeout(() => {
    draw();
    timer = setInterval(draw, everyMs);
  }, afterMs);
  const hide = (): void => {
    if (shown) stderr.write('\r\u001b[K');
    away ||= shown;
    shown = false;
  };
  const line: StandingLine = {
    hide,
    back() {
      if (away) draw();
    },
    stop() {
      clearTimeout(timer);
      clearInterval(timer);
      hide();
      away = false;
      if (foot.line === line) foot.line = null;
    },
  };
  foot.line = line;
  return line;
}

/** To be called before anything else is written there. */
export function makeRoom(output: Output): void {
  feet.get(output)?.line?.hide();
}

/** After what was written: a list whose lines come faster than the line is drawn would hide it for good. */
export function giveBack(output: Output): void {
  feet.get(output)?.line?.back();
}

/** Keeps the line away while a question is open. @returns the way to let it come back */
export function holdLine(output: Output): () => void {
  const foot = footOf(output);
  foot.questions += 1;
  makeRoom(output);
  return () => {
    foot.questions -= 1;
  };
}

function footOf(output: Output): Foot {
  const foot = feet.get(output) ?? { line: null, questions: 0 };
  feet.set(output, foot);
  return foot;
}
