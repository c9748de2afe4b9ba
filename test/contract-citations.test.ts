/** The citations in the code and the links in the documentation: each one leads to a heading, a page or a file that exists. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { glob, readFile } from 'node:fs/promises';
import { basename, dirname, join, normalize } from 'node:path';
import { test } from 'node:test';

const root = join(import.meta.dirname, '..');

/** The pages of docs/contract; code cites them as `page.md#heading`. */
const CONTRACT = ['partner-api', 'webhooks', 'sandbox', 'acountpay', 'command-line'];
/** The only texts besides RFCs whose sections are cited by number. */
const STANDARD_SECTION = /(?:RFC \d{3,5}|HTML standard|SEC 2|Fetch) §\d+(?:\.\d+)*(?:(?:,| and) §\d+(?:\.\d+)*)*/g;
/** Names that a clone has no page for. */
const PAGES_NOBODY_HAS =
  /\b(?:partner api|acountpay|command-line|contract) (?:page|§)|\b(?:webhooks|sandbox|partner) pages?\b|\b(?:design|shared)\/[\w-]+\.md\b/i;

const sources = await textsOf('{src,test,bench,scripts,bin,assets}/**/*.{ts,js,mjs,css,html,ps1,sh}');
// This file tells what a citation looks like.
sources.delete('test/contract-citations.test.ts');
const pages = await textsOf('{*.md,docs/**/*.md}');
const headings = new Map([...pages].map(([file, text]) => [file, anchorsOf(text)]));

test('sources and pages were found', () => {
  assert.ok(sources.size > 100, `only ${sources.size} sources`);
  for (const page of CONTRACT)
    assert.ok((headings.get(`docs/contract/${page}.md`)?.size ?? 0) > 3, `docs/contract/${page}.md has no headings`);
});

test('every citation of the contract names one of its headings', () => {
  const wrong: string[] = [];
  let followed = 0;
  for (const [file, text] of sources) {
    for (const [citation, page, heading] of text.matchAll(/\b([a-z][a-z-]*)\.md#([\w-]*)/g)) {
      followed++;
      if (!headings.get(`docs/contract/${page}.md`)?.has(heading ?? '')) wrong.push(`${file}: ${citation}`);
    }
  }
  assert.ok(followed > 100, `only ${followed} citations`);
  assert.deepEqual(wrong, []);
});

test('sections are cited by number in RFCs and named standards only', () => {
  const wrong: string[] = [];
  for (const [file, text] of sources) {
    for (const line of text.replaceAll(STANDARD_SECTION, '').split('\n')) {
      if (line.includes('§') || PAGES_NOBODY_HAS.test(line)) wrong.push(`${file}: ${line.trim()}`);
    }
  }
  assert.deepEqual(wrong, []);
});

test('every link in the documentation leads somewhere', () => {
  const wrong: string[] = [];
  let followed = 0;
  for (const [file, text] of pages) {
    for (const [link, target] of prose(text).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (target === undefined || /^[a-z]+:/.test(target)) continue;
      followed++;
      const [path = '', anchor] = target.split('#');
      const page = path === '' ? file : normalize(join(dirname(file), path));
      const there = anchor === undefined ? existsSync(join(root, page)) : headings.get(page)?.has(anchor) === true;
      if (!there) wrong.push(`${file}: ${link}`);
    }
  }
  assert.ok(followed > 20, `only ${followed} links`);
  assert.deepEqual(wrong, []);
});

test('every file that the documentation names is there', () => {
  const wrong: string[] = [];
  for (const [file, text] of pages) {
    if (basename(file) === 'CHANGELOG.md') continue;
    for (const [, path] of prose(text, { code: true }).matchAll(
      /`((?:src|test|scripts|bench|docs|bin|assets)\/[\w./-]+)`/g,
    )) {
      if (path !== undefined && !existsSync(join(root, path))) wrong.push(`${file}: ${path}`);
    }
  }
  assert.deepEqual(wrong, []);
});

test('every source file that ARCHITECTURE.md names is in one of our folders', async () => {
  const known = new Set<string>();
  for await (const file of glob('{src/lib,bin,scripts,test}/**/*.{ts,js}', { cwd: root })) known.add(basename(file));
  const named = [...(pages.get('ARCHITECTURE.md') ?? '').matchAll(/`(?:[\w-]+\/)*([\w-]+\.(?:ts|js))`/g)].map(
    ([, name = '']) => name,
  );
  assert.ok(named.length > 50, `only ${named.length} files`);
  assert.deepEqual(
    named.filter((name) => !known.has(name)),
    [],
  );
});

test('the anchors of a page are those a reader of GitHub gets', () => {
  const page = ['# One `two`, three (4)', '## A_b – c', '```', '# not a heading', '```', '### Again', '### Again'].join(
    '\n',
  );
  assert.deepEqual([...anchorsOf(page)], ['one-two-three-4', 'a_b--c', 'again', 'again-1']);
});

/** Anchors of a page's headings: lower case, punctuation dropped, each space a hyphen, a repeated one numbered. */
function anchorsOf(text: string): Set<string> {
  const anchors = new Set<string>();
  for (const [, heading = ''] of prose(text, { code: true }).matchAll(/^#{1,6} +(.+?) *$/gm)) {
    const plain = heading
      .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\p{M}_ -]/gu, '')
      .replaceAll(' ', '-');
    let anchor = plain;
    for (let n = 1; anchors.has(anchor); n++) anchor = `${plain}-${n}`;
    anchors.add(anchor);
  }
  return anchors;
}

/** A page without its code blocks and, unless asked for, without what stands in backticks. */
function prose(text: string, { code = false } = {}): string {
  const blocks = text.replaceAll(/^ *```[^\n]*\n[\s\S]*?^ *```/gm, '');
  return code ? blocks : blocks.replaceAll(/`[^`\n]*`/g, '');
}

async function textsOf(pattern: string): Promise<Map<string, string>> {
  const texts = new Map<string, string>();
  for await (const file of glob(pattern, { cwd: root, exclude: ['test/fixtures/**'] }))
    texts.set(file, await readFile(join(root, file), 'utf8'));
  return texts;
}
