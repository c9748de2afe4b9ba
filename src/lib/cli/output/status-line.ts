/**
 * The status line at the foot of a terminal: a spinner or a progress bar on stderr. Whatever else is written there clears it first, and
 * it is drawn again by itself; while a prompt is open it stays away. There is one at a time: another started meanwhile is not shown.
 * Silent where stderr is not a terminal.
 */
import type { Context, Output } from '../context.ts';

export interface Spinner {
  /** Changes what is being waited for. */
  setLabel(label: string): void;
  stop(): void;
}

const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
const ASCII_FRAMES = ['-', '\\', '|', '/'];

/** A spinner for anything slower than about 300 ms. */
export function startSpinner(context: Pick<Context, 'stderr' | 'env'>, label: string): Spinner {
  const frames = context.env['TERM'] === 'dumb' ? ASCII_FRAMES : FRAMES;
  let current = label;
  let tick = 0;
  const text = (): string => {
    tick += 1;
    const room = Math.max(10, (context.stderr.columns || 80) - 3);
    return `${frames[tick % frames.length]} ${current.slice(0, room)}`;
  };
  const stop = startStatusLine(context, text, { afterMs: 300, everyMs: 120 });
  return {
    setLabel(next) {
      current = next;
    },
    stop,
  };
}

/** Shows a spinner until the promise settles. */
export async function withSpinner<T>(
  context: Pick<Context, 'stderr' | 'env'>,
  label: string,
  work: Promise<T>,
): Promise<T> {
  const spinner = startSpinner(context, label);
  try {
    return await work;
  } finally {
    spinner.stop();
  }
}

export interface ProgressBar {
  /** Counts one more item. */
  step(failed: boolean): void;
  stop(): void;
}

const BAR_WIDTH = 24;

/** A bar for work whose end is known: done, rate, failed, time left. */
export function startProgressBar(context: Pick<Context, 'stderr' | 'env' | 'ticks'>, total: number): ProgressBar {
  const began = context.ticks();
  let done = 0;
  let failed = 0;
  const text = (): string => {
    const [tookMs, ascii] = [context.ticks() - began, context.env['TERM'] === 'dumb'];
    const line = barText({ done, failed, total, tookMs, ascii });
    return line.slice(0, Math.max(10, (context.stderr.columns || 80) - 1));
  };
  const stop = startStatusLine(context, text, { afterMs: 150, everyMs: 150 });
  return {
    step(isFailure) {
      done += 1;
      if (isFailure) failed += 1;
    },
    stop,
  };
}

interface BarState {
  done: number;
  failed: number;
  total: number;
  tookMs: number;
  ascii: boolean;
}

/** `████████░░░░ 120/360  4.9/s  3 failed  49s left`. */
export function barText({ done, failed, total, tookMs, ascii }: BarState): string {
  const filled = Math.round((BAR_WIDTH * done) / Math.max(1, total));
  const [full, empty] = ascii ? ['#', '-'] : ['█', '░'];
  const perSecond = tookMs > 0 ? (done * 1000) / tookMs : 0;
  const left = perSecond > 0 ? `${durationText((total - done) / perSecond)} left` : 'starting';
  const bar = full.repeat(filled) + empty.repeat(BAR_WIDTH - filled);
  return `${bar} ${done}/${total}  ${perSecond.toFixed(1)}/s  ${failed} failed  ${left}`;
}

function durationText(seconds: number): string {
  const whole = Math.ceil(seconds);
  if (whole < 60) return `${whole}s`;
  const minutes = Math.floor(whole / 60);
  return minutes < 60 ? `${minutes}m${whole % 60}s` : `${Math.floor(minutes / 60)}h${minutes % 60}m`;
}

export interface StatusBar {
  /** Draws it anew where its text has changed. */
  refresh(): void;
  stop(): void;
}

/**
 * A line that stays at the foot of the terminal until it is stopped.
 * @param text what it shows; null for nothing
 * @param onPrompt told when a prompt opens, which reads keys itself, and when the last one is closed
 */
export function startStatusBar(
  context: Pick<Context, 'stderr'>,
  text: () => string | null,
  onPrompt: (open: boolean) => void,
): StatusBar {
  const foot = footOf(context.stderr);
  foot.onPrompt = onPrompt;
  let drawn: string | null = null;
  const line: StatusLine = {
    clear() {
      if (drawn !== null) context.stderr.write('\r\u001b[K');
      drawn = null;
    },
    redraw() {
      const next = foot.openPrompts > 0 || foot.isMidLine ? null : text();
      if (next === drawn) return;
      if (next === null) return line.clear();
      drawn = next;
      context.stderr.write(`\r\u001b[K${next}`);
    },
  };
  foot.line = line;
  const timer = setInterval(line.redraw, 200);
  return {
    refresh: line.redraw,
    stop() {
      clearInterval(timer);
      line.clear();
      foot.onPrompt = null;
      if (foot.line === line) foot.line = null;
    },
  };
}

interface StatusLine {
  clear(): void;
  /** Draws it at once if it was cleared. */
  redraw(): void;
}

/** What an output shows at its foot. */
interface Foot {
  line: StatusLine | null;
  openPrompts: number;
  onPrompt: ((open: boolean) => void) | null;
  /** The last thing written there was no whole line. */
  isMidLine: boolean;
}

const feet = new WeakMap<Output, Foot>();

/** @param text called for each drawing @returns the function that takes the line away for good */
function startStatusLine(
  { stderr }: Pick<Context, 'stderr'>,
  text: () => string,
  { afterMs, everyMs }: { afterMs: number; everyMs: number },
): () => void {
  const foot = footOf(stderr);
  if (stderr.isTTY !== true || foot.line !== null) return () => undefined;
  let shown = false;
  let cleared = false;
  const draw = (): void => {
    if (foot.openPrompts > 0) return;
    shown = true;
    cleared = false;
    stderr.write(`\r\u001b[K${text()}`);
  };
  let timer = setTimeout(() => {
    draw();
    timer = setInterval(draw, everyMs);
  }, afterMs);
  const clear = (): void => {
    if (shown) stderr.write('\r\u001b[K');
    cleared ||= shown;
    shown = false;
  };
  const line: StatusLine = {
    clear,
    redraw() {
      if (cleared) draw();
    },
  };
  foot.line = line;
  return () => {
    clearTimeout(timer);
    clearInterval(timer);
    clear();
    cleared = false;
    if (foot.line === line) foot.line = null;
  };
}

/** To be called before anything else is written to that output. */
export function clearStatusLine(output: Output): void {
  feet.get(output)?.line?.clear();
}

/** To be called after a line of a list was written: when lines come faster than the status line is drawn, it would never be seen. */
export function redrawStatusLine(output: Output): void {
  const foot = feet.get(output);
  if (foot === undefined) return;
  foot.isMidLine = false;
  foot.line?.redraw();
}

/** Writes what another program says: the status line stays away until its line has ended. */
export function writeAboveStatusLine(output: Output, chunk: Uint8Array, taken: () => void): void {
  const foot = footOf(output);
  foot.line?.clear();
  foot.isMidLine = chunk.at(-1) !== LINE_FEED;
  output.write(chunk, taken);
}

const LINE_FEED = 10;

/** Keeps the status line away while a prompt is open. @returns the function that lets it come back */
export function suspendStatusLine(output: Output): () => void {
  const foot = footOf(output);
  foot.openPrompts += 1;
  clearStatusLine(output);
  if (foot.openPrompts === 1) foot.onPrompt?.(true);
  return () => {
    foot.openPrompts -= 1;
    if (foot.openPrompts === 0) foot.onPrompt?.(false);
  };
}

function footOf(output: Output): Foot {
  const foot = feet.get(output) ?? { line: null, openPrompts: 0, onPrompt: null, isMidLine: false };
  feet.set(output, foot);
  return foot;
}
