/** The local inbox from the command line: what came in, shown, sent again as it was or edited, signed freshly. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { verify } from '../../src/lib/contract/signature.ts';
import { startSandbox, type RunningSandbox } from '../support/embedded.ts';
import { receive, smallApp, type SmallApp } from '../support/receiving.ts';
import { freshHome } from '../support/spawn.ts';
import { command, type Said } from '../support/world.ts';

const home = freshHome();
let sandbox: RunningSandbox;
let app: SmallApp;
let answer = 200;
let secret = '';
const run = (...argv: string[]): Promise<Said> => command({ home: home.path }, ...argv);
const value = async (...argv: string[]): Promise<string> => {
  const said = await run(...argv);
  assert.equal(said.status, 0, `${argv.join(' ')}: ${said.stderr}`);
  return said.stdout.trim();
};
const json = async (...argv: string[]): Promise<Record<string, unknown>> =>
  JSON.parse(await value(...argv, '--json')) as Record<string, unknown>;

before(async () => {
  sandbox = await startSandbox(home.path, '--seed', 'events');
  app = await smallApp(() => answer);
  const listener = receive({ home: home.path }, '--forward', app.url);
  await listener.next('ready');
  await value('webhooks', 'trigger', 'decision.completed', '--set', 'data.big=9007199254740993', '--quiet');
  await value('webhooks', 'trigger', 'payment.settled', '--count', '3', '--quiet');
  for (let n = 0; n < 4; n += 1) await listener.next('forwarded');
  assert.equal(await listener.stop(), 0);
  secret = await value('webhooks', 'secret');
});
after(async () => {
  await app.close();
  await sandbox.stop();
  home[Symbol.dispose]();
});

test('list: newest first, by type and state, page by page', async () => {
  const page = await json('events', 'list', '--limit', '3');
  const rows = page['data'] as Record<string, unknown>[];
  assert.deepEqual(
    rows.map((row) => [row['event_type'], row['verdict']]),
    Array.from({ length: 3 }, () => ['payment.settled', 'valid']),
  );
  assert.equal(page['has_more'], true);
  const rest = await json('events', 'list', '--before', String(page['next_before']));
  assert.deepEqual(
    (rest['data'] as Record<string, unknown>[]).map((row) => row['event_type']),
    ['decision.completed'],
  );
  assert.equal(
    (await value('events', 'list', '--type', 'payment.*', '--state', 'delivered', '--quiet')).split('\n').length,
    3,
  );
  const none = await run('events', 'list', '--state', 'failed');
  assert.deepEqual([none.status, none.stdout], [0, '']);
  const row = (await value('events', 'list', '--type', 'decision.completed')).split('\t');
  assert.deepEqual([row.length, row[1], row[3]], [4, 'decision.completed', 'delivered']);
});

test('show: by event id, delivery id and number; headers and bytes as they came', async () => {
  const id = await value('events', 'list', '--type', 'decision.completed', '--quiet');
  const shown = await json('events', 'show', id);
  const body = Buffer.from(String(shown['body_base64']), 'base64');
  assert.deepEqual(body, app.seen[0]?.body);
  const names = (shown['headers'] as string[][]).map(([name]) => name?.toLowerCase());
  assert.ok(names.includes('credicorp-signature') && names.includes('credicorp-delivery'));
  for (const other of [shown['delivery_id'], shown['inbox_id']])
    assert.equal((await json('events', 'show', String(other)))['id'], id);
  const person = await command({ home: home.path, terminal: true, env: { NO_COLOR: '1' } }, 'events', 'show', id);
  assert.match(person.stdout, /Credicorp-Signature: t=\d+,v1=[0-9a-f]{64}[\s\S]*"type": "decision.completed"/i);
  const missing = await run('events', 'show', 'evt_nothere');
  assert.equal(missing.status, 3);
  assert.match(missing.stderr, /credicorp events list/);
});

test('replay: the same event and bytes, a new delivery id, a new signature', async () => {
  const id = await value('events', 'list', '--type', 'decision.completed', '--quiet');
  const [original] = app.seen;
  const count = app.seen.length;
  const sent = await json('events', 'replay', id);
  assert.deepEqual([sent['event_id'], sent['status'], sent['target'], sent['answer']], [id, 200, app.url, 'taken']);
  const again = app.seen.at(-1);
  assert.ok(original && again);
  assert.equal(app.seen.length, count + 1);
  assert.deepEqual(again.body, original.body);
  assert.notEqual(again.headers['credicorp-delivery'], original.headers['credicorp-delivery']);
  assert.equal(again.headers['credicorp-delivery'], sent['delivery_id']);
  const now = Math.floor(Date.now() / 1000);
  assert.equal(
    verify({ header: String(again.headers['credicorp-signature']), body: again.body, secrets: [secret], now }).valid,
    true,
  );
  const logged = await value(
    'logs',
    'tail',
    '--no-follow',
    '--source',
    'listener',
    '--since',
    '1m',
    '--field',
    'delivery_id',
  );
  assert.ok(logged.split('\n').includes(String(sent['delivery_id'])));
});

test('replay of several to another target; an unknown id sends nothing; --exit-status fails when the app refuses', async () => {
  const other = await smallApp();
  const ids = (await value('events', 'list', '--type', 'payment.settled', '--quiet')).split('\n');
  const sent = await value('events', 'replay', ...ids, '--forward', `127.0.0.1:${other.port}/x`, '--field', 'event_id');
  assert.deepEqual(sent.split('\n'), ids);
  assert.equal(other.seen.length, 3);
  const half = await run('events', 'replay', ids[0] ?? '', 'evt_nothere', '--forward', `127.0.0.1:${other.port}/x`);
  assert.deepEqual([half.status, other.seen.length], [3, 3]);
  await other.close();
  answer = 500;
  const refused = await run('events', 'replay', ids[0] ?? '', '--exit-status', '--field', 'status');
  assert.deepEqual([refused.status, refused.stdout], [9, '500\n']);
  answer = 200;
  const gone = await run('events', 'replay', ids[0] ?? '', '--forward', `127.0.0.1:${other.port}/x`, '--json');
  assert.equal(gone.status, 0);
  assert.match(gone.stdout, /"status":null.*"error":"connection_refused"/);
});

test('replay --edit: the edited event is sent, compact, with its numbers unchanged', async () => {
  const id = await value('events', 'list', '--type', 'decision.completed', '--quiet');
  const edit = (editor: string): Promise<Said> =>
    command({ home: home.path, env: { EDITOR: editor } }, 'events', 'replay', id, '--edit', '--field', 'status');
  const done = await edit(`sed -i 's/"outcome": "[a-z]*"/"outcome": "referred"/'`);
  assert.deepEqual([done.status, done.stdout], [0, '200\n'], done.stderr);
  const text = app.seen.at(-1)?.body.toString() ?? '';
  assert.match(text, /"outcome":"referred"/);
  assert.match(text, new RegExp(`^\\{"id":"${id}","type":"decision\\.completed",`));
  const count = app.seen.length;
  for (const editor of ['false', `sed -i '1s/.*/not json/'`]) {
    const broken = await edit(editor);
    assert.deepEqual([broken.status, broken.stdout], [2, ''], editor);
  }
  assert.equal(app.seen.length, count, 'nothing was sent');
});

test('the inbox of one profile is not shown to another', async () => {
  const other = { CC_BASE: sandbox.url, CC_SECRET_KEY: 'sk_test_launch' };
  const said = await command({ home: home.path, env: other }, 'events', 'list', '--quiet');
  assert.deepEqual([said.status, said.stdout], [0, '']);
});
