import * as Flags from '@oclif/core/flags';
import { BaseCommand } from '../../lib/cli/command.ts';
import { createDayHeading } from '../../lib/cli/output/terminal-text.ts';
import { instant } from '../../lib/cli/flags.ts';
import { filterFlags, filterOf } from '../../lib/cli/logs/log-flags.ts';
import { momentId, momentLine } from '../../lib/cli/logs/log-line.ts';
import { remoteBase } from '../../lib/cli/logs/log-source.ts';
import { type Column, type Result, stream } from '../../lib/cli/result.ts';
import type { JournalItem } from '../../lib/journal/follow.ts';
import { notForAgents, type Recording } from '../../lib/cli/manifest.ts';

/** Without --since, so many of the latest entries are shown first. */
const LATEST = 20;

export default class LogsTail extends BaseCommand<typeof LogsTail> {
  static override summary = 'follow the calls and deliveries seen on this machine, or by a sandbox on another';
  static override description = `Shows what was written since --since (or the latest ${LATEST} entries), then what comes, from every process of yours. Secrets were
taken out before anything was written. --json always has the bodies. With --from, the host shows its log where it was started with
CREDICORP_SANDBOX_LOG_TOKEN (set the same value here), and without --since it begins with what comes. Ends on Ctrl-C.`;
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
    since: instant({ summary: 'start here: 10m (ago), 2026-06-29, or an instant' }),
    ...filterFlags,
    bodies: Flags.boolean({ summary: 'show request and response bodies, redacted' }),
    from: notForAgents(
      Flags.string({
        helpValue: '<url>',
        summary: 'follow a sandbox on another host: http://host:4010',
        parse: async (text) => remoteBase(text),
      }),
    ),
    'no-follow': notForAgents(Flags.boolean({ summary: 'print what is there and end' })),
  };

  async run(): Promise<Result> {
    const look = { colour: await this.hasColour(), bodies: this.flags.bodies, heading: createDayHeading() };
    return stream(
      this.moments(),
      this.flags.bodies ? [...COLUMNS, ...BODIES] : COLUMNS,
      (moment) => momentLine(moment, look),
      momentId,
    );
  }

  private async hasColour(): Promise<boolean> {
    const { wantsColour } = await import('../../lib/cli/output/terminal-text.ts');
    return wantsColour(this.context, this.context.stdout, this.view.color);
  }

  private async *moments(): AsyncGenerator<unknown> {
    const { momentDocument } = await import('../../lib/cli/logs/log-line.ts');
    const { field, quiet } = this.view;
    for await (const moment of await this.source()) {
      const document = momentDocument(moment);
      // Where a gap has no place in what is printed, it is told beside it.
      if (moment.type === 'gap' && (quiet || (field !== null && !(field in document)))) {
        this.note(`note: ${String(document['note'])}`);
      } else yield document;
    }
  }

  private async source(): Promise<AsyncGenerator<JournalItem, void, undefined>> {
    const { since, from } = this.flags;
    const [session, { localMoments, remoteMoments }] = await Promise.all([
      this.session(),
      import('../../lib/cli/logs/log-source.ts'),
    ]);
    const wanted = {
      filter: filterOf(this.flags),
      follow: !this.flags['no-follow'],
      ...(since === undefined ? {} : { since }),
    };
    return from === undefined
      ? localMoments(this.context, session, { ...wanted, latest: LATEST })
      : remoteMoments(this.context, session, { ...wanted, base: from });
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
