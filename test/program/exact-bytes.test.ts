/** Ten thousand random bodies through the built program's listener: the listener's signatures are checked in the app. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { verify } from '../../src/lib/contract/signature.ts';
import { runInside } from '../support/inside.ts';
import { listenProgram } from '../support/listener.ts';
import { freshHome } from '../support/spawn.ts';
import { openApp, openSender } from '../webhooks/support/stage.ts';

const BODIES = 10_000;

test('10,000 random bodies arrive with good signatures', async () => {
  using home = freshHome();
  await runInside(['sandbox', 'start', '--background', '--port', '0', '--quiet'], home.env);
  let secret = '';
  let good = 0;
  const app = await openApp((seen, response, { seen: all }) => {
    const header = String(seen.headers['credicorp-signature']);
    const now = Math.floor(Date.now() / 1000);
    if (verify({ header, body: seen.body, secrets: [secret], now }).valid) good += 1;
    // Only counted: ten thousand bodies need not be kept.
    all.length = 0;
    response.end();
  });
  const listener = await listenProgram(home.env, '--forward', app.url.href);
  try {
    secret = (await runInside(['webhooks', 'secret'], home.env)).stdout.trim();
    const { url = '', endpoint_id: id = '' } = listener.of('ready')[0] ?? {};
    const theirs = (await runInside(['webhooks', 'secret', '--endpoint', id], home.env)).stdout.trim();
    const sender = openSender(url, 16);
    let next = 0;
    const worker = async (): Promise<void> => {
      while (next < BODIES) {
        next += 1;
        assert.equal(await sender.send(randomBytes(next % 400), { secret: theirs }), 200);
      }
    };
    await Promise.all(Array.from({ length: 16 }, worker));
    await listener.times('forwarded', BODIES);
    assert.equal(good, BODIES);
    const { status, closed } = await listener.stop();
    assert.deepEqual([status, closed.forwarded, closed.waiting], [0, BODIES, 0]);
  } finally {
    await listener.kill();
    await runInside(['sandbox', 'stop'], home.env);
  }
});
