/** Bases for commands that read from the API and for commands that change something there. */
import { existsSync } from 'node:fs';
import type { Command } from '@oclif/core/command';
import * as Flags from '@oclif/core/flags';
import type * as Interfaces from '@oclif/core/interfaces';
import type { Answer } from '../api/answers.ts';
import type { Client, Operation, WriteTracker } from '../api/client.ts';
import type { EndpointName, Yield } from '../api/endpoints.ts';
import { usage } from '../failure.ts';
import type { Columns, RowRequest } from './bulk/row-requests.ts';
import type { BulkOptions } from './bulk/bulk-flags.ts';
import { BaseCommand } from './command.ts';
import type { PromptContext } from './ask/prompt.ts';
import { type Column, object, type Result, stream } from './result.ts';
import type { Awaited } from './wait-for-status.ts';
import { notForAgents } from './flags.ts';
import type { Session } from './session.ts';
import type { UnfinishedWrites } from './requests/unfinished-writes.ts';

/** What `--wait` alone means. */
export const DEFAULT_WAIT = '2m';

export abstract class ApiCommand<T extends typeof Command> extends BaseCommand<T> {
  #client: Promise<Client> | undefined;

  /** One client for all calls of a command. */
  protected client(): Promise<Client> {
    this.#client ??= this.session().then((session) => session.client());
    return this.#client;
  }

  /** One call to an endpoint. @throws Failure */
  protected async call<N extends EndpointName>(name: N, operation: Operation = {}): Promise<Answer<Yield<N>>> {
    const client = await this.client();
    await this.markLive();
    return client.call(name, { ...operation, signal: this.context.signal });
  }

  /**
   * One object by its id, or with `-` those whose ids come on stdin.
   * @param pence members known to be pence although their names do not say so
   * @throws Failure
   */
  protected async each(
    id: string,
    columns: readonly Column[],
    read: (id: string) => Promise<Answer<unknown>>,
    pence: readonly string[] = [],
  ): Promise<Result> {
    if (id !== '-') return object((await read(id)).json, { pence });
    const { eachFromStdin } = await import('./bulk/ids-from-stdin.ts');
    const host = { context: this.context, view: this.view, endWith: (status: number) => this.endWith(status) };
    return stream(
      eachFromStdin(host, async (one) => (await read(one)).json),
      columns,
    );
  }

  /** For `--wait`. @param what it is called in the spinner and in errors */
  protected async awaited(what: string, id: string, timeoutMs: number): Promise<Awaited> {
    return { context: this.context, session: await this.session(), what, id, timeoutMs };
  }

  /** For values that were not given. */
  protected get asking(): PromptContext {
    return { context: this.context, command: this, mayAsk: this.mayAsk };
  }

  /** Payments and links of Credicorp count `amount` in pence (partner-api.md#conventions); of anybody else nothing is known. */
  protected async penceMembers(): Promise<readonly string[]> {
    return (await this.session()).identity.provider.partnerApi ? ['amount'] : [];
  }

  /** On a terminal nobody takes live for the sandbox (command-line.md#profiles-credentials-and-precedence). */
  protected async markLive(): Promise<void> {
    const { identity } = await this.session();
    if (this.#marked || identity.environment.value !== 'live' || this.context.stdout.isTTY !== true) return;
    this.#marked = true;
    if (!this.view.json && !this.view.quiet && this.view.field === null) this.note(`LIVE ${identity.base.value}`);
  }

  #marked = false;
}

export abstract class WriteCommand<T extends typeof Command> extends ApiCommand<T> {
  static override baseFlags = {
    ...BaseCommand.baseFlags,
    yes: notForAgents(Flags.boolean({ helpGroup: 'WRITE', char: 'y', summary: 'do not ask before a live write' })),
    'idempotency-key': Flags.string({
      helpGroup: 'WRITE',
      helpValue: '<key>',
      summary: 'idempotency key: the same key makes a repeated write safe [default: a new UUID]',
      parse: async (text) => {
        if (/^[!-~]{1,255}$/.test(text)) return text;
        throw usage('the idempotency key is not 1 to 255 printable characters without spaces', {
          next: 'an order id does well: order_88421',
        });
      },
    }),
    new: Flags.boolean({
      helpGroup: 'WRITE',
      summary: 'send with a new idempotency key, even if the last attempt may have succeeded',
      exclusive: ['idempotency-key'],
    }),
    'dry-run': Flags.boolean({ helpGroup: 'WRITE', summary: 'print the request and send nothing' }),
  };

  declare protected flags: WriteFlagsOf<T>;
  #writing: Promise<Client> | undefined;
  /** Rows of a file have keys of their own, made from their contents. */
  #rows = false;
  /** Members of the body that differ whenever the same command is typed, such as an instant counted from now. */
  protected volatileMembers: readonly string[] = [];

  /** One client for all calls of a command; it tells how each write ended. */
  protected override client(): Promise<Client> {
    this.#writing ??= this.session().then((session) =>
      session.client(this.#rows ? {} : { writes: this.tracker(session) }),
    );
    return this.#writing;
  }

  /**
   * One write: shown only with `--dry-run`; confirmed first on `live`.
   * @param summary what will happen, for the question: "create an application for 16093826"
   * @throws Failure
   */
  protected async write<N extends EndpointName>(name: N, operation: Operation, summary: string): Promise<Result> {
    return (await this.planned(name, operation)) ?? object((await this.sent(name, operation, summary)).json);
  }

  /** The answer to a write that was confirmed where it has to be. @throws Failure */
  protected async sent<N extends EndpointName>(
    name: N,
    operation: Operation,
    summary: string,
  ): Promise<Answer<Yield<N>>> {
    await this.confirmLive(summary, operation.body);
    const key = this.writeFlags['idempotency-key'];
    return this.call(name, key === undefined ? operation : { ...operation, idempotencyKey: key });
  }

  /** The result of `--dry-run`; null when the request is to be sent. */
  protected async planned(name: EndpointName, operation: Operation): Promise<Result | null> {
    if (!this.writeFlags['dry-run']) return null;
    const session = await this.session();
    const { plannedRequest } = await import('./requests/dry-run.ts');
    const idempotencyKey = this.writeFlags['idempotency-key'] ?? this.context.uuid();
    return plannedRequest(session.identity, name, { ...operation, idempotencyKey });
  }

  /** On `live` a write needs a yes: a summary and a question on a terminal, `--yes` elsewhere (command-line.md#profiles-credentials-and-precedence). */
  protected async confirmLive(summary: string, body?: unknown): Promise<void> {
    const { yes } = this.writeFlags;
    if (yes || !(await this.isLive())) return;
    const { confirmLive } = await import('./ask/prompt.ts');
    const pence = body === undefined ? [] : await this.penceMembers();
    await confirmLive(this.context, 'live', { summary, yes, mayAsk: this.mayAsk, body, pence });
  }

  protected async isLive(): Promise<boolean> {
    return (await this.session()).identity.environment.value === 'live';
  }

  /**
   * Many of the same from `--from`.
   * @param what they are called in the question on live: "applications"
   * @param bodyOf the request body of a row: its cells, and flags for what it leaves out. @throws Failure `usage`
   */
  protected async bulk<Row>(
    name: EndpointName,
    options: BulkOptions,
    { columns, what, bodyOf }: { columns: Columns; what: string; bodyOf: (row: Row) => Record<string, unknown> },
  ): Promise<Result> {
    const [{ runBulkJob }, { plannedDocument }, session] = await Promise.all([
      import('./bulk/bulk-job.ts'),
      import('./requests/dry-run.ts'),
      this.session(),
    ]);
    this.#rows = true;
    const operation = ({ body, idempotencyKey }: RowRequest): Operation => ({ body, idempotencyKey });
    return runBulkJob({
      ...{ context: this.context, view: this.view, command: this, options, columns, endpoint: name },
      flags: this.flags,
      maxWaitMs: this.sessionFlags.maxWaitMs,
      bodyOf: (values) => bodyOf(values as Row),
      run: this.writeFlags['idempotency-key'] ?? null,
      summary: (count) => `create ${count} ${what}`,
      confirm: (summary) => this.confirmLive(summary),
      dryRun: this.writeFlags['dry-run']
        ? (request) => plannedDocument(session.identity, name, operation(request))
        : null,
      send: (request) => this.call(name, operation(request)),
      endWith: (status) => this.endWith(status),
    });
  }

  /** Gives a write the key of its last try if that may have happened, and remembers it if this one may (command-line.md#writes-that-may-have-happened). */
  private tracker(session: Session): WriteTracker {
    const folder = this.unfinishedWrites;
    const { identity } = session;
    const writes = (): UnfinishedWrites => ({
      folder,
      scope: `${identity.account} ${identity.environment.value}`,
      now: this.context.now,
      volatile: this.volatileMembers,
    });
    const kept = (): Promise<typeof import('./requests/unfinished-writes.ts')> =>
      import('./requests/unfinished-writes.ts');
    return {
      prepare: async (request) => {
        const key = request.headers['idempotency-key'] ?? this.writeFlags['idempotency-key'];
        if (key !== undefined) request.headers['idempotency-key'] = key;
        if (this.writeFlags.new || !existsSync(folder)) return;
        const last = (await kept()).findUnfinished(writes(), request);
        if (last === null || (key !== undefined && key !== last.key)) return;
        request.headers['idempotency-key'] = last.key;
        if (last.body !== undefined) request.body = last.body;
        if (key === undefined)
          this.note(
            'note: the last try of this may have happened; its idempotency key is used again (a new one: --new)',
          );
      },
      settled: async (request, replayed) => {
        if (replayed)
          this.note('note: this had been done already: here is the answer from then, nothing was done again');
        if (existsSync(folder)) (await kept()).forgetUnfinished(writes(), request);
      },
      unsettled: async (request, { facts }) => {
        const { title } = identity.provider;
        if (facts.idempotencyKey === undefined) {
          facts.next = `it may have happened, and ${title} has no idempotency keys: look for it at ${title} before you send it again (what was sent: credicorp logs tail --no-follow)`;
          return;
        }
        facts.repeat = repeatOf(this.id ?? '', this.argv, facts.idempotencyKey);
        if ((await kept()).keepUnfinished(writes(), request))
          facts.next =
            'it may have happened: the same command again within 24 hours uses the same idempotency key, so it happens once';
        else facts.next = 'it may have happened: repeat it with the same idempotency key, then it happens once';
      },
    };
  }

  private get writeFlags(): Interfaces.InferredFlags<(typeof WriteCommand)['baseFlags']> {
    return this.flags as Interfaces.InferredFlags<(typeof WriteCommand)['baseFlags']>;
  }
}

/** The command line that repeats a write, to be pasted into a shell. */
function repeatOf(id: string, argv: readonly string[], key: string): string {
  const words = argv.filter((word) => word !== '--new').map(shellWord);
  if (argv.some((word) => /^--idempotency-key(?:=|$)/.test(word)))
    return ['credicorp', id.replaceAll(':', ' '), ...words].join(' ');
  const end = argv.indexOf('--');
  words.splice(end === -1 ? words.length : end, 0, '--idempotency-key', shellWord(key));
  return ['credicorp', id.replaceAll(':', ' '), ...words].join(' ');
}

function shellWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

type WriteFlagsOf<T extends typeof Command> = Interfaces.InferredFlags<(typeof WriteCommand)['baseFlags'] & T['flags']>;
