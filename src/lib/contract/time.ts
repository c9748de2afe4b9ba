/** Durations and instants as people write them. Pure: the current time is a parameter. */

const UNITS: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `500ms`, `10s`, `2m`, `1h`, `3d` → milliseconds; null when the text is none of these. */
export function parseDuration(text: string): number | null {
  const match = /^(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h|d)$/.exec(text.trim());
  if (!match) return null;
  return Math.round(Number(match[1]) * (UNITS[match[2] ?? ''] ?? 0));
}

/** What a timer can hold (2^31-1 ms, about 25 days); given more, Node's timers fire at once. */
export const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** The delay to give a timer for a wait of that many milliseconds. */
export function timerMs(ms: number): number {
  return Math.min(Math.max(Math.ceil(ms), 0), LONGEST_TIMER_MS);
}

/** Milliseconds in words and numbers: `2 s`, `90 s`, `3600 s (1 h)`. */
export function waitText(ms: number): string {
  const seconds = Math.max(1, Math.round(ms / 1000));
  const [size, unit] = UNIT_SIZES.find(([size]) => seconds >= 2 * size || seconds === size) ?? [1, 's'];
  const many = Math.round((10 * seconds) / size) / 10;
  return seconds < 120 ? `${seconds} s` : `${seconds} s (${many} ${unit})`;
}

const UNIT_SIZES = [
  [86_400, 'days'],
  [3600, 'h'],
  [60, 'min'],
] as const;

/** A duration as people write it, not shorter than this: `2m`, `1h`, `58d`. */
export function durationAbove(ms: number): string {
  const seconds = Math.ceil(ms / 1000);
  if (seconds <= 3600) return seconds === 3600 ? '1h' : `${Math.ceil(seconds / 60)}m`;
  return seconds <= 172_800 ? `${Math.ceil(seconds / 3600)}h` : `${Math.ceil(seconds / 86_400)}d`;
}

/** ISO 8601 date or instant, or a duration meaning "ago" → milliseconds since the epoch; null when neither. */
export function parseInstant(text: string, now: number): number | null {
  const ago = parseDuration(text);
  if (ago !== null) return now - ago;
  if (!/^\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:\d{2}))?$/.test(text)) return null;
  const at = Date.parse(text);
  return Number.isNaN(at) ? null : at;
}

/** ISO 8601 in UTC with whole seconds, as the API writes times. */
export function isoSeconds(at: number): string {
  return new Date(Math.floor(at / 1000) * 1000).toISOString().replace('.000Z', 'Z');
}
