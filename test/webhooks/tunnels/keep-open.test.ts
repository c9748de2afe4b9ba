import assert from 'node:assert/strict';
import { test } from 'node:test';
import { publicTunnel } from '../../../src/lib/webhooks/tunnels/tunnel-programs.ts';
import { detectSleep } from '../../../src/lib/webhooks/listen/public-url.ts';
import { createServer } from 'node:http';
import { EventEmitter, once } from 'node:events';
import { request } from 'undici';
import { fakeEndpoints, openSender, startListening } from '../support/stage.ts';

/** Somebody's reverse proxy with a public address; `down` makes it answer 502. */
async function openProxy(portOf: () => number) {
  let down = false;
  const events = new EventEmitter();
  const server = createServer((incoming, response) => {
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('end', async () => {
      if (down) {
        events.emit('refused');
        return response.writeHead(502).end();
      }
      const { 'content-length': _length, host: _host, connection: _connection, ...headers } = incoming.headers;
      const answer = await request(`http://127.0.0.1:${portOf()}${incoming.url}`, {
        method: 'POST',
        headers,
        body: Buffer.concat(chunks),
      });
      return response.writeHead(answer.statusCode).end(Buffer.from(await answer.body.arrayBuffer()));
    });
  });
  server.listen(0, '127.0.0.1');
  server.unref();
  await once(server, 'listening');
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  return {
    url: new URL(`http://127.0.0.1:${address.port}/`),
    setDown: (now: boolean): void => {
      down = now;
    },
    /** Resolves after so many further requests were refused. */
    async refused(count: number): Promise<void> {
      for (let n = 0; n < count; n += 1) await once(events, 'refused');
    },
  };
}

test('a public address is watched: each outage and each return is reported once', async () => {
  let port = 0;
  const proxy = await openProxy(() => port);
  const address = publicTunnel(proxy.url);
  const listening = await startListening({
    tunnel: {
      ...address,
      open(given, ...rest) {
        port = given;
        return address.open(given, ...rest);
      },
    },
    tunnelTimes: { probeMs: 30, probeLimitMs: 500, firstRetryMs: 10, longestRetryMs: 20 },
    endpoints: fakeEndpoints(),
  });
  assert.ok(listening.url.startsWith(proxy.url.href));
  assert.equal(await openSender(listening.url).send({ id: 'evt_1' }), 200);
  proxy.setDown(true);
  const down = await listening.until('tunnel', (event) => event.state === 'down');
  assert.match(down.detail ?? '', /answered 502/);
  await proxy.refused(3);
  proxy.setDown(false);
  const up = await listening.until('tunnel', (event) => event.state === 'up' && event.blind_ms !== null);
  // Nothing has arrived since before the outage was noticed; the events' times are whole milliseconds.
  assert.ok((up.blind_ms ?? 0) >= Date.parse(up.at) - Date.parse(down.at) - 5, `${up.blind_ms} ms`);
  assert.deepEqual(
    listening.of('tunnel').map((event) => event.state),
    ['opening', 'up', 'down', 'up'],
  );
  await listening.close();
});

test('sleep is distinguished from a busy machine', (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  let now = 0;
  const naps: number[] = [];
  const detector = detectSleep(() => now, { beatMs: 1000, slackMs: 5000 });
  const remove = detector.onWake((sleptMs) => naps.push(sleptMs));
  const beatAfter = (ms: number): void => {
    now += ms;
    t.mock.timers.tick(1000);
  };
  beatAfter(1000);
  beatAfter(5999);
  assert.deepEqual(naps, []);
  beatAfter(3_601_000);
  beatAfter(1000);
  assert.deepEqual(naps, [3_600_000]);
  remove();
  beatAfter(3_601_000);
  assert.equal(naps.length, 1);
  detector.stop();
});

test('a listener reports that the machine woke', async () => {
  let skipped = 0;
  const listening = await startListening({ now: () => Date.now() + skipped });
  skipped = 7_200_000;
  const woke = await listening.until('tunnel');
  assert.deepEqual([woke.state, woke.via], ['woke', 'loopback']);
  assert.match(woke.detail ?? '', /slept for about 7[12]\d\d s/);
});
