import * as Args from '@oclif/core/args';
import { BaseCommand } from '../../lib/cli/command.ts';
import { eventOf, findDelivery, inboxScope } from '../../lib/cli/webhooks/local-inbox.ts';
import { humanFields } from '../../lib/cli/output/format.ts';
import { object, type Result } from '../../lib/cli/result.ts';
import { plain } from '../../lib/cli/output/terminal-text.ts';
import { writeJson } from '../../lib/contract/json.ts';
import type { Recording } from '../../lib/cli/manifest.ts';

export default class EventsShow extends BaseCommand<typeof EventsShow> {
  static override summary = 'show one delivery of the local inbox: headers, event, and what your app answered';
  static override examples = [
    '<%= config.bin %> events show evt_7Q2M9XaB',
    '<%= config.bin %> events show evt_7Q2M9XaB --json | jq .event.data',
  ];
  static override agentTool = 'read' as const;
  static override recorded: Recording[] = [{ args: '{event}', stage: 'listening' }];
  static override args = {
    id: Args.string({
      completes: { ids: ['evt_'] },
      ignoreStdin: true,
      required: true,
      description: 'event id, delivery id, or number in the inbox',
    }),
  };

  async run(): Promise<Result> {
    const session = await this.session();
    const { entry, headers, body } = findDelivery(session.store(), inboxScope(session.identity), this.args.id);
    const event = eventOf(body);
    const pairs = Array.from({ length: headers.length / 2 }, (_, n) => [
      headers[2 * n] ?? '',
      headers[2 * n + 1] ?? '',
    ]);
    const document = {
      id: entry.event_id,
      ...entry,
      headers: pairs,
      body_base64: Buffer.from(body).toString('base64'),
      event,
    };
    const shown = event === null ? Buffer.from(body).toString('utf8') : writeJson(event, 2);
    const lines = pairs.map(([name, value]) => `${plain(`${name}: ${value}`)}\n`).join('');
    const sent = entry.forwards.map(({ target, signature }) =>
      signature === null ? '' : plain(`sent to ${target}: Credicorp-Signature: ${signature}`) + '\n',
    );
    const facts = humanFields(entry, (text) => text);
    return object(document, { human: `${facts}\n${lines}${sent.join('')}\n${plain(shown)}\n` });
  }
}
