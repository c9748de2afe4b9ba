/**
 * Records the shape of what each command prints as JSON. The command lines are the commands' own (`recorded` of each class); they run in
 * this process, one after another, against a sandbox whose clock stands still.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { valuesAt } from '../src/lib/cli/output/format.ts';
import type { CommandEntry, Recording, RecordingStage } from '../src/lib/cli/manifest.ts';
import { run } from '../src/lib/cli/program.ts';
import { freshFolder } from '../test/support/folder.ts';
import { command, type World, worldOf } from '../test/support/world.ts';
import { merged, shapeOf } from './shape.ts';

const STAGES: readonly RecordingStage[] = ['start', 'usual', 'listening', 'end', 'offline'];

/** What recordings may name besides the values of others: files, and the URL of a small app as `{handler}`. */
const FILES = {
  'body.json': '{"id":"evt_1","type":"payment.settled"}',
  'secret.txt': 'whsec_EXAMPLE_alpha\n',
};

interface Line extends Recording {
  /** As typed, but for `--json`. */
  words: string;
  /** The command's name. */
  name: string;
}

/**
 * Shapes by command line.
 * @param root folder of the program
 * @throws Error where a line ends otherwise than it should
 */
export async function documents(root: string, commands: readonly CommandEntry[]): Promise<Record<string, unknown>> {
  const home = freshFolder();
  const app = createServer((request, response) => request.resume().on('end', () => response.end('ok')));
  await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', resolve));
  const known = new Map([['handler', `http://127.0.0.1:${(app.address() as AddressInfo).port}/hook`]]);
  const lines = commands.flatMap(linesOf);
  const files = Object.assign({ ...FILES }, ...lines.map((line) => line.files ?? {})) as Record<string, string>;
  mkdirSync(join(home, 'files'));
  for (const [name, text] of Object.entries(files)) {
    known.set(name, join(home, 'files', name));
    writeFileSync(join(home, 'files', name), text);
  }
  const found: Record<string, unknown> = {};
  const running: { line: Line; process: Running }[] = [];
  const stop = async ({ line, process }: (typeof running)[number]): Promise<void> => {
    const printed = await process.end();
    found[line.words] = line.byType === true ? shapesByType(printed) : shapeOfAll(printed);
  };
  try {
    for (const stage of STAGES) {
      const [long, short] = [inOrder(lines, stage, true), inOrder(lines, stage, false)];
      for (const line of long) running.push({ line, process: await begin({ home, root }, line.words) });
      for (const line of short) found[line.words] = await shapeOfRun({ home, root }, line, known);
      for (const one of running.filter(({ line }) => line.runsUntil === stage)) await stop(one);
    }
  } finally {
    for (const one of running) await one.process.end();
    app.close();
  }
  return Object.fromEntries(Object.entries(found).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function linesOf({ id, recorded = [] }: CommandEntry): Line[] {
  const name = id.replaceAll(':', ' ');
  return recorded.map((recording) => ({ ...recording, name, words: `${name} ${recording.args ?? ''}`.trim() }));
}

/** Those of a stage, each after the ones it needs; otherwise by name. */
function inOrder(all: readonly Line[], stage: RecordingStage, long: boolean): Line[] {
  const own = all.filter((line) => (line.stage ?? 'usual') === stage && (line.runsUntil !== undefined) === long);
  const waiting = own.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  const ordered: Line[] = [];
  while (waiting.length > 0) {
    const next = waiting.findIndex((line) => !waiting.some((other) => other !== line && needs(line, other)));
    if (next === -1) throw new Error(`these wait for each other: ${waiting.map(({ words }) => words).join('; ')}`);
    ordered.push(...waiting.splice(next, 1));
  }
  return ordered;
}

function needs({ words, after }: Line, other: Line): boolean {
  return after === other.name || Object.keys(other.gives ?? {}).some((name) => words.includes(`{${name}}`));
}

async function shapeOfRun(
  world: World,
  { words, status = 0, stdin = '', gives = {} }: Line,
  known: Map<string, string>,
): Promise<unknown> {
  const argv = words.split(' ').map((word) => {
    const name = /\{(\w+)\}/.exec(word)?.[1];
    if (name !== undefined && !known.has(name)) throw new Error(`${words}: no recording gives {${name}}`);
    return word.includes('.') && known.has(word)
      ? (known.get(word) ?? '')
      : word.replace(/\{(\w+)\}/, () => known.get(name ?? '') ?? '');
  });
  const ended = await command({ ...world, input: stdin }, ...argv, '--json');
  if (status !== 'any' && ended.status !== status)
    throw new Error(`${words} ended with ${ended.status}: ${ended.stderr}`);
  const text = ended.stdout === '' ? (ended.stderr.trim().split('\n').at(-1) ?? '') : ended.stdout.trim();
  const [first, ...rest] = text.split('\n').map((one): unknown => JSON.parse(one));
  for (const [name, path] of Object.entries(gives)) known.set(name, String(valuesAt(first, path)[0]));
  return shapeOfAll([first, ...rest]);
}

interface Running {
  /** Ctrl-C. @returns the documents it printed */
  end(): Promise<unknown[]>;
}

/** Starts what ends on Ctrl-C, and waits for its first line. */
async function begin(world: World, words: string): Promise<Running> {
  const { context, said } = worldOf(world);
  const ended = run([...words.split(' '), '--json'], context);
  let over = false;
  void ended.then(() => (over = true));
  while (!said().stdout.includes('\n')) {
    if (over) throw new Error(`${words} ended: ${said().stderr}`);
    await turn();
  }
  return {
    async end() {
      context.interrupt('SIGINT');
      await ended;
      const lines = said().stdout.trim().split('\n');
      return lines.map((one): unknown => JSON.parse(one));
    },
  };
}

function shapeOfAll(documents: readonly unknown[]): unknown {
  return documents.map(shapeOf).reduce(merged);
}

function shapesByType(documents: readonly unknown[]): Record<string, unknown> {
  const groups = Map.groupBy(documents, (document) => String(valuesAt(document, 'type')[0]));
  return Object.fromEntries([...groups].map(([type, some]) => [type, shapeOfAll(some)]));
}
