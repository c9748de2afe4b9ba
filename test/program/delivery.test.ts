/** What the built program promises about deliveries: bounds, order, targets, repetitions, and readers that do not read. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { runInside } from '../support/inside.ts';
import { listenProgram, type ListenerProgram } from '../support/listener.ts';
import { type Ended, freshHome } from '../support/spawn.ts';
import { openTerminal } from '../support/terminal.ts';
import { type App, openApp, openSender, type Seen, type Sender } from '../webhooks/support/stage.ts';

const home = freshHome();
const run = (...args: string[]): Promise<Ended> => runInside(args, home.env);
const value = async (...args: string[]): Promise<string> => {
  const ended = await run(...args);
  assert.equal(ended.status, 0, `${args.join(' ')}: ${ended.stderr}`);
  return ended.stdout.trim();
};
const trigger = (type: string, count: number): Promise<string[]> =>
  value('webhooks', 'trigger', type, '--count', String(count), '--quiet').then((ids) => ids.split('\n'));
const idOf = ({ body }: Seen): string => String((JSON.parse(body.toString()) as { id: string }).id);

before(() => value('sandbox', 'start', '--background', '--port', '0', '--seed', 'delivery', '--quiet'));
after(async () => {
  await run('sandbox', 'stop');
  home[Symbol.dispose]();
});

/** Signs as the API would, with the secret of the listener's endpoint. */
async function senderFor(listener: ListenerProgram, connections: number): Promise<Sender> {
  const { url = '', endpoint_id: id = '' } = listener.of('ready')[0] ?? {};
  const secret = await value('webhooks', 'secret', '--endpoint', id);
  const sender = openSender(url, connections);
  return { send: (body, more) => sender.send(body, { secret, ...more }) };
}

test('--concurrency holds at every target, a target that hangs holds up no other, and a repetition is not forwarded', async () => {
  const app = await openApp((_seen, response) => void setTimeout(() => response.end(), 2));
  let hangs = true;
  const stuck = await openApp((_seen, response) => void (hangs || response.end()));
  const routes = ['--forward', app.url.href, '--route', `payment.*=${stuck.url.href}`];
  const listener = await listenProgram(home.env, ...routes, '--concurrency', '3');
  await trigger('payment.settled', 20);
  const ids = await trigger('application.updated', 200);
  await listener.times('forwarded', 200);
  assert.deepEqual(app.seen.map(idOf).toSorted(), ids.toSorted());
  assert.deepEqual([app.most, stuck.most, stuck.seen.length], [3, 3, 3]);
  await value('api', 'POST', `/_sandbox/events/${ids[0]}/resend`, '--quiet');
  assert.equal((await listener.times('duplicate', 1)).event_id, ids[0]);
  await stuck.stop();
  const { status, closed } = await listener.stop();
  assert.deepEqual([status, closed.forwarded, closed.duplicates, closed.waiting], [0, 200, 1, 20]);
  assert.equal(app.seen.length, 200);

  hangs = false;
  await stuck.start();
  const careless = await listenProgram(home.env, ...routes, '--no-dedupe');
  await careless.times('forwarded', 20);
  await value('api', 'POST', `/_sandbox/events/${ids[0]}/resend`, '--quiet');
  assert.equal((await careless.times('forwarded', 21)).event_id, ids[0]);
  assert.equal((await careless.stop()).status, 0);
});

/** An app that refuses some requests, and is slow at random; what it refused does not count as seen. */
async function shakyApp(every: number): Promise<App> {
  let count = 0;
  return openApp((seen, response, app) => {
    count += 1;
    const fails = count % every === 0;
    if (fails) app.seen.splice(app.seen.indexOf(seen), 1);
    setTimeout(() => response.writeHead(fails ? 500 : 200).end(), count % 3);
  });
}

for (const [flag, every, keyOf, most] of [
  ['--ordered', 7, (n: number) => n % 20, 8],
  ['--ordered=all', 99, () => 0, 1],
] as const) {
  test(`${flag}: 1,000 events, no inversion, though attempts fail`, async () => {
    const app = await shakyApp(every);
    const listener = await listenProgram(home.env, '--forward', app.url.href, flag);
    const sender = await senderFor(listener, 20);
    const id = (n: number): string => `evt_${flag}_${n}`;
    const resource = async (first: number): Promise<void> => {
      for (let n = first; n < 1000; n += 20) {
        assert.equal(await sender.send({ id: id(n), application: `app_${first}` }), 200);
      }
    };
    await Promise.all(Array.from({ length: 20 }, (_, first) => resource(first)));
    await listener.times('forwarded', 1000);
    // All were created at the same time, so the order is that in which the inbox took them.
    const places = new Map(listener.of('received').map(({ event_id, inbox_id }) => [event_id, inbox_id]));
    const last = new Map<number, number>();
    for (const event of app.seen.map(idOf)) {
      const key = keyOf(Number(event.split('_').at(-1)));
      const place = places.get(event) ?? 0;
      assert.ok((last.get(key) ?? 0) < place, `${event}: ${place} after ${last.get(key)}`);
      last.set(key, place);
    }
    assert.equal(app.seen.length, 1000);
    assert.ok(listener.of('retrying').length >= 10, `${listener.of('retrying').length} were tried again`);
    assert.ok(app.most <= most && (most === 1 || app.most > 1), `${app.most} at once`);
    assert.equal((await listener.stop()).status, 0);
  });
}

test('a reader that does not read holds up no delivery', async () => {
  const app = await openApp();
  const listener = await listenProgram(home.env, '--forward', app.url.href);
  listener.child.stdout.pause();
  const sender = await senderFor(listener, 20);
  const sent = Array.from({ length: 600 }, (_, n) => sender.send({ id: `evt_unread_${n}` }));
  assert.deepEqual(new Set(await Promise.all(sent)), new Set([200]));
  while (app.seen.length < 600) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.ok(listener.of('forwarded').length < 500, 'more than a pipe holds');
  listener.child.stdout.resume();
  await listener.times('forwarded', 600);
  const { status, closed } = await listener.stop();
  assert.deepEqual([status, closed.forwarded, closed.waiting], [0, 600, 0]);
});

// With keys in the terminal and without.
for (const more of [[], ['--no-input']]) {
  test(`a terminal that is stopped (Ctrl-S) holds up no delivery ${more.join(' ')}`, async () => {
    const app = await openApp();
    const terminal = openTerminal(['webhooks', 'listen', '--forward', app.url.href, ...more], home.env);
    await terminal.shows(/endpoint whend_\w+; Ctrl-C ends/);
    terminal.type('\u0013');
    const ids = await trigger('loan.closed', 40);
    while (app.seen.length < 40) await new Promise((resolve) => setTimeout(resolve, 5));
    assert.deepEqual(app.seen.map(idOf).toSorted(), ids.toSorted());
    assert.doesNotMatch(terminal.text, /loan\.closed/);
    terminal.type('\u0011');
    await terminal.shows(/received +loan\.closed/);
    terminal.type('\u0003');
    await terminal.shows(/closed +40 received, 40 forwarded/);
    assert.equal(await terminal.ended(), 0);
  });
}
