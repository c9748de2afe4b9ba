/**
 * V8 sizes its heap by the machine: with much memory it lets 128 MB of young and 250 MB of old garbage stand before it looks. The sandbox
 * holds a hundred thousand applications in about 120 MB and should not take three times that, so it looks earlier. This concerns the
 * whole process, which is why it belongs to the sandbox on a port and not to the value with `fetch`.
 */
import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Real milliseconds between looks. */
const LOOK_EVERY_MS = 250;
/** Bytes that may come to what was left by the last collection, besides a third of it. */
const SLACK = 24 * 1_048_576;
/** Below this nothing is done. */
const SMALL = 64 * 1_048_576;

/** Begins to look; returns the way to stop. */
export function keepHeapSmall(): () => void {
  setFlagsFromString('--semi-space-growth-factor=1');
  let collect: (() => void) | null = null;
  let left = SMALL;
  const timer = setInterval(() => {
    if (used() < left * 1.33 + SLACK) return;
    collect ??= collector();
    collect();
    left = Math.max(SMALL, used());
  }, LOOK_EVERY_MS);
  timer.unref();
  return () => clearInterval(timer);
}

function used(): number {
  return getHeapStatistics().used_heap_size;
}

/** V8's own collector, which is out of reach unless it is asked for. */
function collector(): () => void {
  setFlagsFromString('--expose-gc');
  const collect: unknown = runInNewContext('gc');
  return typeof collect === 'function' ? () => void Reflect.apply(collect, undefined, []) : () => {};
}
