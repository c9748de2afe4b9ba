/** The arrows of the house: imports point down or stay in their room, and only the edge touches the outside world. */
import assert from 'node:assert/strict';
import { glob, readFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { test } from 'node:test';

const root = join(import.meta.dirname, '..');

/** Row of each room; a room may import its own files and rooms of lower rows. */
const ROWS: Readonly<Record<string, number>> = {
  failure: 0,
  files: 0,
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
const SANDBOX_MAY_USE = new Set(['sandbox', 'contract', 'http-server', 'files', 'store', 'failure', 'priority-queue']);

interface Source {
  file: string;
  room: string;
  text: string;
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
  const known = new Map(sources.map(({ file, imports }) => [file, imports]));
  const cleared = new Set<string>();
  const visit = (file: string, way: readonly string[]): void => {
    assert.ok(!way.includes(file), `a circle: ${[...way.slice(way.indexOf(file)), file].join(' -> ')}`);
    if (cleared.has(file)) return;
    for (const next of known.get(file) ?? []) visit(next, [...way, file]);
    cleared.add(file);
  };
  for (const file of known.keys()) visit(file, []);
});

test('no room is called by what it is not', () => {
  for (const { file } of sources) assert.doesNotMatch(file, /(^|\/)(util|utils|helpers|common|misc|shared)(\/|\.ts$)/);
  for (const { file } of sources) assert.doesNotMatch(file, /^src\/lib\/.*\bindex\.ts$/);
});

test('below cli nothing knows a terminal, oclif or the process', () => {
  for (const { file, room, text } of sources) {
    if ((ROWS[room] ?? 9) >= 4 || file.endsWith('keychain-helper.ts')) continue;
    const code = text.replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');
    assert.doesNotMatch(code, /\bprocess\.(?!env\b\s*:)|\bconsole\.|from '(@oclif|chalk|inquirer|cli-table3)/, file);
    assert.doesNotMatch(
      code,
      /\bDate\.now\(|\bMath\.random\(|\bglobalThis\.fetch|[^.\w]fetch\('http/,
      `${file}: time, randomness and the network are handed in`,
    );
  }
});

test('only the context touches the process, the clock and chance', () => {
  const allowed = new Set(['src/lib/cli/context.ts', 'src/lib/auth/keychain-helper.ts']);
  for (const { file, text } of sources) {
    if (allowed.has(file)) continue;
    const code = text.replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');
    assert.doesNotMatch(code, /\bprocess\.|\bDate\.now\(|\bMath\.random\(/, file);
  }
});

async function readSources(): Promise<Source[]> {
  const found: Source[] = [];
  for await (const file of glob('src/**/*.ts', { cwd: root })) {
    const text = await readFile(join(root, file), 'utf8');
    const imports = [...text.matchAll(/(?:from|import)\s*\(?\s*'(\.{1,2}\/[^']+)'/g)].map((match) =>
      relative(root, join(root, dirname(file), match[1] ?? '')),
    );
    found.push({ file, room: roomOf(file), text, imports });
  }
  return found;
}

function roomOf(file: string): string {
  const [, area, room = ''] = file.split('/');
  return area === 'commands' ? 'commands' : room.replace(/\.ts$/, '');
}
