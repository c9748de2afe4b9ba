import assert from 'node:assert/strict';
import { test } from 'node:test';
import { publicTunnel } from '../../../src/lib/webhooks/tunnels/programs.ts';
import { watchWake } from '../../../src/lib/webhooks/wake.ts';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { request } from 'undici';
import { fakeEndpoints, openSender, startListening } from '../support/stage.ts';

/** Somebody's reverse proxy with a public address; `down` makes it answer 502. */
async function openProxy(portOf: () => number): Promise<{ url: URL; setDown(down: boolean): void }> {
  let down = false;
  const server = createServer((incoming, response) => {
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('end', async () => {
      if (down) return response.writeHead(502).end();
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
    setDown: (now) => {
      down = now;
    },
  };
}

test('a public address is watched: its going and coming back are told once each', async () => {
  const port = 20_000 + (process.pid % 20_000);
  const proxy = await openProxy(() => port);
  const listening = await startListening({
    port,
    tunnel: publicTunnel(proxy.url),
    tunnelTimes: { probeMs: 30, probeLimitMs: 500, firstRetryMs: 10, longestRetryMs: 20 },
    endpoints: fakeEndpoints(),
  });
  assert.ok(listening.url.startsWith(proxy.url.href));
  assert.equal(await openSender(listening.url).send({ id: 'evt_1' }), 200);
  proxy.setDown(true);
  const down = await listening.until('tunnel', (moment) => moment.state === 'down');
  assert.match(down.detail ?? '', /answered 502/);
  await new Promise((resolve) => setTimeout(resolve, 300));
  proxy.setDown(false);
  const up = await listening.until('tunnel', (moment) => moment.state === 'up' && moment.blind_ms !== null);
  assert.ok((up.blind_ms ?? 0) >= 300);
  assert.deepEqual(
    listening.of('tunnel').map((moment) => moment.state),
    ['opening', 'up', 'down', 'up'],
  );
  await listening.close();
});

test('sleep is told from a busy moment', async () => {
  let skipped = 0;
  const naps: number[] = [];
  const watch = watchWake(() => Date.now() + skipped, { beatMs: 5, slackMs: 1000 });
  const unwatch = watch.onWake((sleptMs) => naps.push(sleptMs));
  const beats = (count: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, count * 5));
  await beats(4);
  skipped = 500;
  await beats(4);
  assert.deepEqual(naps, []);
  skipped = 3_600_000;
  while (naps.length === 0) await beats(1);
  assert.ok(Math.abs((naps[0] ?? 0) - 3_599_500) < 500);
  unwatch();
  skipped *= 3;
  await beats(4);
  assert.equal(naps.length, 1);
  watch.stop();
});

test('a listener that wakes says so', async () => {
  let skipped = 0;
  const listening = await startListening({ now: () => Date.now() + skipped });
  skipped = 7_200_000;
  const woke = await listening.until('tunnel');
  assert.deepEqual([woke.state, woke.via], ['woke', 'loopback']);
  assert.match(woke.detail ?? '', /slept for about 7[12]\d\d s/);
});
