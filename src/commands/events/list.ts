import * as Flags from '@oclif/core/flags';
import { BaseCommand } from '../../lib/cli/command.ts';
import { count, instant } from '../../lib/cli/flags.ts';
import { INBOX_COLUMNS, inboxScope } from '../../lib/cli/webhooks/local-inbox.ts';
import { page, type Result } from '../../lib/cli/result.ts';
import { FORWARD_STATES } from '../../lib/contract/listener-events.ts';
import type { Recording } from '../../lib/cli/manifest.ts';

export default class EventsList extends BaseCommand<typeof EventsList> {
  static override summary = 'list the webhook deliveries in the local inbox, newest first';
  static override description =
    'What the listeners of this profile received, verified and stored on this machine, and how your app answered.';
  static override examples = [
    '<%= config.bin %> events list --type decision.completed',
    `<%= config.bin %> events list --state failed --json | jq -r '.data[].event_id'`,
  ];
  static override agentTool = 'read' as const;
  static override recorded: Recording[] = [{ stage: 'listening', after: 'webhooks expect' }];
  static override flags = {
    type: Flags.string({
      completes: 'event types',
      helpValue: '<type>',
      summary: 'an event type, or a family: payment.*',
    }),
    state: Flags.option({
      options: FORWARD_STATES,
      summary: 'only deliveries in this state',
    })(),
    since: instant({ summary: 'received since: 10m (ago), or an ISO 8601 time' }),
    limit: count({ summary: 'how many [default: 50]', min: 1, max: 1000 }),
    before: count({ helpValue: '<no>', summary: 'only deliveries with a lower number: the next page' }),
  };

  async run(): Promise<Result> {
    const { type, state, since, limit, before } = this.flags;
    const session = await this.session();
    const { listEntries } = await import('../../lib/webhooks/inbox/inbox-read.ts');
    const most = limit ?? 50;
    const given = Object.entries({ type, state, since, before }).filter(([, value]) => value !== undefined);
    const query = { scope: inboxScope(session.identity), limit: most + 1, ...Object.fromEntries(given) };
    const entries = listEntries(session.store(), query);
    const data = entries.slice(0, most).map((entry) => ({ id: entry.event_id, ...entry }));
    const more = entries.length > most;
    const document = { data, has_more: more, next_before: more ? (data.at(-1)?.inbox_id ?? null) : null };
    return page(
      document,
      INBOX_COLUMNS,
      'nothing received yet; listen: credicorp webhooks listen --forward localhost:3000/hook',
    );
  }
}
