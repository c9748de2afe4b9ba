/** An endpoint lost while its listener runs is registered again; an API that cannot be reached is asked again; the end is no loss. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { registerListener } from '../../../src/lib/webhooks/inbox/listener-registry.ts';
import { type EndpointWatch, watchEndpoint } from '../../../src/lib/webhooks/listen/endpoint-registration.ts';
import { eventBody, fakeEndpoints, openApp, openInbox, openSender, startListening } from '../support/stage.ts';

test('a lost endpoint is registered and tested again, and receives', async () => {
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

/** A watch that checks hourly unless it is woken. */
function watchHourly(more: Pick<EndpointWatch, 'api' | 'holds' | 'onReplaced'>): {
  wake(): void;
  stop(): Promise<void>;
} {
  const stop = new AbortController();
  const callbacks = new Set<() => void>();
  const watching = watchEndpoint({
    ...more,
    endpoint: { id: 'whend_1', url: 'http://127.0.0.1/', secret: 'whsec_1', adopted: false },
    events: ['*'],
    everyMs: 3_600_000,
    signal: stop.signal,
    onWake(act) {
      callbacks.add(act);
      return () => void callbacks.delete(act);
    },
  });
  return {
    wake: () => [...callbacks].forEach((act) => act()),
    stop() {
      stop.abort();
      return watching;
    },
  };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('an API without the route is asked only once', async () => {
  const endpoints = fakeEndpoints();
  let asked = 0;
  endpoints.exists = async () => {
    asked += 1;
    return null;
  };
  const watch = watchHourly({ api: endpoints, holds: () => true, onReplaced: () => assert.fail('nothing was lost') });
  for (let n = 0; n < 5; n += 1) {
    await turn();
    watch.wake();
  }
  await watch.stop();
  assert.equal(asked, 1);
});

test('on waking it is checked at once whether the endpoint is still its own, also where the API cannot tell', async () => {
  const endpoints = fakeEndpoints();
  let own = true;
  const replaced = Promise.withResolvers<string>();
  const watch = watchHourly({
    api: endpoints,
    holds: () => own,
    onReplaced: async (lost) => {
      own = true;
      replaced.resolve(lost);
    },
  });
  await turn();
  own = false;
  await turn();
  assert.deepEqual(endpoints.log, []);
  watch.wake();
  assert.equal(await replaced.promise, 'whend_1');
  await watch.stop();
  assert.deepEqual(endpoints.log, ['register *']);
});

test('a listener whose endpoint was taken over registers a new one, reports it, receives again, and removes only its own', async () => {
  const [store, endpoints] = [openInbox(), fakeEndpoints()];
  // The system tells no more of a process than that it exists, and this one was stopped for an hour.
  const processStart = (): string => '';
  const listening = await startListening({ store, endpoints, processStart, endpointCheckMs: 10 });
  const { endpoint_id: first, port } = await listening.until('ready');
  store.db.exec('UPDATE inbox_listeners SET seen_at = seen_at - 3600000');
  const other = registerListener({ store, scope: 'local', pid: 999, processStart, now: Date.now });
  assert.deepEqual(
    other.claimAbandoned().map(({ endpointId }) => endpointId),
    [first],
  );
  other.saveEndpoint({ endpointId: first, url: 'http://127.0.0.1:1/', port: 1, path: '/', events: ['*'] });
  await listening.times('ready', 2);
  const again = listening.of('ready')[1];
  assert.deepEqual([again?.replaces, again?.port], [first, port]);
  assert.notEqual(again?.endpoint_id, first);
  assert.equal(await openSender(again?.url ?? '').send({ id: 'evt_1' }), 200);
  await listening.close();
  assert.deepEqual(endpoints.log, ['register *', 'register *', `unregister ${again?.endpoint_id}`]);
  assert.ok(other.holdsEndpoint(first));
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
