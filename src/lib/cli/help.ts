/** Help pages: oclif's, written to the context's stdout, with the command's own flags first. */
import type { Command } from '@oclif/core/command';
import type { Config } from '@oclif/core/config';
import { Help } from '@oclif/core/help';
import { wantsColour } from './output/terminal-text.ts';
import { type Context, contextKey } from './context.ts';

export class ProgramHelp extends Help {
  readonly #context: Context;
  readonly #color: boolean;

  constructor(config: Config, options: object) {
    const context = Reflect.get(options, contextKey) as Context;
    const color = Reflect.get(options, 'color') !== false;
    const width = Math.min(120, context.stdout.columns || 80);
    super(config, {
      maxWidth: width,
      stripAnsi: !wantsColour(context, context.stdout, color),
      hideCommandSummaryInDescription: true,
      flagSortOrder: 'none',
    });
    this.#context = context;
    this.#color = color;
  }

  protected override log(...lines: string[]): void {
    this.#context.stdout.write(`${lines.join(' ')}\n`);
  }

  /** One short usage line: the flags are listed below it. */
  override formatCommand(command: Command.Loadable): string {
    const args = Object.values(command.args).map((arg) =>
      arg.required ? arg.name.toUpperCase() : `[${arg.name.toUpperCase()}]`,
    );
    const usage = [command.id.replaceAll(':', ' '), ...args, '[--flags]'].join(' ');
    // oclif would keep the last line of a description alone.
    const description = command.description?.replaceAll('\n', ' ');
    return super.formatCommand({
      ...command,
      usage: command.usage ?? usage,
      args: wrappable(command.args),
      flags: ownFirst(command.flags),
      ...(description === undefined ? {} : { description }),
    });
  }

  /** `credicorp --help`: where to begin, then all topics and commands. */
  protected override async showRootHelp(): Promise<void> {
    const { startPage } = await import('./start-page.ts');
    const top = <T>(items: T[], name: (item: T) => string): T[] => items.filter((item) => !name(item).includes(':'));
    this.log(await startPage(this.#context, this.#color));
    this.log(this.formatTopics(top(this.sortedTopics, (topic) => topic.name)));
    this.log('');
    this.log(this.formatCommands(top(this.sortedCommands, (command) => command.id)));
  }
}

/** Puts a command's own flags before those that every command has. */
function ownFirst(flags: Command.Loadable['flags']): Command.Loadable['flags'] {
  const rank = (group: string | undefined): number => ['WRITE', 'GLOBAL'].indexOf(group ?? '');
  return Object.fromEntries(Object.entries(flags).sort(([, a], [, b]) => rank(a.helpGroup) - rank(b.helpGroup)));
}

/** Moves a long list of allowed words into the description, where it wraps between words. */
function wrappable(args: Command.Loadable['args']): Command.Loadable['args'] {
  return Object.fromEntries(
    Object.entries(args).map(([name, { options, ...arg }]) => {
      if (options === undefined || options.join('|').length < 50) return [name, args[name] ?? arg];
      return [name, { ...arg, description: `${arg.description}: ${options.join(', ')}` }];
    }),
  );
}
