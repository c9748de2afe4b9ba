import * as Flags from '@oclif/core/flags';
import { BaseCommand } from '../../lib/cli/command.ts';
import { instant } from '../../lib/cli/flags.ts';
import { entryLine } from '../../lib/cli/log-line.ts';
import { type Result, stream } from '../../lib/cli/result.ts';
import { usage } from '../../lib/failure.ts';
import type { JournalFilter } from '../../lib/journal/follow.ts';

/** Without --since, so many of the latest entries are shown first. */
const LATEST = 20;

export default class LogsTail extends BaseCommand<typeof LogsTail> {
  static override summary = 'follow the calls and deliveries seen on this machine';
  static override description = `Shows what was written since --since (or the latest ${LATEST} entries), then what comes, from every process of yours. Secrets were
taken out before anything was written. Ends on Ctrl-C.`;
  static override examples = [
    '<%= config.bin %> logs tail --since 10m --status 4xx',
    `<%= config.bin %> logs tail --since 1h --no-follow --json | jq -r 'select(.status>=400).request_id'`,
  ];
  static override endsOnSignal = true;
  static override flags = {
    since: instant({ summary: 'begin here: 10m ago, 2026-06-29, or an instant' }),
    status: Flags.string({
      helpValue: '<status>',
      summary: 'only this status or class: 429, 4xx',
      parse: async (text) =>
        /^[1-5](\d\d|xx)$/i.test(text) ? text.toLowerCase() : notA(text, 'status', 'write 429 or 4xx'),
    }),
    method: Flags.string({
      helpValue: '<method>',
      summary: 'only this method',
      parse: async (text) => text.toUpperCase(),
    }),
    path: Flags.string({ helpValue: '<glob>', summary: "only paths like this: '/applications*'" }),
    'request-id': Flags.string({ helpValue: '<id>', summary: 'only this request' }),
    source: Flags.option({
      options: ['cli', 'sandbox', 'proxy', 'listener'] as const,
      summary: 'only what this one saw',
    })(),
    'no-follow': Flags.boolean({ summary: 'end after what is there' }),
  };

  async run(): Promise<Result> {
    return stream(this.entries(), COLUMNS, (entry) =>
      entryLine(entry, this.view.color && this.context.stdout.isTTY === true),
    );
  }

  private async *entries(): AsyncGenerator<unknown> {
    const session = await this.session();
    const [{ follow }, { entryDocument }] = await Promise.all([
      import('../../lib/journal/follow.ts'),
      import('../../lib/cli/log-line.ts'),
    ]);
    const { since } = this.flags;
    const moments = follow({
      store: session.store(),
      filter: this.filter(),
      follow: !this.flags['no-follow'],
      signal: this.context.signal,
      ...(since === undefined ? { last: LATEST } : { since }),
    });
    for await (const moment of moments) yield moment.type === 'entry' ? entryDocument(moment.entry) : moment;
  }

  private filter(): JournalFilter {
    const { flags } = this;
    const filter = {
      status: flags.status,
      method: flags.method,
      path: flags.path,
      requestId: flags['request-id'],
      source: flags.source,
    };
    return Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== undefined));
  }
}

const COLUMNS = ['at', 'source', 'method', 'path', 'status', 'latency_ms', 'request_id', 'error_code', 'note'].map(
  (path) => ({ path }),
);

function notA(text: string, what: string, next: string): never {
  throw usage(`${JSON.stringify(text.slice(0, 40))} is not a ${what}`, { next });
}
