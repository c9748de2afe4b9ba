/** An endpoint that is lost while its listener runs is made anew; an API that is away is waited for; leaving is no loss. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventBody, fakeEndpoints, openApp, openSender, startListening } from './support/stage.ts';

test('a lost endpoint is registered again, proven again, and delivers', async () => {
  const app = await openApp((_seen, response) => void response.end('ok'));
  const endpoints = fakeEndpoints();
  const answers: ('there' | 'away' | 'gone')[] = ['there', 'away', 'gone'];
  endpoints.present = async () => {
    const answer = answers.shift() ?? 'there';
    if (answer === 'away') throw new Error('refused');
    return answer === 'there';
  };
  const listening = await startListening({ forward: app.url, endpoints, presenceMs: 10 });
  await listening.times('ready', 2);
  const [first, second] = listening.of('ready');
  assert.notEqual(second?.endpoint_id, first?.endpoint_id);
  assert.equal(second?.url, first?.url, 'the address stays');
  assert.deepEqual([first?.replaces, second?.replaces], [null, first?.endpoint_id]);
  assert.equal(await openSender(listening.url).send(eventBody({ id: 'evt_1' })), 200);
  await listening.until('forwarded');
  const closed = await listening.close();
  assert.equal(closed.endpoint_removed, true);
  assert.deepEqual(endpoints.log, ['register *', 'register *', `unregister ${second?.endpoint_id}`]);
});

test('an API that does not tell is asked once', async () => {
  const endpoints = fakeEndpoints();
  let asked = 0;
  endpoints.present = async () => {
    asked += 1;
    return null;
  };
  const listening = await startListening({ endpoints, presenceMs: 1 });
  await new Promise((resolve) => setTimeout(resolve, 20));
  await listening.close();
  assert.equal(asked, 1);
});

test('on the way out the removed endpoint is not made anew', async () => {
  const endpoints = fakeEndpoints();
  let removed = false;
  const { unregister } = endpoints;
  endpoints.unregister = async (id) => {
    removed = true;
    await unregister(id);
    await new Promise((resolve) => setTimeout(resolve, 30));
  };
  endpoints.present = async () => !removed;
  const listening = await startListening({ endpoints, presenceMs: 1 });
  await listening.close();
  assert.deepEqual(endpoints.log, ['register *', 'unregister whend_1']);
});
