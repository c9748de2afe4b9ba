/** Charts of `logs stats` for a terminal: bars, a sparkline over time, a latency histogram, endpoints, the remaining rate limit. */
import type { Stats } from '../../journal/stats.ts';
import { drawTable } from '../output/table.ts';
import { cut, localTime, type Paint, plainLine } from '../output/terminal-text.ts';

const STEPS = '▁▂▃▄▅▆▇█';
const LABEL = 9;
const SHOWN_ENDPOINTS = 10;

/** @param columns of the terminal; nothing is wider @param from,to milliseconds since the epoch */
export function statsCharts(
  stats: Stats,
  { from, to, columns, paint }: { from: number; to: number; columns: number; paint: Paint },
): string {
  const width = Math.max(20, columns - 1);
  const rate = stats.calls === 0 ? 0 : (100 * stats.errors) / stats.calls;
  const [calls, errors] = [stats.calls === 1 ? 'call' : 'calls', stats.errors === 1 ? 'error' : 'errors'];
  const head = `${stats.calls} ${calls}, ${stats.errors} ${errors} (${rate.toFixed(1)} %)`;
  const parts = [
    `${paint.bold(cut(head, width))}\n${paint.dim(cut(`${localTime(from)} to ${localTime(to)}`, width))}`,
    sparkline(stats, width, paint),
    bars(
      'status',
      stats.statuses.map(({ status, calls }) => ({ label: statusLabel(status), calls })),
      width,
      paint,
    ),
    latencyPart(stats, width, paint),
    endpointPart(stats, width, paint),
    budgetPart(stats, width, to, paint),
  ];
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`;
}

/** How many steps the timeline has on a terminal of that width. */
export function timelineSteps(columns: number): number {
  return Math.max(10, Math.min(400, columns - 1 - LABEL - 2));
}

/** A full block is the busiest step; a step without calls is a space. */
function sparkline({ timeline, calls }: Stats, width: number, paint: Paint): string {
  if (calls === 0) return '';
  const most = Math.max(...timeline.map((step) => step.calls), 1);
  const row = (of: (step: Stats['timeline'][number]) => number): string =>
    timeline
      .map((step) => block(of(step), most))
      .join('')
      .slice(0, width - LABEL - 2);
  const lines = [`${'calls'.padEnd(LABEL)}  ${row((step) => step.calls)}`];
  if (timeline.some(({ errors }) => errors > 0)) {
    lines.push(`${'errors'.padEnd(LABEL)}  ${paint.bad(row((step) => step.errors))}`);
  }
  return lines.join('\n');
}

function block(count: number, most: number): string {
  return count === 0 ? ' ' : (STEPS[Math.min(STEPS.length - 1, Math.ceil((count / most) * STEPS.length) - 1)] ?? ' ');
}

/** Errors are marked by a sign, not by colour alone. */
function statusLabel(status: string): string {
  return status === 'none' ? 'no answer!' : Number(status) >= 400 ? `${status}!` : status;
}

function bars(title: string, rows: readonly { label: string; calls: number }[], width: number, paint: Paint): string {
  if (rows.length === 0) return '';
  const label = Math.max(LABEL, ...rows.map((row) => row.label.length));
  const most = Math.max(...rows.map(({ calls }) => calls), 1);
  const room = Math.max(1, width - label - 4 - String(most).length);
  const lines = rows.map((row) => {
    const length = row.calls === 0 ? 0 : Math.max(1, Math.round((row.calls / most) * room));
    const text = `${row.label.padEnd(label)}  ${'█'.repeat(length)} ${row.calls}`;
    return row.label.endsWith('!') ? paint.bad(text) : text;
  });
  return [paint.dim(title), ...lines].join('\n');
}

function latencyPart({ latency, histogram }: Stats, width: number, paint: Paint): string {
  if (latency === null) return '';
  const { p50, p90, p99, max } = latency;
  const title = cut(`latency  p50 ${time(p50)}  p90 ${time(p90)}  p99 ${time(p99)}  max ${time(max)}`, width);
  const rows = histogram.map(({ upTo, calls }) => ({ label: upTo === null ? 'longer' : `≤ ${time(upTo)}`, calls }));
  return bars(title, rows, width, paint);
}

function endpointPart({ endpoints }: Stats, width: number, paint: Paint): string {
  if (endpoints.length === 0) return '';
  const shown = endpoints.slice(0, SHOWN_ENDPOINTS);
  const table = drawTable(
    ['calls', 'error', 'p50', 'p95', 'endpoint'],
    shown.map(({ endpoint, calls, errors, p50, p95 }) => [
      ...[String(calls), errors === 0 ? '0' : `${errors}!`, time(p50), time(p95), plainLine(endpoint)],
    ]),
    { widths: [6, 5, 7, 7, Math.max(1, width - 33)], aligns: ['right', 'right', 'right', 'right', 'left'] },
  );
  const [head = '', ...rows] = table
    .trimEnd()
    .split('\n')
    .map((line) => cut(line, width));
  const lines = rows.map((row, n) => ((shown[n]?.errors ?? 0) > 0 ? paint.bad(row) : row));
  const more = endpoints.length - shown.length;
  if (more > 0) lines.push(paint.dim(`   and ${more} more: --json shows them`));
  return [paint.dim(head), ...lines].join('\n');
}

function budgetPart({ budgets }: Stats, width: number, now: number, paint: Paint): string {
  if (budgets.length === 0) return '';
  const lines = budgets.map(({ origin, limit, remaining, at, fullAt }) => {
    // After that time the bucket is full again.
    const left = now >= fullAt ? limit : remaining;
    const known = `${left} of ${limit}, ${now >= fullAt ? 'full again' : `reported ${time(Math.max(0, now - at))} ago`}`;
    const host = cut(plainLine(origin.replace(/^https?:\/\//, '')), Math.max(8, Math.floor(width / 3)));
    const room = Math.max(4, width - host.length - known.length - 6);
    const full = Math.round((left / limit) * room);
    const line = cut(`${host}  [${'█'.repeat(full)}${'·'.repeat(room - full)}] ${known}`, width);
    return left <= limit / 10 ? paint.warn(line) : line;
  });
  return [paint.dim('remaining rate limit'), ...lines].join('\n');
}

function time(ms: number): string {
  if (ms >= 60_000) return `${Math.round(ms / 60_000)}m`;
  if (ms >= 1000) return `${(ms / 1000).toFixed(1)}s`;
  return ms < 10 && !Number.isInteger(ms) ? `${ms.toFixed(1)}ms` : `${Math.round(ms)}ms`;
}
