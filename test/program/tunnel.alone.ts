/**
 * The built program behind the system's own ssh and a real sshd on loopback: a wire that swallows everything for six seconds is noticed
 * within ten, and after it is mended deliveries come again within three; none is lost.
 */
import assert from 'node:assert/strict';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { listenProgram } from '../support/listener.ts';
import { freshHome, runScript } from '../support/spawn.ts';
import { openWire, type Sshd, startSshd, withoutSshd } from '../webhooks/support/sshd.ts';
import { openApp } from '../webhooks/support/stage.ts';

const OUTAGE_MS = 6000;

describe('--tunnel ssh', { skip: withoutSshd }, () => {
  const home = freshHome();
  let sshd: Sshd;
  before(async () => {
    sshd = await startSshd();
    // Stands for the user's own ~/.ssh/config, which ssh finds by the account and not by HOME.
    const quoted = sshd.sshArgs.map((word) => `'${word}'`).join(' ');
    writeFileSync(join(home.path, 'ssh'), `#!/bin/sh\nPATH=\${PATH#*:}\nexec ssh ${quoted} "$@"\n`);
    chmodSync(join(home.path, 'ssh'), 0o755);
    await runScript('bin/run.js', ['sandbox', 'start', '--background', '--port', '0', '--quiet'], home.env);
  });
  after(async () => {
    sshd.stop();
    await runScript('bin/run.js', ['sandbox', 'stop'], home.env);
    home[Symbol.dispose]();
  });

  test('an outage is noticed, shown, and over within three seconds of its end', async () => {
    const wire = await openWire(sshd.port);
    const app = await openApp();
    const env = { ...home.env, PATH: `${home.path}:${home.env['PATH']}` };
    const way = `ssh:${sshd.user}@127.0.0.1:${wire.port}`;
    const listener = await listenProgram(env, '--forward', app.url.href, '--tunnel', way);
    const [ready] = listener.of('ready');
    assert.notEqual(new URL(ready?.url ?? '').port, String(ready?.port), 'the address is the tunnel’s');
    const send = async (): Promise<void> => {
      const sent = await runScript('bin/run.js', ['webhooks', 'trigger', 'payment.settled', '--quiet'], home.env);
      assert.equal(sent.status, 0, sent.stderr);
    };
    const states = (): string[] => listener.of('tunnel').map(({ state }) => state);
    await send();
    await listener.times('forwarded', 1);

    wire.stall();
    const began = performance.now();
    const noticed = listener.until(() => states().includes('down')).then(() => performance.now() - began);
    await pause(OUTAGE_MS);
    await wire.mend();
    const mended = performance.now();
    assert.ok((await noticed) < 10_000, `noticed after ${await noticed} ms`);
    await listener.until(() => states().join() === 'opening,up,down,up');
    const blind = performance.now() - mended;
    assert.ok(blind <= 3000, `${blind} ms after its end`);
    assert.ok((listener.of('tunnel').at(-1)?.blind_ms ?? 0) >= OUTAGE_MS - 3000);
    await send();
    await listener.times('forwarded', 2);
    const { status, closed } = await listener.stop();
    assert.deepEqual([status, closed.endpoint_removed, app.seen.length], [0, true, 2]);
  });
});
