/** An endpoint lost while its listener runs is registered again; an API that cannot be reached is asked again; the end is no loss. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { watchEndpoint } from '../../../src/lib/webhooks/listen/endpoint-registration.ts';
import { eventBody, fakeEndpoints, openApp, openSender, startListening } from '../support/stage.ts';

test('a lost endpoint is registered again, proven again, and delivers', async () => {
  const app = await openApp((_seen, response) => void response.end('ok'));
  const endpoints = fakeEndpoints();
  const answers: ('there' | 'away' | 'gone')[] = ['there', 'away', 'gone'];
  endpoints.exists = async () => {
    const answer = answers.shift() ?? 'there';
    if (answer === 'away') throw new Error('refused');
    return answer === 'there';
  };
  const listening = await startListening({ forward: app.url, endpoints, endpointCheckMs: 10 });
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

test('an API that cannot tell is asked once', async () => {
  const endpoints = fakeEndpoints();
  let asked = 0;
  endpoints.exists = async () => {
    asked += 1;
    return null;
  };
  // Ends by itself: nothing aborts the signal.
  await watchEndpoint({
    api: endpoints,
    endpoint: { id: 'whend_1', url: 'http://127.0.0.1/', secret: 'whsec_1', adopted: false },
    events: ['*'],
    everyMs: 1,
    signal: new AbortController().signal,
    onReplaced: () => assert.fail('nothing was lost'),
  });
  assert.equal(asked, 1);
});

test('an endpoint that is gone because the listener ends is not registered again', async () => {
  const endpoints = fakeEndpoints();
  // Asked while the listener runs, answered only once it ends.
  endpoints.exists = (_id, signal) =>
    new Promise((resolve) => signal.addEventListener('abort', () => resolve(false), { once: true }));
  const listening = await startListening({ endpoints, endpointCheckMs: 1 });
  await listening.close();
  assert.deepEqual(endpoints.log, ['register *', 'unregister whend_1']);
});
