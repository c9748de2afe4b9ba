/** The page's own files: what can be tried without a browser. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { globSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { readPage } from '../../src/lib/inspector/page-files.ts';
import type { Row } from '../../src/lib/inspector/rows.ts';
import { root } from '../support/spawn.ts';
import { folder, pageModule, TARGET } from './support.ts';

const names = readdirSync(folder).sort();
const text = (name: string): string => readFileSync(join(folder, name), 'utf8');

test('every file is served, and every module can be read', async () => {
  const served = [...(await readPage(folder)).keys()].map((path) => (path === '/' ? 'index.html' : path.slice(1)));
  assert.deepEqual(served.sort(), names);
  for (const name of names.filter((one) => one.endsWith('.js')))
    execFileSync(process.execPath, ['--check', join(folder, name)]);
  for (const [, used = ''] of names.flatMap((name) =>
    [...text(name).matchAll(/(?:src|href)="\/([^"]*)"|from '\.\/([^']*)'/g)].map((found) => ['', found[1] ?? found[2]]),
  ))
    assert.ok(names.includes(used), used);
});

test('nothing of it makes markup or code of text, and nothing comes from elsewhere', () => {
  for (const name of names) {
    const code = text(name);
    assert.doesNotMatch(
      code,
      /innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|srcdoc|\beval\b|new Function|setHTML/,
      name,
    );
    assert.doesNotMatch(
      code.replaceAll(/http:\/\/www\.w3\.org\/2000\/svg|\^https\?:/g, ''),
      /https?:\/\/|javascript:|url\(/,
      name,
    );
    assert.doesNotMatch(code, / on\w+="|style="|<style|localStorage|document\.cookie/, name);
  }
});

test('the elements its script looks for are there, each with a name for those who do not see them', () => {
  const page = text('index.html');
  for (const name of names.filter((one) => one.endsWith('.js')))
    for (const [, id = ''] of text(name).matchAll(/\bat\('([a-z]+)'\)/g))
      assert.ok(page.includes(`id="${id}"`) || id === 'said', `${name}: ${id}`);
  for (const [, id = ''] of page.matchAll(/<(?:input|select) id="(\w+)"/g))
    assert.match(page, new RegExp(`<label>\\s*<span>\\w+</span>\\s*<(?:input|select) id="${id}"`));
  assert.match(page, /<html lang="en-GB">[\s\S]*role="status"[\s\S]*role="grid" aria-label="/);
});

test('nothing of the page is loaded unless it is asked for', () => {
  for (const file of globSync(['src/commands/**/*.ts', 'src/lib/**/*.ts'], { cwd: root })) {
    if (file === 'src/lib/cli/webhooks/inspecting.ts' || file.startsWith('src/lib/inspector/')) continue;
    assert.doesNotMatch(
      readFileSync(join(root, file), 'utf8'),
      /^import (?!type)[^;]*(?:inspector\/|inspecting)/m,
      file,
    );
  }
});

interface List {
  stateOf(row: Row): string;
  fits(row: Row, filter: { text: string; type: string; state: string }): boolean;
  isBefore(a: Row, b: Row): boolean;
  timeOf(at: string, now?: Date): string;
}

const way = (state: string) => ({ target: TARGET, state, attempts: 1, status: 500, error: null, latency_ms: 1 });
const row = (more: object): Row =>
  ({
    ...{
      key: '1',
      at: '2026-07-04T10:00:00.000Z',
      event_type: 'payment.failed',
      event_id: 'evt_1',
      delivery_id: 'whd_1',
    },
    ...{
      resource_id: 'pay_1',
      bytes: 1,
      verdict: 'valid',
      warnings: [],
      cause: null,
      ways: [way('failed')],
      replays: 0,
      ...more,
    },
  }) as Row;

test('the worst target tells how a delivery stands', async () => {
  const { stateOf } = await pageModule<List>('list.js');
  const states = (...names: string[]): string => stateOf(row({ ways: names.map(way) }));
  assert.deepEqual(
    [
      states(),
      states('delivered', 'failed'),
      states('delivered', 'waiting'),
      states('duplicate', 'delivered'),
      states('duplicate'),
    ],
    ['kept', 'failed', 'waiting', 'delivered', 'duplicate'],
  );
  assert.equal(stateOf(row({ verdict: 'rejected', ways: [] })), 'rejected');
});

test('the filter: type or family, state, and every word anywhere', async () => {
  const { fits } = await pageModule<List>('list.js');
  const passes = (filter: object, of = row({})): boolean => fits(of, { text: '', type: '', state: '', ...filter });
  assert.deepEqual(
    [{}, { type: 'payment.failed' }, { type: 'payment.*' }, { type: 'pay.*' }, { type: 'decision.completed' }].map(
      (filter) => passes(filter),
    ),
    [true, true, true, false, false],
  );
  assert.deepEqual(
    ['PAY_1', 'evt_1 3000', 'whd_1', '500', 'failed hook', 'evt_2', 'evt_1 nothing'].map((words) =>
      passes({ text: words }),
    ),
    [true, true, true, true, true, false, false],
  );
  assert.deepEqual(
    ['failed', 'delivered'].map((state) => passes({ state })),
    [true, false],
  );
  const refused = row({ verdict: 'rejected', event_type: null, event_id: null, cause: 'wrong_secret', ways: [] });
  assert.deepEqual([passes({ text: 'wrong' }, refused), passes({ type: 'payment.*' }, refused)], [true, false]);
});

test('newest first; times say their zone, and their day where it is another one', async () => {
  const { isBefore, timeOf } = await pageModule<List>('list.js');
  const later = row({ key: '1', at: '2026-07-04T10:00:01.000Z' });
  assert.deepEqual([isBefore(later, row({ key: '9' })), isBefore(row({ key: '10' }), row({ key: '9' }))], [true, true]);
  assert.deepEqual(
    [isBefore(row({ key: '9' }), later), isBefore(row({ key: 'r2' }), row({ key: 'r10' }))],
    [false, false],
  );
  const at = '2026-07-04T10:00:00.000Z';
  assert.match(timeOf(at, new Date(at)), /^\d\d:00:00 \S+/);
  assert.match(timeOf(at, new Date('2026-08-01')), /Jul/);
});
