/** The terminal view of a listener: one calm line per event at 80 columns, what needs words once, bursts folded. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { displayWidth, type Paint } from '../../src/lib/cli/output/terminal-text.ts';
import { listenerLines } from '../../src/lib/cli/webhooks/listener-lines.ts';
import type { ListenerEvent } from '../../src/lib/contract/listener-events.ts';

process.env['TZ'] = 'UTC';
const same = (text: string): string => text;
const paint: Paint = { dim: same, bold: same, good: same, bad: same, warn: same };
const START = Date.parse('2026-07-04T10:14:02.000Z');
const at = (ms: number): string => new Date(START + ms).toISOString();

const subject = {
  ...{ inbox_id: 1, event_id: 'evt_7Q2M9XaB', event_type: 'decision.completed', delivery_id: 'whd_3KqaP9Zx' },
  resource_id: 'dec_5H2N8kQz',
};
const attempt = {
  ...subject,
  ...{ target: 'http://127.0.0.1:3000/hook', attempt: 1, latency_ms: 12, answer: 'ok', hint: null, chaos: null },
};
const received = (ms: number, type = 'decision.completed'): ListenerEvent => ({
  ...{ ...subject, event_type: type },
  ...{ type: 'received', at: at(ms), bytes: 257, warnings: [], targets: [attempt.target] },
});
const forwarded = (ms: number): ListenerEvent => ({
  ...attempt,
  type: 'forwarded',
  at: at(ms),
  status: 200,
  error: null,
});
const rejected = (ms: number, cause: 'wrong_secret' | 'stale_timestamp'): ListenerEvent => ({
  ...{ type: 'rejected', at: at(ms), status: 400, delivery_id: 'whd_1', bytes: 20, cause, also: [] },
  ...{ skew_seconds: cause === 'stale_timestamp' ? 612 : null, detail: null, meaning: 'it is wrong', next: 'mend it' },
});
const ready: ListenerEvent = {
  ...{ type: 'ready', at: at(0), endpoint_id: 'whend_3T8K1', url: 'http://127.0.0.1:40000/x', port: 40_000 },
  ...{
    events: ['*'],
    targets: ['http://127.0.0.1:3000/hook'],
    leftover: 2,
    unrouted: [],
    adopted: false,
    replaces: null,
    self_test_ms: 3,
  },
  ...{ unverified: true, chaos: 'drop 1%', signed_by: 'listener', give_up_after_ms: null },
};
const closed = (ms: number): ListenerEvent => ({
  ...{ type: 'closed', at: at(ms), received: 3, forwarded: 2, rejected: 1, duplicates: 0, failed: 0, waiting: 1 },
  ...{ parked: 0, endpoint_removed: false, detail: 'the API did not answer' },
});

async function shown(events: Iterable<ListenerEvent>, width = 80): Promise<string[]> {
  async function* source(): AsyncGenerator<ListenerEvent> {
    yield* events;
  }
  return Array.fromAsync(listenerLines(source(), { output: { columns: width }, paint }));
}

test('each event is a line with aligned columns; explanations follow below, once', async () => {
  const retrying: ListenerEvent = {
    ...{
      ...attempt,
      type: 'retrying',
      at: at(40),
      status: null,
      error: 'connection_refused',
      retry_in_ms: null,
      answer: null,
    },
    hint: 'nothing listens on 127.0.0.1:3000, but [::1]:3000 does: forward to [::1]:3000 or to localhost',
  };
  const lines = await shown([
    ready,
    received(10),
    forwarded(22),
    rejected(30, 'stale_timestamp'),
    rejected(31, 'stale_timestamp'),
    retrying,
    { ...retrying, retry_in_ms: 1500, at: at(41) },
    { ...subject, type: 'duplicate', at: at(50), target: attempt.target },
    closed(60),
  ]);
  assert.deepEqual(lines, [
    '2026-07-04, times at +00:00',
    '10:14:02 ready     * → 127.0.0.1:3000/hook',
    '                   endpoint whend_3T8K1; Ctrl-C ends',
    '                   2 stored deliveries go first',
    '                   SIGNATURES ARE NOT CHECKED (--skip-verify): anyone who finds',
    '                   the address can forge deliveries',
    '                   faults injected (--chaos): drop 1%',
    '10:14:02 received  decision.completed       evt_7Q2M9XaB 257 B',
    '10:14:02 forwarded decision.completed       evt_7Q2M9XaB 200        12 ms',
    '10:14:02 rejected  stale_timestamp          whd_1 612 s old',
    '                   stale_timestamp: it is wrong; mend it',
    '10:14:02 rejected  stale_timestamp          whd_1 612 s old',
    '10:14:02 retrying  decision.completed       evt_7Q2M9XaB refused',
    '                   connection refused; will retry when the port opens',
    '                   nothing listens on 127.0.0.1:3000, but [::1]:3000 does:',
    '                   forward to [::1]:3000 or to localhost',
    '10:14:02 retrying  decision.completed       evt_7Q2M9XaB refused in 1.5s',
    '10:14:02 duplicate decision.completed       evt_7Q2M9XaB already there',
    '10:14:02 closed    3 received, 2 forwarded, 1 rejected, 1 waiting',
    '                   1 stored waits for the next listen',
    '                   the endpoint is still registered: the API did not answer',
  ]);
});

test('the app’s answer to a failed delivery follows below, once, and for 100 answers at most', async () => {
  const refused = (n: number, answer: string | null): ListenerEvent => ({
    ...{ ...attempt, type: 'retrying', at: at(n), status: 500, error: null, retry_in_ms: 200, answer },
  });
  const lines = await shown([refused(1, 'boom\n\u001b[31mat app.js:1'), refused(2, 'boom\n\u001b[31mat app.js:1')]);
  assert.deepEqual(lines.slice(1), [
    '10:14:02 retrying  decision.completed       evt_7Q2M9XaB 500     in 200ms',
    '                   the app said: boom \\u001b[31mat app.js:1',
    '10:14:02 retrying  decision.completed       evt_7Q2M9XaB 500     in 200ms',
  ]);
  const many = await shown(Array.from({ length: 500 }, (_, n) => refused(n * 1000, `request ${n} failed`)));
  assert.equal(many.filter((line) => line.includes('the app said')).length, 100);
  const quiet = await shown([refused(1, null), refused(2, ''), refused(3, 'x'.repeat(1024))]);
  assert.deepEqual([quiet.length, quiet.every((line) => line.length <= 80)], [7, true]);
});

test('with several targets each line says which one', async () => {
  const targets = ['http://127.0.0.1:3000/hook', 'http://127.0.0.1:4000/pay'];
  const lines = await shown([{ ...ready, targets, chaos: null, unverified: false }, forwarded(1)], 100);
  assert.match(lines[1] ?? '', /\* → 127\.0\.0\.1:3000\/hook, 127\.0\.0\.1:4000\/pay$/);
  assert.match(lines.at(-1) ?? '', /200 +12 ms :3000$/, 'the port tells them apart, and fits');
  const away: ListenerEvent = {
    ...{ ...attempt, type: 'retrying', at: at(2), status: null, error: 'connection_refused', retry_in_ms: null },
    answer: null,
  };
  const narrow = await shown([{ ...ready, targets }, away]);
  assert.match(narrow.at(-2) ?? '', /refused :3000$/);
  assert.match(narrow.at(-1) ?? '', /^ +connection refused; will retry when the port opens$/);
  const alike = ['http://127.0.0.1:3000/hook', 'http://127.0.0.1:3000/pay'];
  const wide = await shown([{ ...ready, targets: alike, chaos: null, unverified: false }, forwarded(1)], 120);
  assert.match(wide.at(-1) ?? '', /200 +12 ms 127\.0\.0\.1:3000\/hook$/);
});

test('the longest known type, hostile text and a narrow terminal keep the columns', async () => {
  const hostile = 'a\u001b[31m\nb\u202e';
  for (const width of [80, 60, 132]) {
    const endless: ListenerEvent = {
      ...forwarded(3),
      event_id: 'x'.repeat(5000),
      event_type: '試'.repeat(5000),
    } as never;
    const lines = await shown([ready, received(1, 'identity.check.completed'), received(2, hostile), endless], width);
    assert.ok(lines.length < 16, 'an endless id is cut');
    for (const line of lines) {
      assert.ok(displayWidth(line) <= width, line);
      // oxlint-disable-next-line no-control-regex
      assert.doesNotMatch(line, /[\u0000-\u001f\u202e]/);
    }
  }
});

for (const width of [60, 80, 120]) {
  test(`at ${width} columns status, cause and ids are whole, types are cut first, and the rest is broken between words`, async () => {
    const targets = ['http://127.0.0.1:3000/hook', 'http://127.0.0.1:4000/pay'];
    const longId = `evt_${'9'.repeat(30)}`;
    const lost: ListenerEvent = {
      ...{ ...attempt, type: 'retrying', at: at(4), status: null, error: 'connection_refused', retry_in_ms: null },
      ...{ answer: null, event_type: 'identity.check.completed' },
    };
    const forged: ListenerEvent = {
      ...{ type: 'rejected', at: at(5), status: 400, delivery_id: 'whd_3KqaP9Zx', bytes: 20, also: [], detail: null },
      ...{
        cause: 'secret_other_environment',
        skew_seconds: 612,
        meaning: 'a secret of live',
        next: 'use the other one',
      },
    };
    const moved: ListenerEvent = {
      ...{
        type: 'tunnel',
        at: at(6),
        via: 'cloudflared',
        state: 'up',
        url: 'https://two-words.trycloudflare.com',
      },
      ...{ detail: 'Your quick Tunnel has been created', retry_in_ms: null, blind_ms: 4200 },
    };
    const events: ListenerEvent[] = [
      { ...ready, targets },
      { ...forwarded(1), event_type: 'identity.check.completed' } as ListenerEvent,
      { ...forwarded(2), event_id: longId, latency_ms: 123_456 } as ListenerEvent,
      { ...received(3, 'identity.check.completed'), warnings: ['last_v1_only'] } as ListenerEvent,
      ...[lost, forged, moved, { ...closed(9), rejected: 10_000, duplicates: 20_000, failed: 30_000 } as ListenerEvent],
    ];
    for (const some of [events, events.slice(1)]) {
      const lines = await shown(some, width);
      for (const line of lines) assert.ok(line.length <= width, `${line.length}: ${line}`);
      const text = lines.join('\n');
      for (const whole of ['evt_7Q2M9XaB 200', longId, 'refused', 'secret_other_environment', 'whd_3KqaP9Zx'])
        assert.ok(text.includes(whole), `${whole} is whole in\n${text}`);
      for (const words of ['612 s old', '123456 ms', '30000 failed', 'https://two-words.trycloudflare.com'])
        assert.ok(text.includes(words), `${words} is on one line in\n${text}`);
      for (const line of lines.slice(1))
        assert.match(line, /^(\d\d:\d\d:\d\d \S+ +| {19})\S/, 'the rest hangs under its columns');
      assert.equal(text.includes('identity.check.completed evt_'), width > 60, text);
    }
  });
}

test('a terminal that is made narrower meanwhile gets narrower lines', async () => {
  const view = { output: { columns: 120 }, paint };
  async function* source(): AsyncGenerator<ListenerEvent> {
    yield received(1, 'identity.check.completed');
    view.output.columns = 60;
    yield received(2, 'identity.check.completed');
  }
  const [, wide, narrow] = await Array.fromAsync(listenerLines(source(), view));
  assert.match(wide ?? '', /identity\.check\.completed evt_7Q2M9XaB 257 B$/);
  assert.match(narrow ?? '', /identity\.c… evt_7Q2M9XaB 257 B$/);
});

test('a burst of a thousand folds into a few lines that say how many; what matters is still shown', async () => {
  const burst = Array.from({ length: 500 }, (_, n) => [received(n * 3), forwarded(n * 3 + 1)]).flat();
  const lines = await shown([ready, ...burst, rejected(1600, 'wrong_secret'), closed(1700)]);
  assert.ok(lines.length < 30, `${lines.length} lines`);
  const folded = lines.filter((line) => line.includes(' and '));
  const counted = [...folded.join(' ').matchAll(/(\d+) (?:received|forwarded)/g)].map(([, n]) => Number(n));
  const single = lines.filter((line) => /^\S+ (received|forwarded) /.test(line)).length;
  assert.equal(counted.reduce((sum, n) => sum + n, 0) + single, 1000, 'nothing is lost from the count');
  assert.ok(lines.some((line) => line.includes('rejected  wrong_secret')));
  assert.match(lines.at(-3) ?? '', /closed/);
});

test('what arrives late begins neither a new second nor a new day', async () => {
  const midnight = Date.parse('2026-07-05T00:00:00Z') - START;
  const pairs = Array.from({ length: 100 }, (_, n) => [forwarded(midnight + n), received(midnight - 100 + n)]).flat();
  const lines = await shown([received(midnight - 200), ...pairs]);
  assert.deepEqual(
    lines.filter((line) => line.includes('times at')),
    ['2026-07-04, times at +00:00', '2026-07-05, times at +00:00'],
  );
  assert.ok(lines.length < 20, `${lines.length} lines`);
  const setBack = await shown(Array.from({ length: 60 }, (_, n) => received(n < 12 ? n : n * 1000 - 3_600_000)));
  assert.equal(setBack.length, 1 + 60, 'a clock that was set back folds nothing');
});

test('after a burst the calm comes back, and a fold is reported when silence falls', async () => {
  const { promise: later, resolve } = Promise.withResolvers<void>();
  async function* source(): AsyncGenerator<ListenerEvent> {
    for (let n = 0; n < 100; n += 1) yield received(n);
    await later;
    yield received(5000);
    yield received(5001);
  }
  const lines: string[] = [];
  for await (const line of listenerLines(source(), { output: { columns: 80 }, paint, silenceMs: 5 })) {
    lines.push(line);
    if (line.includes(' and  ')) resolve();
  }
  assert.equal(lines.length, 1 + 12 + 2 + 2);
  assert.deepEqual(lines.slice(13, 15), [
    '10:14:02 and       88 received',
    '                   all are in: credicorp events list',
  ]);
});

test('a reader that stops lets the listener tidy up', async () => {
  let tidied = false;
  async function* source(): AsyncGenerator<ListenerEvent> {
    try {
      for (;;) yield forwarded(0);
    } finally {
      tidied = true;
    }
  }
  for await (const _line of listenerLines(source(), { output: { columns: 80 }, paint })) break;
  assert.equal(tidied, true);
});
