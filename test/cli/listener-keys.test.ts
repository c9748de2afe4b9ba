/** The bar of a listener's terminal, its filter, and how keys are read. What they do on a real terminal: test/program/listener-keys.test.ts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type BarView,
  keysBarText,
  keysIn,
  passesFilter,
  typedFilter,
} from '../../src/lib/cli/webhooks/listener-keys.ts';
import { displayWidth } from '../../src/lib/cli/output/terminal-text.ts';
import type { ListenerEvent } from '../../src/lib/contract/listener-events.ts';

const usual: BarView = {
  ...{ paused: false, waiting: 0, filter: '', hidden: 0, typing: null, hasPage: false },
};

test('the bar has every key at 60, 80 and 120 columns', () => {
  for (const width of [60, 80, 120]) {
    const all = '? help  q quit  r again  p pause  c clear  f filter';
    assert.equal(keysBarText(usual, width), all);
    assert.equal(keysBarText({ ...usual, hasPage: true }, width), `${all}  o page`);
  }
});

test('what is different from usual stands first and whole; keys give way, and none is cut', () => {
  const paused = { ...usual, paused: true, waiting: 1234, filter: 'payment.*', hidden: 56 };
  const texts = [60, 80, 120].map((width) => keysBarText(paused, width));
  assert.deepEqual(texts, [
    'PAUSED, 1234 waiting  p resume  filter payment.*, 56 hidden',
    'PAUSED, 1234 waiting  p resume  filter payment.*, 56 hidden  ? help  q quit',
    'PAUSED, 1234 waiting  p resume  filter payment.*, 56 hidden  ? help  q quit  r again  c clear  f filter',
  ]);
});

test('no state of the bar is wider than the terminal', () => {
  const typings = [null, '', 'decision', '試'.repeat(60), 'x'.repeat(300)];
  for (let width = 30; width <= 130; width += 1)
    for (const typing of typings)
      for (const paused of [false, true]) {
        const view = { ...usual, paused, typing, waiting: 99_999, filter: 'a very long filter text', hidden: 99_999 };
        assert.ok(displayWidth(keysBarText({ ...view, hasPage: true }, width)) < width);
      }
  assert.match(
    keysBarText({ ...usual, typing: `${'x'.repeat(90)}end` }, 60),
    /^filter .*: x+end$/,
    'its end is in view',
  );
});

const event = {
  ...{ inbox_id: 1, event_id: 'evt_7Q2M9XaB', event_type: 'decision.completed', delivery_id: 'whd_3KqaP9Zx' },
  ...{ resource_id: 'dec_5H2N8kQz', target: 'http://127.0.0.1:3000/hook', attempt: 1, latency_ms: 12, answer: 'ok' },
  ...{ hint: null, chaos: null, type: 'forwarded', at: '2026-07-04T10:14:02.500Z', status: 200, error: null },
} satisfies ListenerEvent;

test('a filter is a type, a family, or any text of the event; the listener itself is always shown', () => {
  for (const filter of [
    '',
    'decision.completed',
    'decision.*',
    'DECISION',
    'evt_7q',
    'dec_5H2N8kQz',
    '200',
    ':3000',
    '*',
  ])
    assert.equal(passesFilter(event, filter), true, filter);
  for (const filter of ['payment.*', 'payment', 'evt_8', '500', 'decision.*x'])
    assert.equal(passesFilter(event, filter), false, filter);
  const tunnel = { type: 'tunnel', at: event.at, via: 'ssh', state: 'down', url: null, detail: null } as const;
  assert.equal(passesFilter({ ...tunnel, retry_in_ms: 1, blind_ms: null }, 'payment'), true);
});

test('keys are read one by one; arrows, function keys and pasted escapes are no keys', () => {
  assert.deepEqual(keysIn('pq'), ['p', 'q']);
  assert.deepEqual(keysIn('\u001b[A\u001bOPr\u001b[15~\u001b[1;5D'), ['r']);
  assert.deepEqual(keysIn('\u001b'), ['\u001b'], 'Esc alone is one');
  assert.deepEqual(keysIn('é試😀'), ['é', '試', '😀']);
});

test('a filter is typed, corrected and given up', () => {
  const type = (...keys: string[]): string | null =>
    keys.reduce<string | null>((typed, key) => (typed === null ? null : typedFilter(typed, key)), '');
  assert.equal(type('d', 'e', 'x', '\u007f', 'c'), 'dec');
  assert.equal(type('試', '😀', '\b'), '試');
  assert.equal(type('d', '\u0015', 'p'), 'p');
  assert.equal(type('d', '\t', '\u0001'), 'd', 'control characters are not text');
  assert.equal(type('d', '\u001b'), null);
});
