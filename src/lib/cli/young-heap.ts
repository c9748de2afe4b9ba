/** V8 lets its young generation grow by steps to a size the machine can afford: for a program that runs for days beside others, less will do. */
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';

/** What a delivery leaves behind mostly dies in this much room. */
const ENOUGH = 16 * 1_048_576;
const LOOK_EVERY_MS = 50;

/** Stops the growth once there is enough. It concerns the whole process; the heap for what lives on is as free as ever. */
export function limitYoungHeap(): void {
  const timer = setInterval(() => {
    const young = getHeapSpaceStatistics().find(({ space_name: name }) => name === 'new_space')?.space_size ?? 0;
    if (young < ENOUGH) return;
    // Read at each collection, unlike `--max-semi-space-size`, which counts at the start only.
    setFlagsFromString('--semi-space-growth-factor=1');
    clearInterval(timer);
  }, LOOK_EVERY_MS);
  timer.unref();
}
