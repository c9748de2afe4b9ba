import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import * as Flags from '@oclif/core/flags';
import { BaseCommand } from '../../lib/cli/command.ts';
import { id, instant, notForAgents } from '../../lib/cli/flags.ts';
import { object, type Result, text } from '../../lib/cli/result.ts';
import type { Session } from '../../lib/cli/session.ts';
import {
  adviceLines,
  checkEndpoint,
  completeTicket,
  KEY_PREFIX_HINT,
  ticketDocument,
  withFlags,
  withPrefix,
} from '../../lib/cli/logs/fill-ticket.ts';
import { Failure, usage } from '../../lib/failure.ts';
import type { JournalEntry } from '../../lib/journal/entries.ts';
import { prefixOf, type Ticket, ticketOf, ticketText } from '../../lib/journal/support-ticket.ts';
import type { Recording } from '../../lib/cli/manifest.ts';

export default class SupportReport extends BaseCommand<typeof SupportReport> {
  static override summary = 'write a support ticket for one request, redacted';
  static override description =
    'Uses what the log of this machine has of the request, and asks on a terminal for what is missing. Prints the ticket; --copy copies it to the clipboard, --output writes it to a file. Nothing is sent.';
  static override examples = [
    "<%= config.bin %> support report req_7Hs2bV9k4LmQ --expected '201 Created'",
    '<%= config.bin %> support report req_7Hs2bV9k4LmQ --no-input --json | jq -r .tickets[0].actual',
  ];
  static override agentTool = 'read' as const;
  static override recorded: Recording[] = [{ args: '{request}' }];
  static override args = {
    id: id({ completes: { ids: ['req_'] }, required: true, multiple: true, description: 'request ids' }),
  };
  static override flags = {
    expected: Flags.string({ helpValue: '<text>', summary: 'what you expected, in one line' }),
    actual: Flags.string({ helpValue: '<text>', summary: 'actual result [default: from the log]' }),
    severity: Flags.option({
      options: ['1', '2', '3'] as const,
      summary: 'SEV-1: live is down, SEV-2: part of live is down, SEV-3: anything else',
    })(),
    env: Flags.option({
      options: ['sandbox', 'live', 'local'] as const,
      summary: 'environment of the call [default: from the log]',
    })(),
    endpoint: Flags.string({
      helpValue: "<'METHOD path'>",
      summary: 'method and path of the call [default: from the log]',
      parse: async (given) => {
        const checked = checkEndpoint(given);
        return checked === true ? given : refuse('not a method and a path', checked);
      },
    }),
    time: instant({ summary: 'time of the call [default: from the log]' }),
    'key-prefix': Flags.string({
      helpValue: '<prefix>',
      summary: 'prefix of the key that was used, such as sk_test_ [default: from the log]',
      parse: async (given) => prefixOf(given) ?? refuse('not a key prefix', KEY_PREFIX_HINT),
    }),
    'idempotency-key': Flags.string({ helpValue: '<key>', summary: 'key of a write [default: from the log]' }),
    copy: notForAgents(Flags.boolean({ summary: 'copy the ticket to the clipboard', exclusive: ['output'] })),
    output: notForAgents(Flags.string({ char: 'o', helpValue: '<file>', summary: 'write the ticket to a file' })),
  };

  async run(): Promise<Result> {
    const tickets = await this.tickets();
    const written = tickets.map((ticket) => ticketText(ticket)).join(`\n\n${'-'.repeat(60)}\n\n`);
    const document = { tickets: tickets.map(ticketDocument), text: written };
    if (!this.view.json && this.view.field === null) for (const line of adviceLines(tickets)) this.note(line);
    const ids = tickets.map(({ requestId }) => requestId).join(', ');
    if (this.flags.output !== undefined) {
      const file = resolve(this.context.cwd, this.flags.output);
      await writeFile(file, `${written}\n`, { mode: 0o600 }).catch((error: unknown) => {
        throw usage(`cannot write ${file}`, { param: '--output', next: 'choose another file' }, error);
      });
      return object({ ...document, file }, { id: file, human: `the ticket for ${ids} is in ${file}\n` });
    }
    if (this.flags.copy) {
      const { copyToClipboard } = await import('../../lib/cli/system/clipboard.ts');
      const by = await copyToClipboard(this.context, written);
      const how =
        by === 'program'
          ? 'is in the clipboard'
          : 'was sent to the terminal for its clipboard; not every terminal accepts it';
      return object({ ...document, copied_by: by }, { id: ids, human: `the ticket for ${ids} ${how}\n` });
    }
    return text(written, document);
  }

  private async tickets(): Promise<Ticket[]> {
    const session = await this.session();
    const tickets: Ticket[] = [];
    for (const requestId of [this.args.id].flat()) {
      const logged = ticketOf(requestId, await this.entriesOf(session, requestId));
      const known = withPrefix(withFlags(logged, this.flags), session);
      tickets.push(await completeTicket(this.context, known, this.mayAsk));
    }
    return tickets;
  }

  /** What the journal has of the request. A log that cannot be read is a warning: flags and prompts can fill in the rest. */
  private async entriesOf(session: Session, requestId: string): Promise<JournalEntry[]> {
    const { exchangesOf } = await import('../../lib/journal/query.ts');
    try {
      return exchangesOf(session.store(), requestId);
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      this.note(`warning: the log of this machine cannot be read: ${error.message}`);
      return [];
    }
  }
}

function refuse(why: string, next: string): never {
  throw usage(why, { next });
}
