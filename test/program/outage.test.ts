/**
 * An app that keeps to webhooks.md#verification (300 s) is away while events happen. The clock of sandbox, listener and app moves on, the
 * listener, the sandbox or both start again, and the app comes back with the secret it had: it accepts every delivery.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { verify } from '../../src/lib/contract/signature.ts';
import { startSandbox } from '../support/embedded.ts';
import { receive, smallApp } from '../support/receiving.ts';
import { freshHome } from '../support/spawn.ts';
import { command } from '../support/world.ts';

const MINUTE = 60_000;
const WAITS = [
  ['ten minutes', 10 * MINUTE],
  ['an hour', 60 * MINUTE],
  ['a day', 24 * 60 * MINUTE],
] as const;
const RESTARTS = [
  ['nothing starts again', false, false],
  ['the listener starts again', true, false],
  ['the sandbox starts again', false, true],
  ['both start again', true, true],
] as const;

for (const [wait, ms] of WAITS) {
  describe(`an app that was away for ${wait} accepts what it missed`, () => {
    for (const [what, listenerAgain, sandboxAgain] of RESTARTS) {
      test(`when ${what}`, async () => {
        using home = freshHome();
        let clock = Date.now();
        const world = { home: home.path, now: () => clock };
        let sandbox = await startSandbox(world, '--seed', 'outage');
        const { port } = new URL(sandbox.url);
        const target = await smallApp();
        await target.close();
        const flags = ['--forward', target.url];
        let listener = receive(world, ...flags);
        await listener.next('ready');
        const secret = (await command(world, 'webhooks', 'secret')).stdout.trim();
        await command(world, 'webhooks', 'trigger', 'decision.completed', '--quiet');
        const { event_id: missed } = await listener.next('retrying');

        if (listenerAgain) assert.equal(await listener.stop(), 0);
        clock += ms;
        if (sandboxAgain) {
          await sandbox.stop();
          // Another seed: with the same one its events would have the ids of the earlier ones.
          sandbox = await startSandbox(world, '--seed', 'outage again', '--port', port);
        }
        const accepted: unknown[] = [];
        const app = await smallApp((seen) => {
          const header = String(seen.headers['credicorp-signature']);
          const now = Math.floor(clock / 1000);
          if (!verify({ header, body: seen.body, secrets: [secret], now }).valid) return 400;
          accepted.push((JSON.parse(seen.body.toString()) as { id: string }).id);
          return 200;
        }, target.port);
        if (listenerAgain) {
          listener = receive(world, ...flags);
          await listener.next('ready');
        }
        assert.equal((await listener.next('forwarded')).event_id, missed);
        if (sandboxAgain && !listenerAgain) assert.notEqual((await listener.next('ready')).replaces, null);
        // What happens from now on arrives under the same secret.
        await command(world, 'webhooks', 'trigger', 'payment.settled', '--quiet');
        const { event_id: next } = await listener.next('forwarded');
        assert.deepEqual(accepted, [missed, next]);
        assert.equal(await listener.stop(), 0);
        assert.equal((await command(world, 'webhooks', 'secret')).stdout.trim(), secret);
        await app.close();
        await sandbox.stop();
      });
    }
  });
}
