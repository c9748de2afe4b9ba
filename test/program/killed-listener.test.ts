/**
 * At least once, with the built program: the app is away while the sandbox delivers, the listener is killed in between twice, and in the
 * end every event was processed exactly once by an app that answers 2xx.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { runInside } from '../support/inside.ts';
import { listenProgram } from '../support/listener.ts';
import { smallApp } from '../support/receiving.ts';
import { type Ended, freshHome } from '../support/spawn.ts';
import { openTerminal } from '../support/terminal.ts';

/** Deliveries before the first kill, before the second, and after it. */
const ROUNDS = [170, 165, 165];
const home = freshHome();
const run = (...args: string[]): Promise<Ended> => runInside(args, home.env);
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

test('killed twice while the app is away: every event arrives, each once', async () => {
  const away = await smallApp();
  await away.close();
  const ids: string[] = [];
  let listener = await listenProgram(home.env, '--forward', away.url);
  const [first] = listener.of('ready');
  for (const [round, count] of ROUNDS.entries()) {
    // A round is under way when the listener dies; what it could not take comes again by the sandbox's schedule.
    const before = listener.of('received').length;
    const sent = value('webhooks', 'trigger', 'payment.settled', '--count', String(count), '--quiet');
    if (round > 0) {
      await listener.times('received', before + 20);
      await listener.kill();
    }
    ids.push(...(await sent).split('\n'));
    if (round === 0) continue;
    listener = await listenProgram(home.env, '--forward', away.url);
    const [ready] = listener.of('ready');
    assert.deepEqual([ready?.endpoint_id, ready?.url], [first?.endpoint_id, first?.url], 'taken over');
    assert.ok((ready?.leftover ?? 0) > 0, 'what was stored is still there');
  }
  const app = await smallApp(() => 200, away.port);
  // Ten minutes of the sandbox's clock: the retries at one and six minutes.
  await value('sandbox', 'clock', 'advance', '10m');
  const total = ROUNDS.reduce((sum, n) => sum + n, 0);
  assert.equal(new Set(ids).size, total);
  await value(
    ...['webhooks', 'expect', '--type', 'payment.settled', '--count', String(total), '--timeout', '20s', '--quiet'],
  );
  await listener.until(() => app.seen.length >= total);
  assert.equal((await listener.stop()).status, 0);
  const arrived = app.seen.map(({ body }) => (JSON.parse(body.toString()) as { id: string }).id);
  assert.deepEqual(arrived.toSorted(), ids.toSorted(), 'all of them, none twice');
  assert.equal(await value('events', 'list', '--state', 'waiting', '--quiet'), '');
  assert.equal(await value('webhooks', 'endpoints', 'list', '--quiet'), '', 'and nothing is left behind');
  await app.close();
});

test('on a terminal, list offers to remove the endpoint of a killed listener', async () => {
  const listener = await listenProgram(home.env, '--forward', '127.0.0.1:9/hook');
  await listener.kill();
  const [ready] = listener.of('ready');
  const terminal = openTerminal(['webhooks', 'endpoints', 'list'], home.env);
  await terminal.shows(new RegExp(`left by listeners that crashed: ${ready?.endpoint_id}[\\s\\S]*Remove it now\\?`));
  terminal.type('y\r');
  assert.equal(await terminal.ended(), 0, terminal.text);
  assert.equal(await value('webhooks', 'endpoints', 'list', '--quiet'), '');
});
