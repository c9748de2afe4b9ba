/**
 * What could come next on a command line. Answers from the manifest and the local journal alone: no oclif, no network, no credential
 * is touched, so that a Tab feels instant.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type IdColumn, recentIds } from '../../journal/recent-ids.ts';
import type { Context } from '../context.ts';
import { KNOWN_VALUES } from '../requests/documented-values.ts';

interface FlagEntry {
  name: string;
  char?: string;
  type: 'boolean' | 'option';
  summary?: string;
  options?: string[];
  multiple?: boolean;
  hidden?: boolean;
}

interface CommandEntry {
  summary?: string;
  hidden?: boolean;
  flags: Record<string, FlagEntry>;
  args: Record<string, { options?: string[] }>;
}

interface Manifest {
  commands: Record<string, CommandEntry>;
}

interface Candidate {
  value: string;
  about?: string;
}

/** @param words what stands after the program's name, the last being the one under the cursor (perhaps empty) */
async function complete(words: readonly string[], context: Pick<Context, 'root' | 'paths'>): Promise<Candidate[]> {
  const manifest = JSON.parse(await readFile(join(context.root, 'oclif.manifest.json'), 'utf8')) as Manifest;
  const typed = rejoined(words);
  const current = typed.at(-1) ?? '';
  const before = typed.slice(0, -1);
  const { id, used } = commandOf(before, manifest);
  const command = id === null ? undefined : manifest.commands[id];
  const found = command && id !== null ? await inCommand(id, command, before.slice(used), current, context) : [];
  const names = used === before.length || command === undefined ? nextWords(before, manifest) : [];
  return [...names, ...found].filter(({ value }) => value.startsWith(current));
}

/** bash takes `--flag=value` apart at the `=`; here it is one word again. */
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
function commandOf(words: readonly string[], manifest: Manifest): { id: string | null; used: number } {
  for (let used = Math.min(words.length, 4); used > 0; used -= 1) {
    const id = words.slice(0, used).join(':');
    if (Object.hasOwn(manifest.commands, id)) return { id, used };
  }
  return { id: null, used: 0 };
}

function nextWords(before: readonly string[], manifest: Manifest): Candidate[] {
  const prefix = before.map((word) => `${word}:`).join('');
  const next = new Map<string, string | undefined>();
  for (const [id, { summary, hidden }] of Object.entries(manifest.commands)) {
    if (hidden === true || !id.startsWith(prefix)) continue;
    const [word = '', ...rest] = id.slice(prefix.length).split(':');
    if (word !== '') next.set(word, rest.length === 0 ? summary : next.get(word));
  }
  return [...next].map(([value, about]) => candidate(value, about));
}

async function inCommand(
  id: string,
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
    return (await valuesOf(id, flagOf(named), context)).map(({ value: one }) => ({ value: `${named}=${one}` }));
  const waiting = flagOf(given.at(-1));
  if (waiting?.type === 'option') return valuesOf(id, waiting, context);
  if (current.startsWith('-')) return flags(command, given);
  const position = given.filter((word, at) => !word.startsWith('-') && flagOf(given[at - 1])?.type !== 'option').length;
  const [name, arg] = Object.entries(command.args)[position] ?? [];
  if (arg === undefined) return [];
  const words = arg.options ?? (await WORDS[`${id} ${name}`]?.());
  return words ? words.map((one) => ({ value: one })) : idsFor(id, context);
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
  id: string,
  flag: FlagEntry | undefined,
  context: Pick<Context, 'paths'>,
): Promise<Candidate[]> {
  const place = `${id} --${flag?.name}`;
  const words = flag?.options ?? KNOWN_VALUES[place] ?? (await WORDS[place]?.());
  if (words) return words.map((value) => ({ value }));
  return flag?.name === 'application' ? idsFor('apps', context) : [];
}

const eventTypes = async (): Promise<string[]> => Object.keys((await import('../../contract/events.ts')).EVENT_TYPES);

/** Words that are loaded only where they are asked for, by command and flag or argument. */
const WORDS: Readonly<Record<string, () => Promise<string[]>>> = {
  'webhooks:trigger type': eventTypes,
  'webhooks:expect --type': eventTypes,
  'webhooks:listen --events': eventTypes,
  'webhooks:endpoints:create --events': eventTypes,
  'webhooks:endpoints:update --events': eventTypes,
  'events:list --type': eventTypes,
  'errors:explain code': async () => Object.keys((await import('../../contract/problem.ts')).PROBLEMS),
};

/** Which ids a command takes: the longest beginning counts. */
const IDS: Readonly<Record<string, readonly [IdColumn, ...string[]]>> = {
  apps: ['resource_id', 'app_'],
  decisions: ['resource_id', 'app_', 'dec_'],
  payments: ['resource_id', 'pay_'],
  'payments:links': ['resource_id', 'plink_'],
  identity: ['resource_id', 'idc_'],
  accounts: ['resource_id', 'acc_'],
  'webhooks:endpoints': ['resource_id', 'whend_'],
  events: ['event_id', 'evt_'],
  'logs:show': ['request_id', 'req_'],
  'support:report': ['request_id', 'req_'],
};

function idsFor(id: string, { paths }: Pick<Context, 'paths'>): Candidate[] {
  const [topic] = Object.keys(IDS)
    .filter((name) => id === name || id.startsWith(`${name}:`))
    .sort((a, b) => b.length - a.length);
  const [column, ...prefixes] = IDS[topic ?? ''] ?? [];
  if (column === undefined) return [];
  return recentIds(join(paths.state, 'store.db'), column, prefixes).map((value) => ({ value }));
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
