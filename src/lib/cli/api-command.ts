/** Bases for commands that read from the API and for commands that change something there. */
import type { Command } from '@oclif/core/command';
import * as Flags from '@oclif/core/flags';
import type * as Interfaces from '@oclif/core/interfaces';
import type { Answer } from '../api/answers.ts';
import type { Client, Operation } from '../api/client.ts';
import type { EndpointName, Yield } from '../api/endpoints.ts';
import { usage } from '../failure.ts';
import type { Columns, RowRequest } from './bulk/row-requests.ts';
import type { BulkOptions } from './bulk/bulk-flags.ts';
import { BaseCommand } from './command.ts';
import type { PromptContext } from './ask/prompt.ts';
import { type Column, object, type Result, stream } from './result.ts';
import type { Awaited } from './wait-for-status.ts';
import { notForAgents } from './flags.ts';

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
    'dry-run': Flags.boolean({ helpGroup: 'WRITE', summary: 'print the request and send nothing' }),
  };

  declare protected flags: WriteFlagsOf<T>;

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
    const operation = ({ body, idempotencyKey }: RowRequest): Operation => ({ body, idempotencyKey });
    return runBulkJob({
      ...{ context: this.context, view: this.view, command: this, options, columns, endpoint: name },
      flags: this.flags,
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

  private get writeFlags(): Interfaces.InferredFlags<(typeof WriteCommand)['baseFlags']> {
    return this.flags as Interfaces.InferredFlags<(typeof WriteCommand)['baseFlags']>;
  }
}

type WriteFlagsOf<T extends typeof Command> = Interfaces.InferredFlags<(typeof WriteCommand)['baseFlags'] & T['flags']>;
