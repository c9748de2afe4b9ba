import * as Args from '@oclif/core/args';
import { BaseCommand } from '../../lib/cli/command.ts';
import { findDelivery, inboxScope } from '../../lib/cli/webhooks/local-inbox.ts';
import { type Result, stream } from '../../lib/cli/result.ts';
import type { Recording } from '../../lib/cli/manifest.ts';

export default class EventsDrop extends BaseCommand<typeof EventsDrop> {
  static override summary = 'give up deliveries that wait for your app or are parked';
  static override description =
    'A running listener does not send them again. They stay in the inbox, and events replay sends one all the same.';
  static override examples = [
    '<%= config.bin %> events drop evt_7Q2M9XaB',
    '<%= config.bin %> events drop $(<%= config.bin %> events list --state waiting --limit 1000 --quiet)',
  ];
  static override recorded: Recording[] = [{ args: '{event}', stage: 'listening' }];
  static override args = {
    ids: Args.string({
      completes: { ids: ['evt_'] },
      ignoreStdin: true,
      multiple: true,
      required: true,
      description: 'event ids, delivery ids, or numbers in the inbox',
    }),
  };

  async run(): Promise<Result> {
    return stream(this.drops(), COLUMNS);
  }

  private async *drops(): AsyncGenerator<unknown> {
    const session = await this.session();
    const store = session.store();
    // All are looked up before the first is dropped: a mistyped id must not leave half of them done.
    const found = this.args.ids.map((id) => findDelivery(store, inboxScope(session.identity), id));
    const { dropForwards } = await import('../../lib/webhooks/inbox/settle.ts');
    for (const { entry } of found) {
      const dropped = dropForwards(store, entry.inbox_id, this.context.now());
      const { event_id, event_type, inbox_id } = entry;
      yield { id: event_id, inbox_id, event_id, event_type, dropped };
    }
  }
}

const COLUMNS = ['event_id', 'event_type', 'dropped'].map((path) => ({ path }));
