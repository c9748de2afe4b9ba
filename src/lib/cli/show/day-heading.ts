/** Lines that follow each other carry only the time of day; the day and the zone stand once above them, and again when they change. */
import { localTime } from './render.ts';

/**
 * Asked before each line, with its instant: the heading to print above it, or null while day and zone are those of the line before.
 * `2026-06-29, times at +01:00`.
 */
export function createDayHeading(): (at: string | number) => string | null {
  let last = '';
  return (at) => {
    const [day = '', , zone = ''] = localTime(at).split(' ');
    const heading = `${day}, times at ${zone}`;
    if (heading === last) return null;
    last = heading;
    return heading;
  };
}
