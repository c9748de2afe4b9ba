/** The page's files: what can be tested without a browser. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { globSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import { readPageFiles } from '../../src/lib/inspector/inspector-server.ts';
import type { ListRow } from '../../src/lib/inspector/delivery-list.ts';
import { root } from '../support/spawn.ts';
import { folder, pageModule, TARGET } from './support.ts';

const names = readdirSync(folder).sort();
const text = (name: string): string => readFileSync(join(folder, name), 'utf8');

test('every file is served, and every module can be read', async () => {
  const served = [...(await readPageFiles(folder)).keys()].map((path) => (path === '/' ? 'index.html' : path.slice(1)));
  assert.deepEqual(served.sort(), names);
  for (const name of names.filter((one) => one.endsWith('.js')))
    execFileSync(process.execPath, ['--check', join(folder, name)]);
  for (const [, used = ''] of names.flatMap((name) =>
    [...text(name).matchAll(/(?:src|href)="\/([^"]*)"|from '\.\/([^']*)'/g)].map((found) => ['', found[1] ?? found[2]]),
  ))
    assert.ok(names.includes(used), used);
});

const WRITES_HTML =
  /innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|srcdoc|\beval\b|new Function|setHTML/;
const OTHER_ORIGIN = /https?:\/\/|javascript:|url\(/;
const INLINE_OR_STORED = / on\w+="|style="|<style|localStorage|document\.cookie/;

test('no file turns text into HTML or code, and nothing is loaded from other origins', () => {
  // The patterns match what they are meant to find.
  assert.match('row.innerHTML = text', WRITES_HTML);
  assert.match('<script src="https://cdn.example/x.js">', OTHER_ORIGIN);
  assert.match('<p onclick="go()">', INLINE_OR_STORED);
  assert.ok(names.includes('index.html') && names.filter((name) => name.endsWith('.js')).length > 3, names.join());
  for (const name of names) {
    const code = text(name);
    assert.ok(code.length > 100, `${name} is empty`);
    assert.doesNotMatch(code, WRITES_HTML, name);
    assert.doesNotMatch(code.replaceAll(/http:\/\/www\.w3\.org\/2000\/svg|\^https\?:/g, ''), OTHER_ORIGIN, name);
    assert.doesNotMatch(code, INLINE_OR_STORED, name);
  }
});

test('the elements the scripts use exist, and form fields and table have accessible names', () => {
  const page = text('index.html');
  const wanted = names
    .filter((name) => name.endsWith('.js'))
    .flatMap((name) => [...text(name).matchAll(/\bat\('([a-z]+)'\)/g)].map(([, id = '']) => id));
  assert.ok(wanted.length > 5, wanted.join());
  for (const id of wanted) assert.ok(page.includes(`id="${id}"`) || id === 'result', id);
  const fields = [...page.matchAll(/<(?:input|select) id="(\w+)"/g)].map(([, id = '']) => id);
  assert.ok(fields.length > 2, fields.join());
  for (const id of fields)
    assert.match(page, new RegExp(`<label>\\s*<span>\\w+</span>\\s*<(?:input|select) id="${id}"`));
  assert.match(page, /<html lang="en-GB">[\s\S]*role="status"[\s\S]*role="grid" aria-label="/);
});

test('the inspector is loaded only when it is used', () => {
  const sources = globSync(['src/commands/**/*.ts', 'src/lib/**/*.ts'], { cwd: root })
    .filter((file) => !file.startsWith('src/lib/inspector/'))
    .map((file) => ({ file, code: readFileSync(join(root, file), 'utf8') }));
  const uses = sources.filter(({ code }) => /^import (?!type)[^;]*\/inspector\//m.test(code)).map(({ file }) => file);
  assert.equal(uses.length, 1, 'one file uses the inspector');
  const name = basename(uses[0] ?? '');
  assert.ok(
    sources.some(({ code }) => code.includes('import(') && code.includes(`/${name}')`)),
    `${name} is loaded on demand`,
  );
  for (const { file, code } of sources)
    assert.doesNotMatch(code, new RegExp(`^import (?!type)[^;]*/${name.replace('.', '\\.')}'`, 'm'), file);
});

interface List {
  stateOf(row: ListRow): string;
  fits(row: ListRow, filter: { text: string; type: string; state: string }): boolean;
  isBefore(a: ListRow, b: ListRow): boolean;
  timeOf(at: string, now?: Date): string;
}

const way = (state: string) => ({ target: TARGET, state, attempts: 1, status: 500, error: null, latency_ms: 1 });
const row = (more: object): ListRow =>
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
      targets: [way('failed')],
      replays: 0,
      ...more,
    },
  }) as ListRow;

test('the state of a delivery is that of its worst target', async () => {
  const { stateOf } = await pageModule<List>('list.js');
  const states = (...names: string[]): string => stateOf(row({ targets: names.map(way) }));
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
  assert.equal(stateOf(row({ verdict: 'rejected', targets: [] })), 'rejected');
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
  const refused = row({ verdict: 'rejected', event_type: null, event_id: null, cause: 'wrong_secret', targets: [] });
  assert.deepEqual([passes({ text: 'wrong' }, refused), passes({ type: 'payment.*' }, refused)], [true, false]);
});

test('newest first; times have their zone, and the day unless it is today', async () => {
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
