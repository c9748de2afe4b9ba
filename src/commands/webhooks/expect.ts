import * as Flags from '@oclif/core/flags';
import { BaseCommand } from '../../lib/cli/command.ts';
import { count, duration, instant, pair } from '../../lib/cli/flags.ts';
import { eventOf, INBOX_COLUMNS, inboxScope } from '../../lib/cli/webhooks/local-inbox.ts';
import { type Result, stream } from '../../lib/cli/result.ts';
import type { Recording } from '../../lib/cli/manifest.ts';

/** So that what came between starting the job and asking for its events counts. */
const LOOKBACK_MS = 5 * 60_000;

export default class WebhooksExpect extends BaseCommand<typeof WebhooksExpect> {
  static override summary = 'wait until events arrive: exit status 0 when seen, 8 when not';
  static override description = `Checks the deliveries that a listener on this machine receives, including the last five minutes (--since changes that), and prints each match. For
pipelines: start webhooks listen, do something, then expect its event.`;
  static override examples = [
    '<%= config.bin %> webhooks expect --type decision.completed --timeout 30s',
    `<%= config.bin %> webhooks expect --type 'decision.*' --where data.outcome=approved --count 1 --timeout 10s --quiet`,
  ];
  static override agentTool = 'read' as const;
  static override recorded: Recording[] = [
    {
      args: '--type decision.completed',
      stage: 'listening',
      after: 'webhooks trigger',
      gives: { event: 'event_id' },
    },
  ];
  static override flags = {
    type: Flags.string({
      completes: 'event types',
      helpValue: '<type>',
      required: true,
      summary: 'an event type, or a family: payment.*',
    }),
    where: pair({
      helpValue: '<path=value>',
      summary: 'only events with this value: data.outcome=approved',
      multiple: true,
      multipleNonGreedy: true,
    }),
    count: count({ summary: 'how many different events [default: 1]', min: 1, max: 100_000 }),
    since: instant({ summary: 'only deliveries received since [default: 5m ago]' }),
    timeout: duration({ summary: 'how long to wait [default: 30s]' }),
  };

  async run(): Promise<Result> {
    return stream(this.seen(), INBOX_COLUMNS);
  }

  private async *seen(): AsyncGenerator<unknown> {
    const { flags, context } = this;
    const session = await this.session();
    const [{ findEntry }, { expectEntries }, { eventFits }] = await Promise.all([
      import('../../lib/webhooks/inbox/inbox-read.ts'),
      import('../../lib/webhooks/inbox/inbox-watcher.ts'),
      import('../../lib/contract/events.ts'),
    ]);
    const store = session.store();
    const scope = inboxScope(session.identity);
    const where = (flags.where ?? []).map(({ key, value }) => ({ path: key.trim(), value }));
    // A sender may repeat itself: one event counts once.
    const known = new Set<string | null>();
    const entries = expectEntries({
      ...{ store, scope, ticks: context.ticks, signal: context.signal },
      fits: (body, entry) => {
        if (known.has(entry.event_id) || !eventFits(body, [flags.type], where)) return false;
        if (entry.event_id !== null) known.add(entry.event_id);
        return true;
      },
      count: flags.count ?? 1,
      since: flags.since ?? context.now() - LOOKBACK_MS,
      timeoutMs: flags.timeout ?? 30_000,
    });
    for await (const entry of entries) {
      const found = findEntry(store, scope, String(entry.inbox_id));
      yield { id: entry.event_id, ...entry, event: found === null ? null : eventOf(found.body) };
    }
  }
}
