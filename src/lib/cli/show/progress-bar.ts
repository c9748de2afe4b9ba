/** A bar on stderr for work whose end is known: done, rate, failed, time left. Silent where stderr is not a terminal. */
import type { Context } from '../context.ts';
import { standingLine } from './standing-line.ts';

export interface Bar {
  step(failed: boolean): void;
  stop(): void;
}

const WIDTH = 24;

export function progressBar(context: Pick<Context, 'stderr' | 'env' | 'ticks'>, total: number): Bar {
  const began = context.ticks();
  let done = 0;
  let failed = 0;
  const text = (): string => {
    const [tookMs, ascii] = [context.ticks() - began, context.env['TERM'] === 'dumb'];
    const line = barLine({ done, failed, total, tookMs, ascii });
    return line.slice(0, Math.max(10, (context.stderr.columns || 80) - 1));
  };
  const line = standingLine(context, text, { afterMs: 150, everyMs: 150 });
  return {
    step(isFailure) {
      done += 1;
      if (isFailure) failed += 1;
    },
    stop: () => line?.stop(),
  };
}

export interface Standing {
  done: number;
  failed: number;
  total: number;
  tookMs: number;
  ascii: boolean;
}

/** `████████░░░░ 120/360  4.9/s  3 failed  49s left`. */
export function barLine({ done, failed, total, tookMs, ascii }: Standing): string {
  const filled = Math.round((WIDTH * done) / Math.max(1, total));
  const [full, empty] = ascii ? ['#', '-'] : ['█', '░'];
  const perSecond = tookMs > 0 ? (done * 1000) / tookMs : 0;
  const left = perSecond > 0 ? `${durationText((total - done) / perSecond)} left` : 'just begun';
  const bar = full.repeat(filled) + empty.repeat(WIDTH - filled);
  return `${bar} ${done}/${total}  ${perSecond.toFixed(1)}/s  ${failed} failed  ${left}`;
}

function durationText(seconds: number): string {
  const whole = Math.ceil(seconds);
  if (whole < 60) return `${whole}s`;
  const minutes = Math.floor(whole / 60);
  return minutes < 60 ? `${minutes}m${whole % 60}s` : `${Math.floor(minutes / 60)}h${minutes % 60}m`;
}
