/** One delivery in full: exact where possible, without secrets, bounded in size. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { ExchangeRecord } from '../../src/lib/contract/exchange.ts';
import { redactText } from '../../src/lib/contract/secrets.ts';
import { bodyView } from '../../src/lib/inspector/body-view.ts';
import {
  AT,
  TARGET,
  ask,
  attempted,
  bearer,
  detail,
  kept,
  openPage,
  ready,
  received,
  rejected,
  startInspector,
} from './support.ts';

const exact = (text: string): string => text;
const bytes = (text: string): Buffer => Buffer.from(text);

test('a body: as received, and indented with its numbers unchanged', () => {
  const came = '{"a":9007199254740993,"b":1.0,"c":["é"]}\n';
  const view = bodyView(bytes(came), exact);
  assert.deepEqual([view.kind, view.text, view.bytes, view.redacted, view.cut], ['json', came, 42, false, false]);
  assert.equal(view.pretty, '{\n  "a": 9007199254740993,\n  "b": 1.0,\n  "c": [\n    "é"\n  ]\n}');
  assert.deepEqual([bodyView(bytes(''), exact).kind, bodyView(bytes('hello'), exact).pretty], ['empty', null]);
  const binary = bodyView(Buffer.from([0, 255, 65]), exact);
  assert.deepEqual([binary.kind, binary.text.replace(/ +/g, ' ')], ['binary', '000000 00 ff 41 ..A']);
});

test('indenting never multiplies the size of a body, and no body breaks the view', () => {
  for (const hostile of [
    '['.repeat(100_000) + ']'.repeat(100_000),
    `${'['.repeat(30)}${'1,'.repeat(120_000)}1${']'.repeat(30)}`,
    `"${'\\u0000'.repeat(1000)}"`,
  ]) {
    const view = bodyView(bytes(hostile), exact);
    assert.equal(view.text, hostile);
    assert.ok((view.pretty?.length ?? 0) < 16 * 1024 * 1024);
  }
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (body) => {
      const view = bodyView(body, (text) => redactText(text));
      assert.equal(view.bytes, body.length);
    }),
  );
  fc.assert(
    fc.property(fc.json(), (text) => {
      const view = bodyView(bytes(text), exact);
      assert.equal(view.text, text);
      if (view.pretty !== null) assert.deepEqual(JSON.parse(view.pretty), JSON.parse(text));
    }),
  );
});

const SECRET = 'whsec_TheListenersOwnSecret42';

test('secrets are redacted in headers, body, ids, target and answer, and the page says so', async () => {
  const body = bytes(`{"id":"evt_1","note":"${SECRET}","client_secret":"abcdefghijk","big":9007199254740993}`);
  const headers = [
    'Credicorp-Signature',
    `t=1,v1=${'a'.repeat(64)}`,
    'Authorization',
    'Bearer abcdefghijklmn',
    'X',
    SECRET,
    '__proto__',
    'y',
  ];
  const inbox = { recent: () => [], find: () => ({ entry: kept(1), headers, body }) };
  const inspector = await startInspector({ inbox, known: () => [SECRET] });
  const target = 'http://127.0.0.1:3000/hook?token=abcdefghijkl';
  const page = await openPage(inspector.origin);
  inspector.onEvent(ready({ targets: [target] }));
  inspector.onEvent(received(1, { event_id: SECRET, resource_id: 'sk_live_abcdefghijklmnop', targets: [target] }));
  inspector.onEvent(attempted(1, { target, answer: `you sent ${SECRET}` }));
  await page.until(() => page.rows.get('1')?.targets[0]?.status === 200);
  const { text } = await ask(inspector.origin, '/deliveries/1', { headers: bearer });
  const shown = JSON.parse(text) as { body: Record<string, unknown>; headers: [string, string][] };
  for (const output of [text, JSON.stringify(page.events)]) {
    for (const secret of ['TheListenersOwn', 'abcdefghijk', 'aaaaaaaa']) assert.ok(!output.includes(secret), secret);
  }
  assert.deepEqual([shown.body['redacted'], shown.body['kind']], [true, 'json']);
  assert.match(String(shown.body['pretty']), /"big": 9007199254740993/);
  assert.deepEqual(shown.headers[0], ['Credicorp-Signature', 't=1,v1=[redacted]']);
  assert.equal(shown.headers.length, 4);
});

test('attempts: each one of this listener, the last of an earlier one, at most ten', async () => {
  const inbox = { recent: () => [kept(1)], find: () => ({ entry: kept(7), headers: [], body: bytes('{}') }) };
  const inspector = await startInspector({ inbox });
  const attempts = async (key: string): Promise<unknown[]> => {
    const found: { kind: string; attempt: number; status: number }[] =
      (await detail(inspector.origin, key))['attempts'] ?? [];
    return found.map(({ kind, attempt, status }) => [kind, attempt, status]);
  };
  assert.deepEqual(await attempts('1'), [['earlier', 3, 500]]);
  inspector.onEvent(attempted(1, { attempt: 4 }));
  assert.deepEqual(await attempts('1'), [
    ['earlier', 3, 500],
    ['forward', 4, 200],
  ]);
  for (let attempt = 4; attempt < 40; attempt += 1)
    inspector.onEvent(attempted(7, { attempt, status: 503, type: 'retrying' }));
  assert.deepEqual(
    await attempts('7'),
    Array.from({ length: 10 }, (_, n) => ['forward', 30 + n, 503]),
    'left by an earlier listener',
  );
});

interface Refused {
  body: { text: string };
  headers: unknown;
  steps: { state: string }[];
  refusal: unknown;
}

interface Sent {
  row: { replays: number; targets: { attempts: number }[] };
  attempts: unknown[];
}

test('a rejected delivery has its cause, and its own bytes where they are known', async () => {
  const inspector = await startInspector();
  const record = {
    at: Date.parse(AT),
    deliveryId: 'whd_r',
    requestHeaders: { 'credicorp-signature': 't=1783159200,v1=ab', cookie: 'abcdefgh' },
  };
  const keep = (deliveryId: string | null, requestBody: string): void =>
    inspector.keepBody({ ...record, deliveryId, requestBody } as unknown as ExchangeRecord);
  keep('whd_r', '{"id":"evt_forged"}');
  inspector.onEvent(rejected({ also: ['stale_timestamp'] }));
  keep('whd_other', 'other');
  inspector.onEvent(rejected({ delivery_id: 'whd_unknown', cause: 'inbox_full', status: 503 }));
  keep(null, `${'long '.repeat(13_000)}sk_live_abcdef`);
  inspector.onEvent(rejected({ delivery_id: null, bytes: 100_000 }));
  const first = await detail(inspector.origin, 'r1');
  const { body, headers, steps, refusal } = first as unknown as Refused;
  assert.equal(body.text, '{"id":"evt_forged"}');
  assert.deepEqual(headers, [
    ['credicorp-signature', 't=1783159200,v1=[redacted]'],
    ['cookie', '[redacted]'],
  ]);
  assert.deepEqual(
    steps.map(({ state }) => state),
    ['good', 'good', 'good', 'good', 'bad', 'bad'],
  );
  assert.deepEqual(refusal, { status: 400, meaning: 'm', next: 'n', detail: null });
  const second = await detail(inspector.origin, 'r2');
  assert.deepEqual([second['body'], second['headers'], second['steps']], [null, null, []]);
  const third = (await detail(inspector.origin, 'r3'))['body'] as unknown as { cut: boolean; text: string };
  assert.equal(third.cut, true);
  assert.ok(!third.text.includes('abcdef'));
});

test('a replay goes to one target of the delivery, by number; at most four run at once; each is listed', async () => {
  const asked: [number, string][] = [];
  const waiting: (() => void)[] = [];
  const replay = async (inboxId: number, target: string) => {
    asked.push([inboxId, target]);
    await new Promise<void>((resolve) => waiting.push(resolve));
    return { delivery_id: 'whd_new', target, status: 201, latency_ms: 3, error: null, answer: 'again', hint: null };
  };
  const inspector = await startInspector({ replay });
  inspector.onEvent(received(1));
  inspector.onEvent(received(2, { targets: [] }));
  inspector.onEvent(rejected());
  const again = (path: string) =>
    ask(inspector.origin, `/deliveries/${path}`, { method: 'POST', headers: { ...bearer, 'content-length': '0' } });
  for (const path of ['1/replays/1', '2/replays/0', 'r1/replays/0', '3/replays/0'])
    assert.equal((await again(path)).status, 404, path);
  const four = Array.from({ length: 4 }, () => again('1/replays/0'));
  while (waiting.length < 4) await new Promise((later) => setImmediate(later));
  assert.equal((await again('1/replays/0')).status, 429);
  for (const go of waiting) go();
  for (const { status, text } of await Promise.all(four)) {
    assert.deepEqual([status, JSON.parse(text)], [200, { status: 201, error: null, latency_ms: 3 }]);
  }
  assert.deepEqual(
    asked,
    Array.from({ length: 4 }, () => [1, TARGET]),
  );
  const { row, attempts } = (await detail(inspector.origin, '1')) as unknown as Sent;
  assert.deepEqual([row.replays, attempts.length, row.targets[0]?.attempts], [4, 4, 0]);
});
