/** Statistics over the journal (`logs stats`): counts, errors, latency, a timeline, and what is left of the rate limit. */
import type { SQLOutputValue } from 'node:sqlite';
import { partnerRoute } from '../contract/scopes.ts';
import type { Store } from '../store/store.ts';
import { filterSql, type JournalFilter } from './query.ts';

export interface StatsOptions {
  store: Store;
  /** Milliseconds since the epoch. */
  from: number;
  to: number;
  filter: JournalFilter;
  /** Number of steps of the timeline. */
  steps: number;
}

export interface Stats {
  calls: number;
  /** Statuses of 400 and above, and calls without an answer. */
  errors: number;
  /** By status, `none` where no answer came; the most frequent first. */
  statuses: { status: string; calls: number }[];
  /** By route, the most frequent first. Times in milliseconds. */
  endpoints: { endpoint: string; calls: number; errors: number; p50: number; p95: number }[];
  /** Milliseconds; null when there were no calls. */
  latency: { p50: number; p90: number; p99: number; max: number } | null;
  /** Calls that took at most `upTo` milliseconds and more than the bar before; null: all slower ones. */
  histogram: { upTo: number | null; calls: number }[];
  timeline: { at: number; calls: number; errors: number }[];
  budgets: Budget[];
}

/** The rate limit of a host, from the headers of its newest response (partner-api.md#rate-limits). */
export interface Budget {
  origin: string;
  environment: string | null;
  limit: number;
  remaining: number;
  /** Milliseconds since the epoch: the time of that response, and when the full limit is available again. */
  at: number;
  fullAt: number;
}

interface Call {
  at: number;
  rank: number;
  endpoint: string;
  status: number | null;
  latency: number;
}

const BOUNDS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, null];
const MOST_ENDPOINTS = 50;
/** A call that several sources recorded counts once: the record with the lowest rank, nearest to the sender, is used. */
const RANKS: Readonly<Record<string, number>> = { cli: 0, proxy: 1, sandbox: 2 };

export function statsOf(options: StatsOptions): Stats {
  const calls = readCalls(options);
  const latencies = calls.map(({ latency }) => latency).toSorted((a, b) => a - b);
  return {
    calls: calls.length,
    errors: calls.filter(isError).length,
    statuses: countBy(calls, ({ status }) => String(status ?? 'none')).map(([status, of]) => ({
      status,
      calls: of.length,
    })),
    endpoints: countBy(calls, ({ endpoint }) => endpoint)
      .slice(0, MOST_ENDPOINTS)
      .map(([endpoint, of]) => endpointStats(endpoint, of)),
    latency:
      latencies.length === 0
        ? null
        : {
            p50: part(latencies, 0.5),
            p90: part(latencies, 0.9),
            p99: part(latencies, 0.99),
            max: latencies.at(-1) ?? 0,
          },
    histogram: histogramOf(latencies),
    timeline: timelineOf(calls, options),
    budgets: budgetsOf(options.store, options.from),
  };
}

function readCalls({ store, from, to, filter }: StatsOptions): Call[] {
  const { where, values } = filterSql(filter, from);
  const sql = `SELECT at, source, method, path, status, latency_ms, request_id FROM journal WHERE ${where} AND at <= ?`;
  const byRequest = new Map<string, Call>();
  const others: Call[] = [];
  for (const row of store.db.prepare(sql).iterate(...values, to)) {
    const call = callOf(row);
    const id = row['request_id'];
    if (typeof id !== 'string') others.push(call);
    else if (call.rank < (byRequest.get(id)?.rank ?? Infinity)) byRequest.set(id, call);
  }
  return [...byRequest.values(), ...others];
}

function callOf(row: Record<string, SQLOutputValue>): Call {
  const method = String(row['method']);
  return {
    at: Number(row['at']),
    rank: RANKS[String(row['source'])] ?? 3,
    endpoint: `${method} ${routeOf(method, String(row['path']))}`,
    status: row['status'] === null ? null : Number(row['status']),
    latency: Number(row['latency_ms']),
  };
}

/** The path with ids replaced by placeholders, so that calls of one route count together. */
function routeOf(method: string, path: string): string {
  const bare = path.split('?')[0] ?? '';
  const route = partnerRoute(method, bare);
  if (route) return `/partner/v1${route.path}`;
  return bare.replace(/\/(?:[a-z]{2,6}_[\w-]{4,}|(?=[\w-]*\d)[\w-]{20,})(?=\/|$)/g, '/{id}');
}

function isError({ status }: Call): boolean {
  return status === null || status >= 400;
}

function countBy(calls: readonly Call[], key: (call: Call) => string): [key: string, calls: Call[]][] {
  return [...Map.groupBy(calls, key)].toSorted(([a, of], [b, others]) => others.length - of.length || (a < b ? -1 : 1));
}

function endpointStats(endpoint: string, calls: readonly Call[]): Stats['endpoints'][number] {
  const sorted = calls.map(({ latency }) => latency).toSorted((a, b) => a - b);
  return {
    endpoint,
    calls: calls.length,
    errors: calls.filter(isError).length,
    p50: part(sorted, 0.5),
    p95: part(sorted, 0.95),
  };
}

/** The nearest-rank percentile. */
function part(sorted: readonly number[], share: number): number {
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0;
}

/** Without the empty bars at both ends. */
function histogramOf(sorted: readonly number[]): Stats['histogram'] {
  let below = 0;
  const bars = BOUNDS.map((upTo) => {
    const until = upTo === null ? sorted.length : sorted.filter((latency) => latency <= upTo).length;
    const calls = until - below;
    below = until;
    return { upTo, calls };
  });
  const first = bars.findIndex(({ calls }) => calls > 0);
  return first === -1 ? [] : bars.slice(first, bars.findLastIndex(({ calls }) => calls > 0) + 1);
}

function timelineOf(calls: readonly Call[], { from, to, steps }: StatsOptions): Stats['timeline'] {
  const width = Math.max(1, (to - from) / steps);
  const timeline = Array.from({ length: steps }, (_, step) => ({
    at: Math.round(from + step * width),
    calls: 0,
    errors: 0,
  }));
  for (const call of calls) {
    const step = timeline[Math.min(steps - 1, Math.floor((call.at - from) / width))];
    if (!step) continue;
    step.calls += 1;
    if (isError(call)) step.errors += 1;
  }
  return timeline;
}

/** The newest rate limit headers of each host. A 429 may describe a sub-limit, so it is left out. */
function budgetsOf(store: Store, from: number): Budget[] {
  const sql = `SELECT at, origin, environment, response_headers FROM journal WHERE at >= ? AND origin IS NOT NULL
    AND status <> 429 AND response_headers LIKE '%ratelimit-remaining%' ORDER BY seq DESC LIMIT 500`;
  const found = new Map<string, Budget>();
  for (const row of store.db.prepare(sql).iterate(from)) {
    const origin = String(row['origin']);
    const budget = found.has(origin) ? null : budgetOf(origin, row);
    if (budget) found.set(origin, budget);
  }
  return [...found.values()];
}

function budgetOf(origin: string, row: Record<string, SQLOutputValue>): Budget | null {
  const parsed: unknown = JSON.parse(String(row['response_headers']));
  const headers = new Map(
    Object.entries(Object(parsed)).map(([name, value]) => [name.toLowerCase(), Number(value)] as const),
  );
  const [limit = NaN, remaining = NaN, reset = 0] = ['limit', 'remaining', 'reset'].map((name) =>
    headers.get(`ratelimit-${name}`),
  );
  if (!(limit > 0) || !(remaining >= 0)) return null;
  const at = Number(row['at']);
  const environment = typeof row['environment'] === 'string' ? row['environment'] : null;
  return { origin, environment, limit, remaining: Math.min(limit, remaining), at, fullAt: at + (reset || 0) * 1000 };
}
