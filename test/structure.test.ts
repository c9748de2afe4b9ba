/** The arrows of the house: imports point down or stay in their room, names mean one thing, and only the edge touches the outside world. */
import assert from 'node:assert/strict';
import { glob, readFile } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import { test } from 'node:test';

const root = join(import.meta.dirname, '..');

/** Row of each room; a room may import its own files and rooms of lower rows. */
const ROWS: Readonly<Record<string, number>> = {
  failure: 0,
  files: 0,
  'child-environment': 0,
  'priority-queue': 0,
  contract: 1,
  api: 2,
  auth: 2,
  store: 2,
  'http-server': 2,
  webhooks: 3,
  journal: 3,
  proxy: 3,
  inspector: 3,
  sandbox: 3,
  cli: 4,
  commands: 5,
};
/** A server that shares the client's code shares its mistakes. */
const SANDBOX_MAY_USE = new Set(['sandbox', 'contract', 'http-server', 'files', 'store', 'priority-queue', 'failure']);

/** File names that stand in two places because one file mirrors the other, with the reason. */
const MIRRORED_FILES: Readonly<Record<string, string>> = {};

/** Exported names that are defined twice on purpose, with the reason. */
const MIRRORED_NAMES: Readonly<Record<string, string>> = {};

/** Files that may touch the process, the clock, chance and the real places of files, with the reason. */
const EDGE: Readonly<Record<string, string>> = {
  'src/lib/cli/context.ts': 'the one place that reads the outside world for everybody else',
  'src/lib/auth/keychain/keychain-helper.ts': 'a program of its own, started by the keychain',
  'src/lib/files/ownership.ts':
    'whose files are ours is a question about this process and its user, asked before anything is loaded',
  'src/lib/auth/vaults/file-vault.ts': 'salt and nonce must never repeat: no caller may choose where they come from',
};

interface Source {
  file: string;
  room: string;
  text: string;
  /** Without comments. */
  code: string;
  imports: string[];
}

const sources = await readSources();

test('the sources were found', () => {
  assert.ok(sources.length > 20, `only ${sources.length} files`);
  assert.ok(sources.some(({ imports }) => imports.length > 0));
});

test('every file stands in a known room', () => {
  for (const { file, room } of sources) assert.ok(room in ROWS, `${file}: unknown room ${room}`);
});

test('imports point down or stay in their room', () => {
  for (const { file, room, imports } of sources) {
    for (const target of imports) {
      const other = roomOf(target);
      if (other === room && room !== 'commands') continue;
      assert.ok(other !== room, `${file}: commands never import commands (${target})`);
      // The one error is for every room, also for those beside it.
      if (other === 'failure') continue;
      assert.ok((ROWS[other] ?? 9) < (ROWS[room] ?? -1), `${file} (${room}) imports ${target} (${other})`);
      if (room === 'sandbox') assert.ok(SANDBOX_MAY_USE.has(other), `${file} imports ${target}`);
    }
  }
});

test('no file imports itself by way of others', () => {
  assert.deepEqual(circles(new Map(sources.map(({ file, imports }) => [file, imports]))), []);
});

test('sub-rooms have arrows without circles: a folder counts as one, a file beside it as itself', () => {
  const folders = new Set(sources.flatMap(({ file }) => foldersOf(file)));
  const checked = [...folders];
  assert.deepEqual(
    checked.flatMap((folder) => circles(arrowsWithin(folder))),
    [],
  );
});

test('no room is called by what it is not', () => {
  for (const { file } of sources) assert.doesNotMatch(file, /(^|\/)(util|utils|helpers|common|misc|shared)(\/|\.ts$)/);
  for (const { file } of sources) assert.doesNotMatch(file, /^src\/lib\/.*\bindex\.ts$/);
});

test('no file name stands in two rooms unless one file mirrors the other', () => {
  const places = new Map<string, string[]>();
  // Commands are named by the command line they spell.
  for (const { file } of sources.filter(({ room }) => room !== 'commands')) {
    places.set(basename(file), [...(places.get(basename(file)) ?? []), file]);
  }
  const twice = [...places].filter(([, files]) => files.length > 1).map(([name]) => name);
  assertListed(twice, MIRRORED_FILES, places);
});

test('no exported name is defined in two files', () => {
  const places = new Map<string, string[]>();
  for (const { file, code } of sources) {
    const exported =
      /^export (?:declare )?(?:async )?(?:abstract )?(?:function\*?|class|const|let|interface|type|enum) ([\w$]+)/gm;
    for (const [, name = ''] of code.matchAll(exported)) places.set(name, [...(places.get(name) ?? []), file]);
  }
  const twice = [...places].filter(([, files]) => new Set(files).size > 1).map(([name]) => name);
  assertListed(twice, MIRRORED_NAMES, places);
});

test('below cli nothing knows a terminal or oclif', () => {
  for (const { file, room, code } of sources) {
    if ((ROWS[room] ?? 9) >= 4) continue;
    assert.doesNotMatch(code, /\bconsole\.|from '(@oclif|chalk|inquirer|cli-table3)/, file);
    assert.doesNotMatch(code, /\bglobalThis\.fetch|[^.\w]fetch\('http/, `${file}: the network is handed in`);
  }
});

test('only the edge touches the process, the clock, chance and the real places of files', () => {
  const touches = new RegExp(
    [
      String.raw`\bprocess\.(?!env\b\s*:)|from 'node:process'`,
      String.raw`\bDate\.now\b|\bnew Date\(\)|\bperformance\.(?:now|timeOrigin)\b|\bhrtime\b`,
      String.raw`\bMath\.random\b|\brandom(?:Bytes|UUID|Int|Fill|FillSync)\b|\bgetRandomValues\b`,
      String.raw`\b(?:tmpdir|homedir|userInfo)\b`,
    ].join('|'),
  );
  for (const file of Object.keys(EDGE)) {
    assert.match(sources.find((source) => source.file === file)?.code ?? '', touches, `${file} needs no exception`);
  }
  const offending = sources
    .filter(({ file, code }) => !(file in EDGE) && touches.test(code))
    .map(({ file, code }) => [file, touches.exec(code)?.[0] ?? ''] as const);
  assert.deepEqual(offending, [], 'what these touch is handed in, as a value or a function');
});

/** Everything found twice is listed, and every mirror listed is still there. */
function assertListed(
  found: readonly string[],
  mirrored: Readonly<Record<string, string>>,
  places: ReadonlyMap<string, string[]>,
): void {
  const unlisted = found.filter((name) => !(name in mirrored));
  assert.deepEqual(
    unlisted.map((name) => `${name}: ${places.get(name)?.join(', ')}`),
    [],
  );
  const gone = Object.keys(mirrored).filter((name) => !found.includes(name));
  assert.deepEqual(gone, [], 'not found twice any more: remove it from the list');
}

/** The folders above a file inside `src/lib`. */
function foldersOf(file: string): string[] {
  const folder = dirname(file);
  return folder.startsWith('src/lib/') ? [folder, ...foldersOf(folder)] : [];
}

/** Imports between the files and folders that stand directly in this folder. */
function arrowsWithin(folder: string): Map<string, string[]> {
  const nodeOf = (file: string): string | null =>
    file.startsWith(`${folder}/`) ? (file.slice(folder.length + 1).split('/')[0] ?? null) : null;
  const arrows = new Map<string, string[]>();
  for (const { file, imports } of sources) {
    const from = nodeOf(file);
    if (from === null) continue;
    const to = imports.map((target) => nodeOf(target)).filter((node) => node !== null && node !== from);
    const name = `${folder}/${from}`;
    arrows.set(name, [...(arrows.get(name) ?? []), ...to.map((node) => `${folder}/${node}`)]);
  }
  return arrows;
}

/** One line for each circle that is met; empty when there is none. */
function circles(arrows: ReadonlyMap<string, readonly string[]>): string[] {
  const found = new Set<string>();
  const cleared = new Set<string>();
  const visit = (node: string, way: readonly string[]): void => {
    if (way.includes(node)) return void found.add([...way.slice(way.indexOf(node)), node].join(' -> '));
    if (cleared.has(node)) return;
    for (const next of arrows.get(node) ?? []) visit(next, [...way, node]);
    cleared.add(node);
  };
  for (const node of arrows.keys()) visit(node, []);
  return [...found];
}

async function readSources(): Promise<Source[]> {
  const found: Source[] = [];
  const files = await Array.fromAsync(glob('src/**/*.ts', { cwd: root }));
  for (const file of files.sort()) {
    const text = await readFile(join(root, file), 'utf8');
    const imports = [...text.matchAll(/(?:from|import)\s*\(?\s*'(\.{1,2}\/[^']+)'/g)].map((match) =>
      relative(root, join(root, dirname(file), match[1] ?? '')),
    );
    const code = text.replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');
    found.push({ file, room: roomOf(file), text, code, imports });
  }
  return found;
}

function roomOf(file: string): string {
  const [, area, room = ''] = file.split('/');
  return area === 'commands' ? 'commands' : room.replace(/\.ts$/, '');
}
