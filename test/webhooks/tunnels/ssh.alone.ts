/** A listener behind a reverse tunnel through a real sshd on loopback, with a wire in between that can be cut. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Failure } from '../../../src/lib/failure.ts';
import { parseTunnel } from '../../../src/lib/webhooks/tunnels/tunnel-programs.ts';
import type { Tunnel } from '../../../src/lib/webhooks/tunnels/tunnel-programs.ts';
import { openWire, type Sshd, startSshd, withoutSshd } from '../support/sshd.ts';
import { fakeEndpoints, openApp, openSender, startListening } from '../support/stage.ts';

describe('ssh', { skip: withoutSshd }, () => {
  let sshd: Sshd;
  before(async () => {
    sshd = await startSshd();
  });
  after(() => sshd.stop());

  const tunnelThrough = (wirePort: number): Tunnel =>
    parseTunnel(`ssh:${sshd.user}@127.0.0.1:${wirePort}`, {
      env: { PATH: process.env['PATH'], HOME: sshd.folder },
      sshArgs: sshd.sshArgs,
    });

  test('carries deliveries, survives a cut wire, and comes back within three seconds after it is mended', async () => {
    const wire = await openWire(sshd.port);
    const app = await openApp();
    const base = fakeEndpoints();
    const moves: string[] = [];
    const endpoints = { ...base, update: async (_id: string, { url }: { url: string }) => void moves.push(url) };
    const listening = await startListening({
      forward: app.url,
      endpoints,
      tunnel: tunnelThrough(wire.port),
      tunnelTimes: { probeMs: 1000 },
    });
    assert.notEqual(new URL(listening.url).port, String(listening.of('ready')[0]?.port));
    assert.equal(await openSender(listening.url).send({ id: 'evt_1' }), 200);
    await listening.until('forwarded');

    wire.cut();
    const cutAt = Date.now();
    await listening.until('tunnel', (event) => event.state === 'down');
    assert.ok(Date.now() - cutAt < 2000);
    await new Promise((resolve) => setTimeout(resolve, 600));
    await wire.mend();
    const mendedAt = Date.now();
    const up = await listening.until('tunnel', (event) => event.state === 'up' && event.blind_ms !== null);
    assert.ok(Date.now() - mendedAt <= 3000, `${Date.now() - mendedAt} ms`);
    assert.ok((up.blind_ms ?? 0) >= 600);
    const url = moves.at(-1) ?? listening.url;
    assert.equal(await openSender(url).send({ id: 'evt_2' }), 200);
    await listening.times('forwarded', 2);
    const closed = await listening.close();
    assert.equal(closed.endpoint_removed, true);
    await assert.rejects(openSender(url).send({ id: 'evt_3' }));
  });

  test('that cannot sign in says what ssh said, and registers nothing', async () => {
    const endpoints = fakeEndpoints();
    const tunnel = parseTunnel(`ssh:${sshd.user}@127.0.0.1:${sshd.port}`, {
      env: { PATH: process.env['PATH'], HOME: sshd.folder },
      sshArgs: [
        '-F',
        'none',
        '-o',
        'IdentityFile=none',
        '-o',
        'StrictHostKeyChecking=no',
        '-o',
        `UserKnownHostsFile=${join(sshd.folder, 'known')}`,
      ],
    });
    await assert.rejects(
      startListening({ endpoints, tunnel }),
      (error) => error instanceof Failure && error.kind === 'unavailable' && /Permission denied/.test(error.message),
    );
    assert.deepEqual(endpoints.log, []);
  });
});
