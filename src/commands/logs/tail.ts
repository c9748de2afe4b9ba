import * as Flags from '@oclif/core/flags';
import { BaseCommand } from '../../lib/cli/command.ts';
import { createDayHeading } from '../../lib/cli/output/terminal-text.ts';
import { instant, notForAgents } from '../../lib/cli/flags.ts';
import { itemId, itemLine } from '../../lib/cli/logs/log-entry-text.ts';
import { filterFlags, filterOf, remoteBase } from '../../lib/cli/logs/log-source.ts';
import { type Column, type Result, stream } from '../../lib/cli/result.ts';
import type { JournalItem } from '../../lib/journal/follow.ts';
import type { Recording } from '../../lib/cli/manifest.ts';

/** How many of the latest entries are shown first without --since. */
const LATEST = 20;

export default class LogsTail extends BaseCommand<typeof LogsTail> {
  static override summary = 'follow the calls and deliveries seen on this machine, or by a sandbox on another';
  static override description = `Shows entries since --since (or the latest ${LATEST}), then new ones as they are recorded by any process of yours. Secrets were
removed before anything was recorded. --json always has the bodies. --from shows the log of a sandbox that was started with
CREDICORP_SANDBOX_LOG_TOKEN (set the same value here); without --since it begins with new entries. Ends on Ctrl-C.`;
  static override examples = [
    '<%= config.bin %> logs tail --since 10m --status 4xx',
    `<%= config.bin %> logs tail --since 1h --no-follow --json | jq -r 'select(.status>=400).request_id'`,
    '<%= config.bin %> logs tail --from http://127.0.0.1:4010 --since 1h --bodies --no-follow',
  ];
  static override agentTool = 'read' as const;
  static override agentFlags = ['--no-follow'];
  static override recorded: Recording[] = [
    {
      args: '--no-follow --source cli --since 1h',
      after: 'webhooks endpoints delete',
      gives: { request: 'request_id' },
    },
  ];
  static override endsOnSignal = true;
  static override flags = {
    since: instant({ summary: 'start here: 10m (ago), 2026-06-29, or an ISO 8601 time' }),
    ...filterFlags,
    bodies: Flags.boolean({ summary: 'show request and response bodies, redacted' }),
    from: notForAgents(
      Flags.string({
        helpValue: '<url>',
        summary: 'follow a sandbox on another host: http://host:4010',
        parse: async (text) => remoteBase(text),
      }),
    ),
    'no-follow': notForAgents(Flags.boolean({ summary: 'print existing entries and exit' })),
  };

  async run(): Promise<Result> {
    const look = { colour: await this.hasColour(), bodies: this.flags.bodies, heading: createDayHeading() };
    return stream(
      this.items(),
      this.flags.bodies ? [...COLUMNS, ...BODIES] : COLUMNS,
      (item) => itemLine(item, look),
      itemId,
    );
  }

  private async hasColour(): Promise<boolean> {
    const { wantsColour } = await import('../../lib/cli/output/terminal-text.ts');
    return wantsColour(this.context, this.context.stdout, this.view.color);
  }

  private async *items(): AsyncGenerator<unknown> {
    const { itemDocument } = await import('../../lib/cli/logs/log-entry-text.ts');
    const { field, quiet } = this.view;
    for await (const item of await this.source()) {
      const document = itemDocument(item);
      // --quiet and --field cannot show a gap: it becomes a note.
      if (item.type === 'gap' && (quiet || (field !== null && !(field in document)))) {
        this.note(`note: ${String(document['note'])}`);
      } else yield document;
    }
  }

  private async source(): Promise<AsyncGenerator<JournalItem, void, undefined>> {
    const { since, from } = this.flags;
    const [session, { localItems, remoteItems }] = await Promise.all([
      this.session(),
      import('../../lib/cli/logs/log-source.ts'),
    ]);
    const wanted = {
      filter: filterOf(this.flags),
      follow: !this.flags['no-follow'],
      ...(since === undefined ? {} : { since }),
    };
    return from === undefined
      ? localItems(this.context, session, { ...wanted, latest: LATEST })
      : remoteItems(this.context, session, { ...wanted, base: from });
  }
}

const COLUMNS: Column[] = [
  'at',
  'source',
  'method',
  'path',
  'status',
  'latency_ms',
  'request_id',
  'error_code',
  'note',
].map((path) => ({ path }));
const BODIES: Column[] = [{ path: 'request_body' }, { path: 'response_body' }];
