/** A listener behind a reverse tunnel through a real sshd on loopback, with a wire in between that can be cut. */
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Failure } from '../../../src/lib/failure.ts';
import { parseTunnel } from '../../../src/lib/webhooks/tunnels/programs.ts';
import type { Tunnel } from '../../../src/lib/webhooks/tunnels/tunnel.ts';
import { fakeEndpoints, freePort, openApp, openSender, startListening } from '../support/stage.ts';

const SSHD = ['/usr/sbin/sshd', '/usr/bin/sshd'].find((path) => existsSync(path));

/** Between ssh and sshd. `cut` drops connections and refuses new ones, `stall` swallows every byte. */
interface Wire {
  port: number;
  cut(): void;
  stall(): void;
  mend(): Promise<void>;
}

async function openWire(to: number): Promise<Wire> {
  const sockets = new Set<Socket>();
  let stalled = false;
  let server: Server;
  const listenAt = async (port: number): Promise<void> => {
    server = createServer((near) => {
      const far = connect(to, '127.0.0.1');
      const ends: [Socket, Socket][] = [
        [near, far],
        [far, near],
      ];
      for (const [from, into] of ends) {
        sockets.add(from);
        from.on('data', (chunk) => void (stalled || into.write(chunk)));
        from.on('error', () => {});
        from.on('close', () => {
          sockets.delete(from);
          if (!stalled) into.destroy();
        });
      }
    });
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
  };
  await listenAt(0);
  const address = server!.address();
  const wire = { port: typeof address === 'object' && address !== null ? address.port : 0 };
  const drop = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  after(() => {
    server.close();
    drop();
  });
  return {
    ...wire,
    cut() {
      server.close();
      drop();
    },
    stall() {
      stalled = true;
    },
    async mend() {
      // What was swallowed is lost: connections from before are no good any more.
      drop();
      stalled = false;
      if (!server.listening) await listenAt(wire.port);
    },
  };
}

describe('ssh', { skip: SSHD === undefined && 'no sshd on this machine' }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'credicorp-ssh-'));
  let port = 0;
  let daemon: ChildProcess | undefined;
  after(() => {
    daemon?.kill();
    rmSync(folder, { recursive: true, force: true });
  });

  before(async () => {
    port = await freePort();
    for (const name of ['host', 'user']) {
      execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(folder, name)]);
    }
    writeFileSync(join(folder, 'authorized'), readFileSync(join(folder, 'user.pub')));
    writeFileSync(
      join(folder, 'sshd_config'),
      [
        `Port ${port}`,
        'ListenAddress 127.0.0.1',
        `HostKey ${join(folder, 'host')}`,
        `AuthorizedKeysFile ${join(folder, 'authorized')}`,
        'StrictModes no',
        'UsePAM no',
        'PasswordAuthentication no',
        'PermitRootLogin yes',
        'PidFile none',
      ].join('\n'),
    );
    if (process.getuid?.() === 0) mkdirSync('/run/sshd', { recursive: true, mode: 0o755 });
    const started = spawn(SSHD ?? '', ['-D', '-e', '-f', join(folder, 'sshd_config')], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    daemon = started;
    await once(started.stderr, 'data');
  });

  const tunnelThrough = (wirePort: number): Tunnel =>
    parseTunnel(`ssh:${userInfo().username}@127.0.0.1:${wirePort}`, {
      env: { PATH: process.env['PATH'], HOME: folder },
      sshArgs: [
        ...['-F', 'none', '-i', join(folder, 'user'), '-o', 'IdentitiesOnly=yes'],
        ...['-o', 'StrictHostKeyChecking=no', '-o', `UserKnownHostsFile=${join(folder, 'known')}`],
      ],
    });

  test('carries deliveries, survives a cut wire, and comes back within three seconds after it is mended', async () => {
    const wire = await openWire(port);
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
    await listening.until('tunnel', (moment) => moment.state === 'down');
    assert.ok(Date.now() - cutAt < 2000);
    await new Promise((resolve) => setTimeout(resolve, 600));
    await wire.mend();
    const mendedAt = Date.now();
    const up = await listening.until('tunnel', (moment) => moment.state === 'up' && moment.blind_ms !== null);
    assert.ok(Date.now() - mendedAt <= 3000, `${Date.now() - mendedAt} ms`);
    assert.ok((up.blind_ms ?? 0) >= 600);
    const url = moves.at(-1) ?? listening.url;
    assert.equal(await openSender(url).send({ id: 'evt_2' }), 200);
    await listening.times('forwarded', 2);
    const closed = await listening.close();
    assert.equal(closed.endpoint_removed, true);
    await assert.rejects(openSender(url).send({ id: 'evt_3' }));
  });

  test('notices within ten seconds that a wire swallows everything, and is blind at most three seconds longer than the outage', async () => {
    const wire = await openWire(port);
    const listening = await startListening({
      tunnel: tunnelThrough(wire.port),
      endpoints: { ...fakeEndpoints(), update: async () => {} },
    });
    wire.stall();
    const began = Date.now();
    const down = listening.until('tunnel', (moment) => moment.state === 'down');
    await new Promise((resolve) => setTimeout(resolve, 6000));
    await wire.mend();
    const mended = Date.now();
    await down;
    assert.ok(Date.now() - began < 10_000);
    await listening.until('tunnel', (moment) => moment.state === 'up' && moment.blind_ms !== null);
    assert.ok(Date.now() - mended <= 3000, `${Date.now() - mended} ms`);
  });

  test('that cannot sign in says what ssh said, and registers nothing', async () => {
    const endpoints = fakeEndpoints();
    const tunnel = parseTunnel(`ssh:${userInfo().username}@127.0.0.1:${port}`, {
      env: { PATH: process.env['PATH'], HOME: folder },
      sshArgs: [
        '-F',
        'none',
        '-o',
        'IdentityFile=none',
        '-o',
        'StrictHostKeyChecking=no',
        '-o',
        `UserKnownHostsFile=${join(folder, 'known')}`,
      ],
    });
    await assert.rejects(
      startListening({ endpoints, tunnel }),
      (error) => error instanceof Failure && error.kind === 'unavailable' && /Permission denied/.test(error.message),
    );
    assert.deepEqual(endpoints.log, []);
  });
});
