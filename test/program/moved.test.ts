/** Deliveries that wait for an app that is gone: no other listener takes them, `ready` names them, and `events replay --forward` moves them. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { startSandbox } from '../support/embedded.ts';
import { receive, smallApp } from '../support/receiving.ts';
import { freshHome } from '../support/spawn.ts';
import { command } from '../support/world.ts';

test('what waits for another app goes there only when the user says so, and is settled then', async () => {
  const home = freshHome();
  const world = { home: home.path };
  const sandbox = await startSandbox(home.path, '--seed', 'moved');
  const [gone, app] = [await smallApp(), await smallApp()];
  await gone.close();
  after(async () => {
    await app.close();
    await sandbox.stop();
    home[Symbol.dispose]();
  });
  const lines = async (...argv: string[]): Promise<string[]> => {
    const said = await command(world, ...argv);
    assert.equal(said.status, 0, `${argv.join(' ')}: ${said.stderr}`);
    return said.stdout.trim().split('\n').filter(Boolean);
  };
  const waiting = (): Promise<string[]> => lines('events', 'list', '--state', 'waiting', '--quiet');

  const first = receive(world, '--forward', gone.url);
  await first.next('ready');
  await lines('webhooks', 'trigger', 'payment.settled', '--count', '2', '--quiet');
  await first.next('received');
  await first.next('received');
  const [one = '', two = ''] = await waiting();

  // Its own listener still runs: a copy elsewhere does not settle it.
  await lines('events', 'replay', one, '--forward', app.url);
  assert.deepEqual(await waiting(), [one, two]);
  assert.equal(await first.stop(), 0);

  const other = receive(world, '--forward', app.url);
  const { leftover, unrouted } = await other.next('ready');
  assert.deepEqual([leftover, unrouted], [0, [{ target: gone.url, waiting: 2 }]]);
  await lines('events', 'replay', one, '--forward', app.url);
  assert.deepEqual(await waiting(), [two]);
  const [shown] = await lines('events', 'show', one, '--json');
  assert.match(String(shown), new RegExp(`"target":"${app.url}"`));
  assert.equal(await other.stop(), 0);

  const again = receive(world, '--forward', gone.url);
  assert.equal((await again.next('ready')).leftover, 1);
  assert.equal(await again.stop(), 0);
});
