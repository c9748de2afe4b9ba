/** A real sshd on loopback, and a wire to it that can be cut. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { freePort } from './stage.ts';

const SSHD = ['/usr/sbin/sshd', '/usr/bin/sshd'].find((path) => existsSync(path));

/** For `describe`'s `skip`. */
export const withoutSshd = SSHD === undefined && 'no sshd on this machine';

export interface Sshd {
  port: number;
  user: string;
  /** Keys and configuration stand here; nothing else does. */
  folder: string;
  /** What ssh must be told to get in, and to leave this user's own configuration alone. */
  sshArgs: string[];
  /** Ends it and removes the folder. */
  stop(): void;
}

export async function startSshd(): Promise<Sshd> {
  const folder = mkdtempSync(join(tmpdir(), 'credicorp-ssh-'));
  const port = await freePort();
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
  const daemon: ChildProcess = spawn(SSHD ?? '', ['-D', '-e', '-f', join(folder, 'sshd_config')], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  if (daemon.stderr !== null) await once(daemon.stderr, 'data');
  const sshArgs = [
    ...['-F', 'none', '-i', join(folder, 'user'), '-o', 'IdentitiesOnly=yes'],
    ...['-o', 'StrictHostKeyChecking=no', '-o', `UserKnownHostsFile=${join(folder, 'known')}`],
  ];
  const stop = (): void => {
    daemon.kill();
    rmSync(folder, { recursive: true, force: true });
  };
  return { port, user: userInfo().username, folder, sshArgs, stop };
}

/** Between ssh and sshd. `cut` drops connections and refuses new ones, `stall` swallows every byte. */
export interface Wire {
  port: number;
  cut(): void;
  stall(): void;
  mend(): Promise<void>;
}

export async function openWire(to: number): Promise<Wire> {
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
