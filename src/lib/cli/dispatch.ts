/** Finds the command that the typed words name and runs it through oclif, or shows its help page; suggests a command for a mistyped one. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Config } from '@oclif/core/config';
import { usage } from '../failure.ts';
import { suggest } from './suggest.ts';
import type { Result } from './result.ts';

/** Finds and runs the command of `argv`; help goes to stdout. @throws Failure of kind usage for an unknown command. */
export async function runCommand(
  typed: readonly string[],
  hidden: object,
  root: string,
  fromSource: boolean,
): Promise<Result | undefined> {
  const config = await Config.load({
    root,
    ...hidden,
    ...(fromSource ? { ignoreManifest: true, pjson: await sourceSettings(root) } : {}),
  });
  const argv = commandFirst(typed, config);
  const { id, rest } = commandOf(argv, config);
  const color = !argv.includes('--no-color');
  if (asksForHelp(argv)) return showHelp(config, id === null ? topicWords(argv) : id.split(':'), hidden, color);
  if (id === null) {
    const words = topicWords(argv);
    if (words.length > 0 && config.findTopic(words.join(':'))) return showHelp(config, words, hidden, color);
    throw unknownCommand(argv, config);
  }
  return config.runCommand<Result>(id, rest);
}

/** `credicorp --profile shop apps list` as `credicorp apps list --profile shop`: flags that every command has may stand first. */
function commandFirst(typed: readonly string[], config: Config): readonly string[] {
  const everywhere = config.commands[0]?.flags ?? {};
  let first = 0;
  while (typed[first]?.startsWith('-') === true && typed[first] !== '--') {
    const flag = typed[first] ?? '';
    const takesNext = !flag.includes('=') && everywhere[flag.slice(2)]?.type === 'option';
    first += takesNext ? 2 : 1;
  }
  const words = typed.slice(first);
  const after = words.findIndex((word) => word.startsWith('-'));
  const end = after === -1 ? words.length : after;
  return [...words.slice(0, end), ...typed.slice(0, first), ...words.slice(end)];
}

/** The longest run of leading words that names a command. */
function commandOf(argv: readonly string[], config: Config): { id: string | null; rest: string[] } {
  const words = topicWords(argv).slice(0, 4);
  for (let length = words.length; length > 0; length -= 1) {
    const id = words.slice(0, length).join(':');
    if (config.findCommand(id)) return { id, rest: argv.slice(length) };
  }
  return { id: null, rest: [...argv] };
}

function asksForHelp(argv: readonly string[]): boolean {
  const end = argv.indexOf('--');
  const flags = end === -1 ? argv : argv.slice(0, end);
  return flags.includes('--help') || flags.includes('-h') || argv[0] === 'help';
}

function topicWords(argv: readonly string[]): string[] {
  const words = argv[0] === 'help' ? argv.slice(1) : argv;
  const end = words.findIndex((word) => word.startsWith('-'));
  return end === -1 ? [...words] : words.slice(0, end);
}

async function showHelp(config: Config, words: string[], hidden: object, color: boolean): Promise<undefined> {
  const { ProgramHelp } = await import('./help.ts');
  await new ProgramHelp(config, { ...hidden, color }).showHelp(words);
  return undefined;
}

function unknownCommand(argv: readonly string[], config: Config): Error {
  const words = topicWords(argv).slice(0, 3).join(' ');
  if (words === '') return usage('no command given', { next: 'see: credicorp --help' });
  const known = config.commands.filter((command) => !command.hidden).map((command) => command.id.replaceAll(':', ' '));
  const guess = suggest(words, known);
  // Only words that look like a command are repeated: anything else may be a secret.
  const said = /^[a-z][a-z-]{0,20}( [a-z][a-z-]{0,20}){0,2}$/.test(words) ? `command "${words}"` : 'such command';
  return usage(`there is no ${said}`, {
    next: guess ? `did you mean: credicorp ${guess}` : 'see: credicorp --help',
  });
}

/** package.json with the built commands' folder turned to the sources. */
async function sourceSettings(root: string): Promise<never> {
  const settings = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { oclif: { commands: string } };
  const commands = settings.oclif.commands.replace('./dist/', './src/');
  return { ...settings, oclif: { ...settings.oclif, commands } } as never;
}
