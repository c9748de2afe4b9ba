/**
 * V8 sizes its heap by the machine: with much memory it lets 128 MB of young and 250 MB of old garbage stand before it looks. The sandbox
 * holds a hundred thousand applications in about 120 MB and should not take three times that, so it looks earlier. This concerns the
 * whole process, which is why it belongs to the sandbox on a port and not to the value with `fetch`.
 */
import { getHeapSpaceStatistics, getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Real milliseconds between looks. */
const LOOK_EVERY_MS = 100;
const MB = 1_048_576;
/** Where the young generation stops growing: what a request leaves behind mostly dies in this much room. */
const YOUNG = 16 * MB;
/** What may come to what the last collection left, besides a fifth of it. */
const SLACK = 20 * MB;
/** Below this nothing is collected. */
const SMALL = 64 * MB;

/** Begins to look; returns the way to stop. */
export function keepHeapSmall(): () => void {
  let collect: (() => void) | null = null;
  let left = SMALL;
  let growing = true;
  const timer = setInterval(() => {
    if (growing && young() >= YOUNG) {
      setFlagsFromString('--semi-space-growth-factor=1');
      growing = false;
    }
    if (used() < left * 1.2 + SLACK) return;
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

function young(): number {
  return getHeapSpaceStatistics().find(({ space_name: name }) => name === 'new_space')?.space_size ?? 0;
}

/** V8's own collector, which is out of reach unless it is asked for. */
function collector(): () => void {
  setFlagsFromString('--expose-gc');
  const collect: unknown = runInNewContext('gc');
  return typeof collect === 'function' ? () => void Reflect.apply(collect, undefined, []) : () => {};
}
