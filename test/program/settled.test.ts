/** A delivery that was accepted, however it got there, is settled; what is given up is not sent again. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type RunningSandbox, startSandbox } from '../support/embedded.ts';
import { receive, type Receiving, smallApp } from '../support/receiving.ts';
import { freshHome } from '../support/spawn.ts';
import { command } from '../support/world.ts';

const home = freshHome();
const world = { home: home.path };
let sandbox: RunningSandbox;
before(async () => {
  sandbox = await startSandbox(home.path, '--seed', 'settled');
});
after(async () => {
  await sandbox.stop();
  home[Symbol.dispose]();
});

async function value(...argv: string[]): Promise<string> {
  const { status, stdout, stderr } = await command(world, ...argv);
  assert.equal(status, 0, stderr);
  return stdout.trim();
}

async function trigger(listener: Receiving): Promise<string> {
  await value('webhooks', 'trigger', 'decision.completed', '--quiet');
  return (await listener.next('received')).event_id ?? '';
}

async function forwardOf(id: string): Promise<Record<string, unknown>> {
  const { forwards } = JSON.parse(await value('events', 'show', id, '--json')) as { forwards: object[] };
  return { ...forwards[0] };
}

/** Takes replays only: they have a delivery id of their own. */
async function reluctantApp(status: number) {
  let first: unknown;
  return smallApp(({ headers }) => {
    first ??= headers['credicorp-delivery'];
    return headers['credicorp-delivery'] === first ? status : 204;
  });
}

test('a replay that the app accepts settles the delivery: the running listener does not send it again', async () => {
  const app = await reluctantApp(503);
  const listener = receive(world, '--forward', app.url);
  await listener.next('ready');
  const id = await trigger(listener);
  await listener.next('retrying');
  await value('events', 'replay', id);
  assert.deepEqual([(await forwardOf(id))['state'], (await forwardOf(id))['status']], ['delivered', 204]);
  await listener.stop();
  assert.equal((await listener.next('closed')).waiting, 0);
  assert.equal((await forwardOf(id))['state'], 'delivered', 'an attempt under way does not undo it');
  assert.ok((await forwardOf(id))['signature']);
  await app.close();
});

test('a delivery that was dropped is not sent when the app comes back, and a replay still sends it', async () => {
  const app = await smallApp();
  await app.close();
  const listener = receive(world, '--forward', app.url);
  await listener.next('ready');
  const dropped = await trigger(listener);
  const kept = await trigger(listener);
  await listener.next('retrying');
  const { status, stdout } = await command(world, 'events', 'drop', dropped, 'evt_nothere');
  assert.deepEqual([status, stdout], [3, ''], 'an unknown id drops nothing');
  assert.equal(await value('events', 'drop', dropped, '--field', 'dropped.0'), app.url);
  assert.deepEqual(JSON.parse(await value('events', 'drop', dropped, '--json')).dropped, [], 'once');
  const back = await smallApp(undefined, app.port);
  assert.equal((await listener.next('forwarded')).event_id, kept);
  await listener.stop();
  assert.equal(await value('events', 'list', '--state', 'dropped', '--quiet'), dropped);
  assert.equal(back.seen.length, 1);
  await value('events', 'replay', dropped);
  assert.equal((await forwardOf(dropped))['state'], 'delivered');
  await back.close();
});
