/**
 * The base class of every command: global flags, parsing, the session, and what oclif would do of itself overridden (`catch`: it would
 * print errors, lose their status and exit). `run()` returns the result; `program.ts` writes it.
 */
import { join } from 'node:path';
import { Command } from '@oclif/core/command';
import * as Flags from '@oclif/core/flags';
import type * as Interfaces from '@oclif/core/interfaces';
import { usage } from '../failure.ts';
import { type Context, contextOf } from './context.ts';
import { count, duration } from './flags.ts';
import { note, type View } from './output/write.ts';
import { type CommandState, stateKey } from './program.ts';
import type { AgentTool, Recording } from './manifest.ts';
import type { Result } from './result.ts';
import type { Session, SessionFlags } from './session.ts';

export type FlagsOf<T extends typeof Command> = Interfaces.InferredFlags<
  (typeof BaseCommand)['baseFlags'] & T['flags']
>;
export type ArgsOf<T extends typeof Command> = Interfaces.InferredArgs<T['args']>;

export abstract class BaseCommand<T extends typeof Command> extends Command {
  static override baseFlags = {
    // A flag with a letter first: oclif trims the first row of a group.
    help: Flags.boolean({ helpGroup: 'GLOBAL', char: 'h', summary: 'show this page' }),
    profile: Flags.string({
      helpGroup: 'GLOBAL',
      helpValue: '<name>',
      summary: 'profile to use instead of the active one',
    }),
    json: Flags.boolean({
      helpGroup: 'GLOBAL',
      summary: 'print the full result as JSON',
      exclusive: ['field', 'quiet'],
    }),
    field: Flags.string({
      helpGroup: 'GLOBAL',
      helpValue: '<path>',
      summary: 'print the value at a dotted path, one per line',
    }),
    raw: Flags.boolean({
      helpGroup: 'GLOBAL',
      summary: 'with --field: the bytes of the value, control characters included',
      dependsOn: ['field'],
    }),
    quiet: Flags.boolean({ helpGroup: 'GLOBAL', char: 'q', summary: 'print only the id(s)', exclusive: ['field'] }),
    'no-input': Flags.boolean({ helpGroup: 'GLOBAL', summary: 'never ask; a missing value is an error' }),
    'no-color': Flags.boolean({ helpGroup: 'GLOBAL', summary: 'print without colour' }),
    debug: Flags.boolean({ helpGroup: 'GLOBAL', summary: 'show the HTTP calls on stderr, redacted' }),
    timeout: duration({ helpGroup: 'GLOBAL', summary: 'time limit for each call: 500ms, 10s, 2m [default: 30s]' }),
    'max-retries': count({
      helpGroup: 'GLOBAL',
      max: 100,
      summary: 'retries after a network failure, 429 or 5xx [default: 3]',
    }),
    'max-wait': duration({
      helpGroup: 'GLOBAL',
      summary: 'longest wait that the API may ask for: 2m, 1h [default: 1m]',
    }),
    'api-base': Flags.string({
      helpGroup: 'GLOBAL',
      helpValue: '<url>',
      summary: "base URL of the API, instead of the profile's",
    }),
  };

  /** Flags that may stand without a value: `--wait` means `--wait=<this>`. */
  static bareFlags: Readonly<Record<string, string>> = {};
  /** What it does when an agent calls it (`credicorp mcp`); null: agents are not offered it. */
  static agentTool: AgentTool | null = null;
  /** Flags that every call by an agent has: a tool answers once. */
  static agentFlags: readonly string[] = [];
  /** The runs with which the shape of its JSON output is recorded; every command says, and an empty list says that it prints none. */
  static recorded: readonly Recording[] | undefined = undefined;
  /** True where Ctrl-C is the natural end (`listen`, `tail`, `start`): status 0. */
  static endsOnSignal = false;

  protected flags!: FlagsOf<T>;
  protected args!: ArgsOf<T>;
  #session: Promise<Session> | undefined;

  abstract override run(): Promise<Result>;

  override async init(): Promise<void> {
    const self = this.ctor as typeof BaseCommand;
    this.context.ownStreams();
    if (self.endsOnSignal) this.context.neverBlock();
    this.#state.command = this.id?.replaceAll(':', ' ') ?? '';
    const { args, flags } = await this.parse(self, spelledOut(this.argv, self.bareFlags));
    this.flags = flags as FlagsOf<T>;
    this.args = args as ArgsOf<T>;
    const state = this.#state;
    state.view = this.view;
    state.debug = flags['debug'] === true;
    state.endsOnSignal = self.endsOnSignal;
    state.close = async () => (await this.#session)?.close();
    if (this.view.field === '') throw usage('--field needs a path', { next: 'for example: --field id' });
  }

  /** The frame owns errors: oclif would print them, lose their status and exit under our feet. */
  override async catch(error: Error): Promise<never> {
    const session = 'errcode' in error ? await this.#session : undefined;
    if (session === undefined) throw error;
    const { explainDamage } = await import('./local-store.ts');
    throw explainDamage(error, () => session.store());
  }

  protected get context(): Context {
    return contextOf(this);
  }

  /** How the result will be shown. */
  protected get view(): View {
    const flags = this.flags as Record<string, unknown>;
    return {
      json: flags['json'] === true,
      field: typeof flags['field'] === 'string' ? flags['field'] : null,
      raw: flags['raw'] === true,
      quiet: flags['quiet'] === true,
      color: flags['no-color'] !== true,
    };
  }

  /** Credentials, client, store and journal, each opened when first asked for. */
  protected async session(): Promise<Session> {
    this.#session ??= import('./session.ts').then(({ openSession }) =>
      openSession(this.context, this.sessionFlags, this.config.version),
    );
    return this.#session;
  }

  /** Uses a session that the command opened itself in place of the usual one; it is closed the same way. */
  protected adopt(session: Session): void {
    this.#session = Promise.resolve(session);
  }

  /** What the global flags say about a session. */
  protected get sessionFlags(): SessionFlags {
    const flags = this.flags as Record<string, unknown>;
    const { profile, 'api-base': base, timeout, 'max-retries': retries, 'max-wait': wait } = flags;
    return {
      ...(typeof profile === 'string' ? { profile } : {}),
      ...(typeof base === 'string' ? { base } : {}),
      timeoutMs: typeof timeout === 'number' ? timeout : 30_000,
      maxRetries: typeof retries === 'number' ? retries : 3,
      maxWaitMs: typeof wait === 'number' ? wait : 60_000,
      debug: flags['debug'] === true,
      mayAsk: this.mayAsk,
    };
  }

  /** Where writes that may have happened are remembered (command-line.md#writes-that-may-have-happened). */
  protected get unfinishedWrites(): string {
    return join(this.context.paths.state, 'unfinished-writes');
  }

  /** True when a question may be asked: stdin and stderr are terminals and `--no-input` is not given. */
  protected get mayAsk(): boolean {
    return (
      this.context.stdin.isTTY === true &&
      this.context.stderr.isTTY === true &&
      (this.flags as Record<string, unknown>)['no-input'] !== true
    );
  }

  /** A line for people, on stderr, under `--json` too. */
  protected note(line: string): void {
    note(this.context, line);
  }

  /** For a command with `endsOnSignal` that ends by itself in this run: Ctrl-C then interrupts it. */
  protected endsOfItself(): void {
    this.#state.endsOnSignal = false;
  }

  /** Ends with this status although the result is printed. */
  protected endWith(status: number): void {
    this.#state.status = status;
  }

  get #state(): CommandState {
    return Reflect.get(this.config.options, stateKey) as CommandState;
  }
}

const DURATION = /^\d+(?:\.\d+)?(?:ms|[smhd])$/;

/** `--wait` becomes `--wait=2m`, and `--wait 5m` becomes `--wait=5m`: oclif knows no optional values. */
function spelledOut(argv: readonly string[], bare: Readonly<Record<string, string>>): string[] {
  const end = argv.indexOf('--');
  const words: string[] = [];
  for (let at = 0; at < argv.length; at += 1) {
    const word = argv[at] ?? '';
    const usual = word.startsWith('--') && (end === -1 || at < end) ? bare[word.slice(2)] : undefined;
    const next = argv[at + 1] ?? '';
    const given = usual !== undefined && DURATION.test(usual) && DURATION.test(next);
    words.push(usual === undefined ? word : `${word}=${given ? next : usual}`);
    if (given) at += 1;
  }
  return words;
}
