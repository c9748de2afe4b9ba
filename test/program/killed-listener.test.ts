/**
 * At least once, with the built program: the app is away while the sandbox delivers, the listener is killed in between twice, and in the
 * end every event was processed exactly once by an app that answers 2xx.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { smallApp } from '../support/receiving.ts';
import { openTerminal } from '../support/terminal.ts';
import { type Child, type Ended, finish, freshHome, runScript, seen, start } from '../support/spawn.ts';

const ROUNDS = [170, 165, 165];
const home = freshHome();
const run = (...args: string[]): Promise<Ended> => runScript('bin/run.js', args, home.env);
const value = async (...args: string[]): Promise<string> => {
  const ended = await run(...args);
  assert.equal(ended.status, 0, `${args.join(' ')}: ${ended.stderr}`);
  return ended.stdout.trim();
};

before(() => value('sandbox', 'start', '--background', '--port', '0', '--seed', 'killed', '--clock-frozen', '--quiet'));
after(async () => {
  await run('sandbox', 'stop');
  home[Symbol.dispose]();
});

async function listen(target: string): Promise<{ child: Child; ready: Record<string, unknown> }> {
  const child = start('bin/run.js', ['webhooks', 'listen', '--forward', target, '--json'], home.env);
  const text = await seen(child.stdout, /"type":"ready".*\n/);
  const line = text.split('\n').find((one) => one.includes('"type":"ready"')) ?? '';
  return { child, ready: JSON.parse(line) as Record<string, unknown> };
}

async function kill(child: Child): Promise<void> {
  child.kill('SIGKILL');
  await finish(child);
}

test('killed twice while the app is away: every event arrives, each once', async () => {
  const away = await smallApp();
  await away.close();
  const ids: string[] = [];
  let listener = await listen(away.url);
  const { endpoint_id: endpoint, url } = listener.ready;
  for (const [round, count] of ROUNDS.entries()) {
    // Half of a round is under way when the listener dies; what it could not take comes again by the sandbox's schedule.
    const wave = ['webhooks', 'trigger', 'payment.settled', '--count', String(count), '--quiet'];
    const sent = value(...wave);
    if (round > 0) {
      await seen(listener.child.stdout, /"received"/);
      await kill(listener.child);
      ids.push(...(await sent).split('\n'));
      listener = await listen(away.url);
      assert.deepEqual([listener.ready['endpoint_id'], listener.ready['url']], [endpoint, url], 'taken over');
      assert.ok(Number(listener.ready['leftover']) > 0, 'what was stored is still there');
    } else ids.push(...(await sent).split('\n'));
  }
  const app = await smallApp(() => 200, away.port);
  // Ten minutes of the sandbox's clock: the retries at one and six minutes.
  await value('sandbox', 'clock', 'advance', '10m');
  const total = ROUNDS.reduce((sum, n) => sum + n, 0);
  assert.equal(new Set(ids).size, total);
  await value(
    'webhooks',
    'expect',
    '--type',
    'payment.settled',
    '--count',
    String(total),
    '--timeout',
    '20s',
    '--quiet',
  );
  while (app.seen.length < total) await seen(listener.child.stdout, /"forwarded"/);
  const done = seen(listener.child.stdout, /"closed"/);
  listener.child.kill('SIGINT');
  const closing = finish(listener.child);
  await done;
  assert.equal((await closing).status, 0);
  const arrived = app.seen.map(({ body }) => (JSON.parse(body.toString()) as { id: string }).id);
  assert.deepEqual(arrived.toSorted(), ids.toSorted(), 'all of them, none twice');
  assert.equal(await value('events', 'list', '--state', 'waiting', '--quiet'), '');
  assert.equal(await value('webhooks', 'endpoints', 'list', '--quiet'), '', 'and nothing is left behind');
  await app.close();
});

test('on a terminal, list offers to remove what a killed listener left', async () => {
  const { child, ready } = await listen('127.0.0.1:9/hook');
  await kill(child);
  const terminal = openTerminal(['webhooks', 'endpoints', 'list'], home.env);
  await terminal.shows(new RegExp(`left by listeners that crashed: ${ready['endpoint_id']}[\\s\\S]*Remove it now\\?`));
  terminal.type('y\r');
  assert.equal(await terminal.ended(), 0, terminal.text);
  assert.equal(await value('webhooks', 'endpoints', 'list', '--quiet'), '');
});
