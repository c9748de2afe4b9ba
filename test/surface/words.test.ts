/** Whoever follows a next step, a help page or a page of the documents finds the command it names. */
import assert from 'node:assert/strict';
import { glob, readFile } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { root } from '../support/spawn.ts';

const manifest = JSON.parse(readFileSync(join(root, 'oclif.manifest.json'), 'utf8')) as {
  commands: Record<string, unknown>;
};
const ids = new Set(Object.keys(manifest.commands));
const topics = new Set(
  [...ids].flatMap((id) =>
    id
      .split(':')
      .slice(0, -1)
      .map((_, n, words) => words.slice(0, n + 1).join(':')),
  ),
);

test('every command that is named somewhere exists', async () => {
  let named = 0;
  for await (const file of glob(['src/**/*.ts', '*.md', 'docs/**/*.md'], { cwd: root })) {
    const text = await readFile(join(root, file), 'utf8');
    // In quotes, in backticks, after a prompt or at the beginning of a line, followed by words of a command.
    for (const [, words = ''] of text.matchAll(
      /(?:['"`$(|] ?|^ *|: |%> |\/)(?:credicorp|<%= config\.bin %>) ([a-z][a-z-]*(?: [a-z][a-z-]*){0,2})\b/gm,
    )) {
      named += 1;
      assert.ok(exists(words.split(' ')), `${file}: credicorp ${words}`);
    }
  }
  assert.ok(named > 60, `only ${named} found`);
});

/** The words begin with a command's, or are a topic's; what follows a command are its arguments. */
function exists(words: readonly string[]): boolean {
  const prefixes = words.map((_, n) => words.slice(0, n + 1).join(':'));
  return prefixes.some((prefix) => ids.has(prefix)) || topics.has(words.join(':')) || words[0] === 'help';
}
