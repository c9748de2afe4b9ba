/**
 * Keyrings to test against: a private D-Bus session in a temporary home, a real gnome-keyring-daemon in it, or a secret service that
 * never answers. Nothing of the user's own session is touched.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { type Bus, connectBus } from '../../src/lib/auth/keychain/linux/dbus.ts';
import { freshFolder } from './folder.ts';
import { cache } from './spawn.ts';

/** Why the tests with a real keyring cannot run here; null when they can. With CI=true nothing is excused. */
export function keyringMissing(): string | null {
  const lacking = [
    ['gnome-keyring-daemon', '--version'],
    ['dbus-daemon', '--version'],
  ].filter(([program = '', flag = '']) => spawnSync(program, [flag], { stdio: 'ignore' }).error !== undefined);
  if (lacking.length === 0 || process.env['CI'] === 'true') return null;
  const names = lacking.map(([program]) => program).join(' and ');
  return `NOT TESTED: the keychain, because ${names} is not installed (apt-get install dbus gnome-keyring libsecret-1-0)`;
}

export interface Session {
  /** Environment of programs that run in the session. */
  env: Record<string, string>;
  bus: Bus;
  home: string;
  stop(): Promise<void>;
}

/** A message bus that starts no services of its own accord. */
export async function startSession(): Promise<Session> {
  const home = freshFolder();
  for (const name of ['run', 'data', 'config', 'cache']) mkdirSync(join(home, name), { mode: 0o700 });
  const config = join(home, 'bus.conf');
  writeFileSync(
    config,
    `<busconfig><type>session</type><listen>unix:path=${home}/run/bus</listen><auth>EXTERNAL</auth>
    <policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy>
    </busconfig>`,
  );
  const env = { ...baseEnvironment(home), DBUS_SESSION_BUS_ADDRESS: `unix:path=${home}/run/bus` };
  const daemon = spawn('dbus-daemon', [`--config-file=${config}`, '--nofork', '--print-address'], {
    env,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  await once(createInterface({ input: daemon.stdout }), 'line');
  const bus = await connectBus(join(home, 'run', 'bus'), process.getuid?.() ?? 0);
  return {
    env,
    bus,
    home,
    async stop() {
      bus.close();
      await end(daemon);
      rmSync(home, { recursive: true, force: true });
    },
  };
}

/** An environment with a home of its own and no session bus. */
export function baseEnvironment(home: string): Record<string, string> {
  return {
    PATH: process.env['PATH'] ?? '',
    HOME: home,
    XDG_RUNTIME_DIR: join(home, 'run'),
    XDG_DATA_HOME: join(home, 'data'),
    XDG_CONFIG_HOME: join(home, 'config'),
    XDG_CACHE_HOME: cache,
    LC_ALL: 'C',
  };
}

/** A real keyring daemon in the session: opened with the password, or, without one, closed as after a restart. */
export async function startKeyring(session: Session, password: string | null): Promise<{ stop(): Promise<void> }> {
  const flags = ['--foreground', '--components=secrets', `--control-directory=${session.home}/run`];
  const daemon = spawn('gnome-keyring-daemon', password === null ? flags : [...flags, '--unlock'], {
    env: session.env,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  daemon.stdin.end(password ?? '');
  await until(async () => {
    const reply = await session.bus.call({
      destination: 'org.freedesktop.DBus',
      path: '/org/freedesktop/DBus',
      interface: 'org.freedesktop.DBus',
      member: 'NameHasOwner',
      arguments: [['s', 'org.freedesktop.secrets']],
    });
    return 'value' in reply && reply.value === true;
  });
  return { stop: () => end(daemon) };
}

/** Owns the secret service's name on the bus and never answers anybody. */
export async function startSilentService(session: Session): Promise<void> {
  const reply = await session.bus.call({
    destination: 'org.freedesktop.DBus',
    path: '/org/freedesktop/DBus',
    interface: 'org.freedesktop.DBus',
    member: 'RequestName',
    arguments: [
      ['s', 'org.freedesktop.secrets'],
      ['u', 0],
    ],
  });
  if (!('value' in reply) || reply.value !== 1)
    throw new Error(`the bus did not give the name away: ${JSON.stringify(reply)}`);
}

/** The daemon says nowhere that it is ready, so it is asked until it is. */
async function until(ready: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 500; tries += 1) {
    if (await ready()) return;
    await pause(10);
  }
  throw new Error('the keyring daemon did not start within 5 s');
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGTERM');
  const late = setTimeout(() => child.kill('SIGKILL'), 2000);
  await gone;
  clearTimeout(late);
}
