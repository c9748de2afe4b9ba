import { BaseCommand } from '../../lib/cli/command.ts';
import { colourOf } from '../../lib/cli/output/terminal-text.ts';
import { instant } from '../../lib/cli/flags.ts';
import { filterFlags, filterOf } from '../../lib/cli/logs/log-source.ts';
import { object, type Result } from '../../lib/cli/result.ts';
import type { Recording } from '../../lib/cli/manifest.ts';

const HOUR_MS = 60 * 60 * 1000;
const STEPS = 60;

export default class LogsStats extends BaseCommand<typeof LogsStats> {
  static override summary = 'count calls by status and endpoint, with error rate, latency and remaining rate limit';
  static override description =
    'On a terminal it draws a sparkline over time, a histogram of latency and the remaining rate limit. A call that both client and sandbox logged is counted once.';
  static override examples = [
    '<%= config.bin %> logs stats --since 1h',
    "<%= config.bin %> logs stats --since 15m --json | jq '.error_rate'",
  ];
  static override agentTool = 'read' as const;
  static override recorded: Recording[] = [{ after: 'logs tail' }];
  static override flags = {
    since: instant({ summary: 'start here: 10m (ago), 2026-06-29, or an ISO 8601 time [default: 1h]' }),
    ...filterFlags,
  };

  async run(): Promise<Result> {
    const session = await this.session();
    const { statsOf } = await import('../../lib/journal/stats.ts');
    const { stdout } = this.context;
    const to = this.context.now();
    const from = this.flags.since ?? to - HOUR_MS;
    const columns = stdout.columns || 80;
    const drawn = stdout.isTTY === true && !this.view.json && this.view.field === null;
    const charts = drawn ? await import('../../lib/cli/logs/log-charts.ts') : null;
    const steps = charts?.timelineSteps(columns) ?? STEPS;
    const stats = statsOf({ store: session.store(), from, to, filter: filterOf(this.flags), steps });
    const iso = (at: number): string => new Date(at).toISOString();
    const document = {
      from: iso(from),
      to: iso(to),
      calls: stats.calls,
      errors: stats.errors,
      error_rate: stats.calls === 0 ? 0 : stats.errors / stats.calls,
      latency_ms: stats.latency,
      statuses: stats.statuses,
      endpoints: stats.endpoints.map(({ p50, p95, ...rest }) => ({ ...rest, p50_ms: p50, p95_ms: p95 })),
      rate_budgets: stats.budgets.map(({ at, fullAt, ...rest }) => ({
        ...rest,
        said_at: iso(at),
        full_at: iso(fullAt),
      })),
      histogram: stats.histogram.map(({ upTo, calls }) => ({ up_to_ms: upTo, calls })),
      timeline: stats.timeline.map(({ at, ...rest }) => ({ at: iso(at), ...rest })),
    };
    if (charts === null) return object(document, { id: null });
    const paint = await colourOf(this.context, stdout, this.view.color);
    return object(document, { id: null, human: charts.statsCharts(stats, { from, to, columns, paint }) });
  }
}
