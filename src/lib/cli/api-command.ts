/** Bases for commands that read from the API and for commands that change something there. */
import type { Command } from '@oclif/core/command';
import * as Flags from '@oclif/core/flags';
import type * as Interfaces from '@oclif/core/interfaces';
import type { Answer } from '../api/answers.ts';
import type { Client } from '../api/client.ts';
import type { EndpointName, Yield } from '../api/endpoints.ts';
import type { Operation } from '../api/operate.ts';
import { usage } from '../failure.ts';
import { BaseCommand } from './command.ts';
import { confirmLive } from './confirm.ts';
import { during } from './progress.ts';
import { object, type Result } from './result.ts';

export abstract class ApiCommand<T extends typeof Command> extends BaseCommand<T> {
  protected async client(): Promise<Client> {
    return (await this.session()).client();
  }

  /** One call, with a spinner when it takes long. @throws Failure */
  protected async call<N extends EndpointName>(name: N, operation: Operation = {}): Promise<Answer<Yield<N>>> {
    const [client, { operate }] = await Promise.all([this.client(), import('../api/operate.ts')]);
    await this.markLive();
    return during(
      this.context,
      'waiting for the API',
      operate(client, name, { ...operation, signal: this.context.signal }),
    );
  }

  /** On a terminal nobody takes live for the sandbox (command-line contract §5). */
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
    yes: Flags.boolean({ helpGroup: 'WRITE', char: 'y', summary: 'do not ask before a live write' }),
    'idempotency-key': Flags.string({
      helpGroup: 'WRITE',
      helpValue: '<key>',
      summary: 'reuse one key per logical write, so that a repeat does not act twice [default: a new UUID]',
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
    const planned = await this.planned(name, operation);
    if (planned) return planned;
    await this.confirmLive(summary);
    const answer = await this.call(name, this.keyed(operation));
    return object(answer.json);
  }

  /** The result of `--dry-run`; null when the request is to be sent. */
  protected async planned(name: EndpointName, operation: Operation): Promise<Result | null> {
    if (!this.writeFlags['dry-run']) return null;
    const session = await this.session();
    const { plannedRequest } = await import('./dry-run.ts');
    return plannedRequest(session.identity, name, this.keyed(operation));
  }

  /** On `live` a write needs a yes: a question on a terminal, `--yes` elsewhere (command-line contract §5). */
  protected async confirmLive(summary: string): Promise<void> {
    const { yes } = this.writeFlags;
    await confirmLive(this.context, await this.session(), { summary, yes, mayAsk: this.mayAsk });
  }

  protected keyed(operation: Operation): Operation {
    const key = this.writeFlags['idempotency-key'];
    return key === undefined ? operation : { ...operation, idempotencyKey: key };
  }

  private get writeFlags(): Interfaces.InferredFlags<(typeof WriteCommand)['baseFlags']> {
    return this.flags as Interfaces.InferredFlags<(typeof WriteCommand)['baseFlags']>;
  }
}

type WriteFlagsOf<T extends typeof Command> = Interfaces.InferredFlags<(typeof WriteCommand)['baseFlags'] & T['flags']>;
