/**
 * Asks the freedesktop secret service whether there is a keyring and whether it is unlocked. Asked directly, because the keychain library does not report it: for
 * a locked keyring it returns "nothing stored", or crashes when it lists secrets.
 */
import { existsSync } from 'node:fs';
import { type Bus, connectBus, type BusReply } from './dbus.ts';

/** `unknown`: it could not be asked this way; the keychain library may still work. */
export type ServiceState = 'open' | 'locked' | 'no_bus' | 'no_service' | 'no_keyring' | 'unknown';

const SERVICE = 'org.freedesktop.secrets';

/** The state of the default collection, which contains every secret of this program. The caller sets a time limit. */
export async function secretServiceState(
  env: Readonly<Record<string, string | undefined>>,
  uid: number,
): Promise<ServiceState> {
  const socketPath = busSocket(env);
  if (socketPath === 'unknown' || socketPath === 'no_bus') return socketPath;
  let bus: Bus;
  try {
    bus = await connectBus(socketPath, uid);
  } catch {
    return 'no_bus';
  }
  try {
    return await ask(bus);
  } catch {
    return 'no_bus';
  } finally {
    bus.close();
  }
}

async function ask(bus: Bus): Promise<ServiceState> {
  const alias = await bus.call({
    destination: SERVICE,
    path: '/org/freedesktop/secrets',
    interface: 'org.freedesktop.Secret.Service',
    member: 'ReadAlias',
    arguments: [['s', 'default']],
  });
  if ('error' in alias) return withoutService(alias);
  if (typeof alias.value !== 'string') return 'unknown';
  if (alias.value === '/') return 'no_keyring';
  const locked = await bus.call({
    destination: SERVICE,
    path: alias.value,
    interface: 'org.freedesktop.DBus.Properties',
    member: 'Get',
    arguments: [
      ['s', 'org.freedesktop.Secret.Collection'],
      ['s', 'Locked'],
    ],
  });
  if ('error' in locked) return 'unknown';
  return locked.value === true ? 'locked' : 'open';
}

/** The state when the call failed: no service runs or can be started under this name, or the service does not know the method. */
function withoutService(reply: BusReply & { error: string }): ServiceState {
  return /ServiceUnknown|NameHasNoOwner|Spawn\.|NoReply|TimedOut/.test(reply.error) ? 'no_service' : 'unknown';
}

/** The session bus as libdbus finds it: the address in the environment, else the socket in the runtime folder. */
function busSocket(env: Readonly<Record<string, string | undefined>>): string {
  const address = env['DBUS_SESSION_BUS_ADDRESS'];
  if (address !== undefined && address !== '') {
    const paths = address.split(';').map(socketOf);
    return paths.find((path) => path !== null) ?? 'unknown';
  }
  const runtime = env['XDG_RUNTIME_DIR'];
  if (runtime !== undefined && existsSync(`${runtime}/bus`)) return `${runtime}/bus`;
  // On a desktop, a bus may still be started on demand.
  return env['DISPLAY'] === undefined ? 'no_bus' : 'unknown';
}

/** `unix:path=/run/user/0/bus,guid=…` or `unix:abstract=…`; values are percent-escaped. */
function socketOf(address: string): string | null {
  if (!address.startsWith('unix:')) return null;
  for (const pair of address.slice('unix:'.length).split(',')) {
    const [key, value = ''] = pair.split('=');
    try {
      if (key === 'path') return decodeURIComponent(value);
      if (key === 'abstract') return `\0${decodeURIComponent(value)}`;
    } catch {
      return null;
    }
  }
  return null;
}
