/** What `doctor` looks at on this machine: Node, configuration, write rights, store, keychain, ports. */
import { readFile, rm, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import type { VaultKind } from '../../auth/identity.ts';
import { findPin } from '../../auth/pin.ts';
import { writePrivate } from '../../files/atomic-write.ts';
import { configPath, findProfile, readConfig } from '../../auth/profiles.ts';
import { Failure } from '../../failure.ts';
import type { Context } from '../context.ts';
import { runningSandbox } from '../sandbox/running.ts';
import type { Session } from '../session.ts';
import { broken, type Check, looked, ok, skipped, warning } from './check.ts';

export async function machineChecks(context: Context, session: Session): Promise<Check[]> {
  return [
    await looked('node', () => nodeCheck(context)),
    await looked('config', () => configCheck(context)),
    await looked('write rights', () => writeCheck(context)),
    await looked('store', () => storeCheck(context, session)),
    await looked('keychain', () => keychainCheck(context, session)),
    await looked('ports', () => portCheck(context)),
  ];
}

async function nodeCheck({ root, nodeVersion, program }: Context): Promise<Check> {
  const manifest = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { engines?: { node?: string } };
  // A version outside this range was turned away before anything else ran.
  return ok('node', `${nodeVersion} (${program[0]}); supported: ${manifest.engines?.node ?? 'any'}`);
}

async function configCheck({ paths, cwd, home, platform }: Context): Promise<Check> {
  const { active, profiles } = readConfig(paths.config);
  const pin = findPin(cwd, home);
  const path = configPath(paths.config);
  const count = `${profiles.length} ${profiles.length === 1 ? 'profile' : 'profiles'}`;
  const detail = `${path}: ${count}, active: ${active ?? 'none'}${pin === null ? '' : `; pinned by ${pin.path}`}`;
  if (active !== null && findProfile({ active, profiles }, active) === null)
    return broken('config', `${detail}, which does not exist`, 'choose one: credicorp profiles use NAME');
  const found = await stat(path).catch(() => null);
  if (found !== null && platform !== 'win32' && (found.mode & 0o077) !== 0)
    return warning('config', `${detail}; others may read it`, `chmod 600 ${path}`);
  return ok('config', detail);
}

async function writeCheck({ paths, uuid }: Context): Promise<Check> {
  for (const folder of new Set([paths.config, paths.state])) {
    const probe = join(folder, `probe-${uuid()}`);
    try {
      writePrivate(probe, 'probe\n');
    } finally {
      await rm(probe, { force: true }).catch(() => undefined);
    }
  }
  return ok('write rights', `${paths.config} and ${paths.state} can be written`);
}

function storeCheck({ paths }: Context, session: Session): Check {
  const path = join(paths.state, 'store.db');
  const { db, setAside } = session.store();
  if (setAside !== null) {
    return warning(
      'store',
      `it was damaged and a new one begun; the old one is ${setAside}`,
      'nothing; remove the old one when you like',
    );
  }
  const found = Object.values(db.prepare('PRAGMA quick_check(1)').get() ?? {})[0];
  if (found === 'ok') return ok('store', `${path} is sound`);
  return broken('store', `${path} is damaged`, `move it away (mv ${path} ${path}.old); a new one is made`);
}

/** A round trip with a probe entry, in the place where this user's secrets go. */
async function keychainCheck({ env, uuid }: Context, session: Session): Promise<Check> {
  const { kind, needed } = vaultInUse(env['CREDICORP_KEYCHAIN'], session);
  if (kind === 'memory') return skipped('keychain', 'CREDICORP_KEYCHAIN=memory keeps nothing');
  const vault = session.vaultOfKind(kind);
  const name = kind === 'os' ? 'the keychain of this system' : 'the encrypted file';
  const [account, value] = [`doctor/probe-${uuid()}`, uuid()];
  try {
    await vault.set(account, value);
    const found = await vault.get(account, { fresh: true });
    const removed = await vault.remove(account);
    if (found !== value || !removed)
      return broken('keychain', `${name} did not give back what was put in`, 'unlock it, and try again');
    return ok('keychain', `${name} takes, gives and forgets a probe entry`);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    await vault.remove(account).catch(() => undefined);
    const line = needed ? broken : warning;
    const detail = needed ? error.message : `${error.message}; the profile in use does not need one`;
    return line('keychain', detail, error.facts.next ?? 'unlock it, and try again');
  }
}

function vaultInUse(variable: string | undefined, session: Session): { kind: VaultKind; needed: boolean } {
  const own = ownVault(session);
  if (variable === 'memory' || variable === 'file') return { kind: variable, needed: own === variable };
  return own === 'file' ? { kind: 'file', needed: true } : { kind: 'os', needed: own === 'os' };
}

/** null where nobody is signed in: that is another line's business. */
function ownVault(session: Session): VaultKind | null {
  try {
    const { secret, vault } = session.identity;
    return secret.where === 'vault' ? secret.store : vault;
  } catch (error) {
    if (error instanceof Failure) return null;
    throw error;
  }
}

const SANDBOX_PORT = 4010;

async function portCheck(context: Context): Promise<Check> {
  const any = await listens(0);
  if (any !== null) {
    return broken(
      'ports',
      `no port of this machine can be opened (${any})`,
      'a sandbox or firewall forbids it; webhooks listen and sandbox start need one',
    );
  }
  const taken = await listens(SANDBOX_PORT);
  if (taken === null) return ok('ports', `loopback ports can be opened; ${SANDBOX_PORT} is free`);
  const running = await runningSandbox(context);
  if (running?.base_url.endsWith(`:${SANDBOX_PORT}`) === true)
    return ok('ports', `loopback ports can be opened; ${SANDBOX_PORT} is the running sandbox's`);
  return warning(
    'ports',
    `port ${SANDBOX_PORT} is taken by another program (${taken})`,
    'start the sandbox on another: credicorp sandbox start --port 0',
  );
}

/** Opens a loopback port for a moment. @returns null when it went well, else the system's code */
function listens(port: number): Promise<string | null> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    server.listen({ port, host: '127.0.0.1' }, () => server.close(() => resolve(null)));
  });
}
