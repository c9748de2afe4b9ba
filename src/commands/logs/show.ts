import * as Flags from '@oclif/core/flags';
import { BaseCommand } from '../../lib/cli/command.ts';
import { id, notForAgents } from '../../lib/cli/flags.ts';
import { object, type Result, text } from '../../lib/cli/result.ts';
import { Failure } from '../../lib/failure.ts';
import type { JournalEntry } from '../../lib/journal/entries.ts';
import type { Recording } from '../../lib/cli/manifest.ts';

export default class LogsShow extends BaseCommand<typeof LogsShow> {
  static override summary = 'show one call completely: request and response, redacted';
  static override description =
    'Takes a request id, or the id of a delivery or an event. Each attempt of a call is shown, and both ends where both were recorded.';
  static override examples = [
    '<%= config.bin %> logs show req_7Hs2bV9k4LmQ',
    '<%= config.bin %> logs show req_7Hs2bV9k4LmQ --har | jq ".log.entries[0].response.status"',
    '<%= config.bin %> logs show req_7Hs2bV9k4LmQ --curl',
  ];
  static override agentTool = 'read' as const;
  static override recorded: Recording[] = [{ args: '{request}' }];
  static override args = {
    id: id({ completes: { ids: ['req_'] }, description: 'request id, delivery id or event id', required: true }),
  };
  static override flags = {
    curl: notForAgents(
      Flags.boolean({
        summary: 'print as a curl command; the credential in it is a command, not a value',
        exclusive: ['har'],
      }),
    ),
    har: notForAgents(Flags.boolean({ summary: 'print as an HTTP archive (HAR 1.2)' })),
  };

  async run(): Promise<Result> {
    const session = await this.session();
    const { exchangesOf } = await import('../../lib/journal/query.ts');
    const entries = exchangesOf(session.store(), this.args.id);
    const last = lastSent(entries);
    if (last === null) {
      throw new Failure('not_found', `${this.args.id} is not in the log of this machine`, {
        code: 'not_in_log',
        next: 'list what it has: credicorp logs tail --since 1d --no-follow',
      });
    }
    if (this.flags.curl) {
      const { asCurl, isWhole } = await import('../../lib/journal/export.ts');
      if (!isWhole(last))
        this.note('note: a part of this call was cut or redacted in the log: the command would send something else');
      const curl = asCurl(last);
      return text(curl, { request_id: last.requestId, curl });
    }
    if (this.flags.har) {
      const { asHar } = await import('../../lib/journal/export.ts');
      const har = asHar(entries, this.config.version);
      return text(JSON.stringify(har, null, 2), har);
    }
    const { entryDocument, fullText } = await import('../../lib/cli/logs/log-entry-text.ts');
    const document = { request_id: last.requestId, entries: entries.map(entryDocument) };
    return object(document, { id: last.requestId, human: fullText(entries) });
  }
}

/** The last try, as recorded by the end that sent it. */
function lastSent(entries: readonly JournalEntry[]): JournalEntry | null {
  return entries.findLast(({ source }) => source === 'cli' || source === 'proxy') ?? entries.at(-1) ?? null;
}
