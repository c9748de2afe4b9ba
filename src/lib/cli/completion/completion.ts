/**
 * Tab completion: the candidates for the next word of a command line. Reads only the manifest and the local journal (no oclif, no network,
 * no credential), so that it is fast.
 */
import { join } from 'node:path';
import { recentIds } from '../../journal/recent-ids.ts';
import type { Context } from '../context.ts';
import { type ArgEntry, type CommandEntry, type FlagEntry, readManifest } from '../manifest.ts';

type Commands = Readonly<Record<string, CommandEntry>>;

interface Candidate {
  value: string;
  about?: string;
}

/** @param words what stands after the program's name, the last being the one under the cursor (perhaps empty) */
async function complete(words: readonly string[], context: Pick<Context, 'root' | 'paths'>): Promise<Candidate[]> {
  const commands = await readManifest(context.root);
  const typed = rejoined(words);
  const current = typed.at(-1) ?? '';
  const before = typed.slice(0, -1);
  const { id, used } = commandOf(before, commands);
  const command = id === null ? undefined : commands[id];
  const found = command ? await inCommand(command, before.slice(used), current, context) : [];
  const names = used === before.length || command === undefined ? nextWords(before, commands) : [];
  return [...names, ...found].filter(({ value }) => value.startsWith(current));
}

/** Joins `--flag=value` again, which bash splits at the `=`. */
function rejoined(words: readonly string[]): string[] {
  const joined: string[] = [];
  for (const word of words) {
    const last = joined.at(-1);
    if (
      last !== undefined &&
      ((word === '=' && last.startsWith('--')) || (last.startsWith('--') && last.endsWith('=')))
    )
      joined[joined.length - 1] = last + word;
    else joined.push(word);
  }
  return joined;
}

/** The longest run of leading words that names a command. */
function commandOf(words: readonly string[], commands: Commands): { id: string | null; used: number } {
  for (let used = Math.min(words.length, 4); used > 0; used -= 1) {
    const id = words.slice(0, used).join(':');
    if (Object.hasOwn(commands, id)) return { id, used };
  }
  return { id: null, used: 0 };
}

function nextWords(before: readonly string[], commands: Commands): Candidate[] {
  const prefix = before.map((word) => `${word}:`).join('');
  const next = new Map<string, string | undefined>();
  for (const [id, { summary, hidden }] of Object.entries(commands)) {
    if (hidden === true || !id.startsWith(prefix)) continue;
    const [word = '', ...rest] = id.slice(prefix.length).split(':');
    if (word !== '') next.set(word, rest.length === 0 ? summary : next.get(word));
  }
  return [...next].map(([value, about]) => candidate(value, about));
}

async function inCommand(
  command: CommandEntry,
  given: readonly string[],
  current: string,
  context: Pick<Context, 'paths'>,
): Promise<Candidate[]> {
  const flagOf = (word: string | undefined): FlagEntry | undefined =>
    Object.values(command.flags).find(
      ({ name, char }) => word === `--${name}` || (char !== undefined && word === `-${char}`),
    );
  const [named = '', ...value] = current.split('=');
  if (value.length > 0 && flagOf(named))
    return (await valuesOf(flagOf(named), context)).map(({ value: one }) => ({ value: `${named}=${one}` }));
  const waiting = flagOf(given.at(-1));
  if (waiting?.type === 'option') return valuesOf(waiting, context);
  if (current.startsWith('-')) return flags(command, given);
  const position = given.filter((word, at) => !word.startsWith('-') && flagOf(given[at - 1])?.type !== 'option').length;
  return valuesOf(Object.values(command.args)[position], context);
}

function flags(command: CommandEntry, given: readonly string[]): Candidate[] {
  return Object.values(command.flags)
    .filter(
      ({ name, hidden, multiple }) =>
        hidden !== true && (multiple === true || !given.some((word) => word.split('=')[0] === `--${name}`)),
    )
    .map(({ name, summary }) => candidate(`--${name}`, summary));
}

async function valuesOf(
  entry: FlagEntry | ArgEntry | undefined,
  { paths }: Pick<Context, 'paths'>,
): Promise<Candidate[]> {
  const source = entry?.options ?? entry?.completes ?? [];
  const words =
    source === 'event types'
      ? Object.keys((await import('../../contract/events.ts')).EVENT_TYPES)
      : source === 'error codes'
        ? Object.keys((await import('../../contract/problem.ts')).PROBLEMS)
        : 'ids' in source
          ? recentIds(join(paths.state, 'store.db'), columnOf(source.ids), source.ids)
          : source;
  return words.map((value) => ({ value }));
}

/** Where the journal keeps ids that begin like this. */
function columnOf([prefix]: readonly string[]): 'event_id' | 'request_id' | 'resource_id' {
  return prefix === 'evt_' ? 'event_id' : prefix === 'req_' ? 'request_id' : 'resource_id';
}

function candidate(value: string, about: string | undefined): Candidate {
  return about === undefined ? { value } : { value, about };
}

/** @param asked the shell's name, then the words of the line */
export async function completeLine([shell = '', ...words]: readonly string[], context: Context): Promise<string> {
  const last = words.at(-1) ?? '';
  const typed = shell === 'powershell' && last.startsWith('=') ? [...words.slice(0, -1), last.slice(1)] : words;
  try {
    const found = await complete(typed.length === 0 ? [''] : typed, context);
    return found.map((candidate) => `${lineOf(shell, candidate)}\n`).join('');
  } catch {
    return '';
  }
}

function lineOf(shell: string, { value, about }: Candidate): string {
  // bash takes words apart at the `=` and replaces what stands after it.
  if (shell === 'bash') return value.replace(/^--[^=]+=/, '');
  return about === undefined ? value : `${value}\t${about}`;
}
