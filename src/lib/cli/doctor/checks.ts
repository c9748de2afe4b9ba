/** What `doctor` checks: this machine first (Node, configuration, write permissions, store, keychain, ports), then the way to the API. */
import { lookup } from 'node:dns/promises';
import { readFile, rm, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import type { Identity, VaultKind } from '../../auth/credentials/client-identity.ts';
import { findPin } from '../../auth/credentials/directory-pin.ts';
import { configPath, findProfile, readConfig } from '../../auth/credentials/profiles.ts';
import { mint, type Minted } from '../../auth/token/mint.ts';
import { isLoopback } from '../../contract/environments.ts';
import type { HttpAnswer, Send } from '../../contract/exchange.ts';
import { Failure } from '../../failure.ts';
import { writePrivate } from '../../files/private-files.ts';
import type { Context } from '../context.ts';
import { runningSandbox } from '../sandbox/running-sandbox.ts';
import type { Session } from '../session.ts';
import { proveByRead, serverNow } from '../sign-in/proof.ts';

/** `warning`: works, but something is worth knowing. `skipped`: nothing to look at here. */
type CheckState = 'ok' | 'warning' | 'broken' | 'skipped';

export interface Check {
  name: string;
  state: CheckState;
  detail: string;
  /** What to do; null where nothing is to be done. */
  next: string | null;
}

const ok = (name: string, detail: string): Check => ({ name, state: 'ok', detail, next: null });
const skipped = (name: string, detail: string): Check => ({ name, state: 'skipped', detail, next: null });
const warning = (name: string, detail: string, next: string): Check => ({
  name,
  state: 'warning',
  detail,
  next,
});
const broken = (name: string, detail: string, next: string): Check => ({ name, state: 'broken', detail, next });

/** Every check, in the order they are shown. @throws whatever is a bug */
export async function runChecks(context: Context, session: Session): Promise<Check[]> {
  return [...(await machineChecks(context, session)), ...(await networkChecks(context, session))];
}

/** Runs one check; a failure becomes its line. What is no `Failure` is a bug and is thrown on. */
async function checked(name: string, check: () => Check | Promise<Check>): Promise<Check> {
  try {
    return await check();
  } catch (error) {
    if (!(error instanceof Failure) || error.kind === 'interrupted') throw error;
    return broken(name, error.message, error.facts.next ?? 'run the command again with --debug');
  }
}

async function machineChecks(context: Context, session: Session): Promise<Check[]> {
  return [
    await checked('node', () => nodeCheck(context)),
    await checked('config', () => configCheck(context)),
    await checked('write rights', () => writeCheck(context)),
    await checked('store', () => storeCheck(context, session)),
    await checked('keychain', () => keychainCheck(context, session)),
    await checked('ports', () => portCheck(context)),
  ];
}

async function nodeCheck({ root, nodeVersion, program }: Context): Promise<Check> {
  const manifest = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { engines?: { node?: string } };
  // A version outside this range was turned away before anything else ran.
  return ok('node', `${nodeVersion} (${program[0]}); supported: ${manifest.engines?.node ?? 'any'}`);
}

async function configCheck({ paths, cwd, home, platform }: Context): Promise<Check> {
  const { active, profiles } = readConfig(paths.config);
  const pin = findPin(cwd, home, { state: paths.state });
  const path = configPath(paths.config);
  const count = `${profiles.length} ${profiles.length === 1 ? 'profile' : 'profiles'}`;
  const detail = `${path}: ${count}, active: ${active ?? 'none'}${pin === null ? '' : `; pinned by ${pin.path}`}`;
  if (active !== null && findProfile({ active, profiles }, active) === null)
    return broken('config', `${detail}, which does not exist`, 'choose another: credicorp profiles use NAME');
  const found = await stat(path).catch(() => null);
  if (found !== null && platform !== 'win32' && (found.mode & 0o077) !== 0)
    return warning('config', `${detail}; other users can read it`, `chmod 600 ${path}`);
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
  return ok('write rights', `${paths.config} and ${paths.state} are writable`);
}

function storeCheck({ paths }: Context, session: Session): Check {
  const path = join(paths.state, 'store.db');
  const { db, setAside } = session.store();
  if (setAside !== null) {
    return warning(
      'store',
      `it was damaged and was replaced; the old one is ${setAside}`,
      'nothing to do; delete the old one when you like',
    );
  }
  const found = Object.values(db.prepare('PRAGMA quick_check(1)').get() ?? {})[0];
  if (found === 'ok') return ok('store', `${path} is intact`);
  return broken('store', `${path} is damaged`, `move it away (mv ${path} ${path}.old); a new one is created`);
}

/** A round trip with a probe entry, in the place where this user's secrets go. */
async function keychainCheck({ env, uuid }: Context, session: Session): Promise<Check> {
  const { kind, needed } = vaultInUse(env['CREDICORP_KEYCHAIN'], session);
  if (kind === 'memory') return skipped('keychain', 'CREDICORP_KEYCHAIN=memory stores nothing');
  const vault = session.vaultOfKind(kind);
  const name = kind === 'os' ? 'the system keychain' : 'the encrypted file';
  const [account, value] = [`doctor/probe-${uuid()}`, uuid()];
  try {
    await vault.set(account, value);
    const found = await vault.get(account, { fresh: true });
    const removed = await vault.remove(account);
    if (found !== value || !removed)
      return broken('keychain', `${name} did not return the stored test entry`, 'unlock it, and try again');
    return ok('keychain', `${name} stores, returns and removes a test entry`);
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
      'a container or firewall may forbid it; webhooks listen and sandbox start need a port',
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

const TIMEOUT_MS = 10_000;
/** Signatures and tokens are judged by time (webhooks.md#signature-scheme allows 300 s). */
const SKEW_WARNING_S = 30;
const SKEW_BROKEN_S = 300;

async function networkChecks(context: Context, session: Session): Promise<Check[]> {
  const proxy = proxyCheck(context);
  let identity: Identity;
  try {
    ({ identity } = session);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    const line = error.facts.code === 'not_signed_in' ? warning : broken;
    return [proxy, line('identity', error.message, error.facts.next ?? 'see credicorp whoami')];
  }
  const url = new URL(identity.base.value);
  const proxied = url.protocol === 'https:' && proxyOf(context) !== null;
  const { send } = await session.transport();
  const who = ok(
    'identity',
    `${identity.profile?.value ?? 'variables'} on ${identity.environment.value}, ${url.origin}`,
  );
  const dns = await checked('dns', () => dnsCheck(url, proxied));
  const [tls, reach, answer] = await reachChecks(url, identity, send, context.ticks);
  if (answer === null)
    return [
      proxy,
      who,
      dns,
      tls,
      reach,
      ...['clock', 'token', 'keys'].map((name) => skipped(name, 'the host was not reached')),
    ];
  const clock = clockCheck(answer, context.now());
  let minted: Minted | null = null;
  const token = await checked('token', async () => {
    const [check, found] = await tokenCheck(context, session, send);
    minted = found;
    return check;
  });
  const keys = await checked('keys', () => keysCheck(context, session, send, minted));
  return [proxy, who, dns, tls, reach, clock, token, keys];
}

function proxyOf({ env }: Context): string | null {
  return env['HTTPS_PROXY'] || env['https_proxy'] || null;
}

/** Only hosts are shown: a proxy's address may carry a password. */
function proxyCheck(context: Context): Check {
  const { env } = context;
  const proxy = proxyOf(context);
  const none = env['NO_PROXY'] || env['no_proxy'];
  const ignored = ['HTTP_PROXY', 'http_proxy', 'ALL_PROXY', 'all_proxy'].filter((name) => env[name]);
  if (proxy === null) {
    if (ignored.length === 0) return ok('proxy', 'no proxy variables are set');
    return warning('proxy', `${ignored.join(', ')} is not used`, 'calls to the API are https: set HTTPS_PROXY');
  }
  if (!URL.canParse(proxy))
    return broken('proxy', 'HTTPS_PROXY is not a URL', 'write HTTPS_PROXY=http://proxy.example:8080');
  const differ = env['HTTPS_PROXY'] && env['https_proxy'] && env['HTTPS_PROXY'] !== env['https_proxy'];
  const detail = `https goes through ${new URL(proxy).host}${none ? `, except ${none}` : ''}; loopback is never proxied`;
  if (differ) return warning('proxy', `${detail}; https_proxy differs`, 'HTTPS_PROXY is used; unset the other');
  return ok('proxy', detail);
}

async function dnsCheck({ hostname }: URL, proxied: boolean): Promise<Check> {
  if (proxied) return skipped('dns', 'the proxy resolves names');
  if (isLoopback(hostname)) return ok('dns', `${hostname} is this machine`);
  const found = await Promise.race([
    lookup(hostname, { all: true }).then(
      (addresses) => addresses.map(({ address }) => address),
      (error: NodeJS.ErrnoException) => error.code ?? error.message,
    ),
    later(TIMEOUT_MS),
  ]);
  if (Array.isArray(found)) return ok('dns', `${hostname} is ${found.slice(0, 4).join(', ')}`);
  return broken(
    'dns',
    `${hostname} could not be resolved (${found})`,
    'check the network, its name server and the host name: credicorp whoami',
  );
}

function later(ms: number): Promise<string> {
  return new Promise((resolve) => setTimeout(() => resolve(`no answer in ${ms / 1000} s`), ms).unref());
}

/** One harmless request tells about TLS, the host and its clock. */
async function reachChecks(
  url: URL,
  { base, provider }: Identity,
  send: Send,
  ticks: () => number,
): Promise<[Check, Check, HttpAnswer | null]> {
  const secure = url.protocol === 'https:';
  const path = provider.name === 'credicorp' ? '/public/v1/healthz' : '/';
  const plain = skipped('tls', 'plain http, on this machine only');
  try {
    const began = ticks();
    const answer = await send({ method: 'GET', url: base.value + path, headers: {}, timeoutMs: TIMEOUT_MS });
    const took = Math.round(ticks() - began);
    const reach =
      answer.status < 500
        ? ok('host', `${url.host} answered ${answer.status} in ${took} ms`)
        : warning('host', `${url.host} answered ${answer.status}`, 'the platform may be down: credicorp status');
    return [secure ? ok('tls', `the certificate of ${url.hostname} is trusted`) : plain, reach, answer];
  } catch (error) {
    if (!(error instanceof Failure) || error.kind === 'interrupted') throw error;
    const next = error.facts.next ?? 'check the network';
    if (error.facts.code === 'tls')
      return [broken('tls', error.message, next), skipped('host', 'not called: TLS failed'), null];
    return [secure ? skipped('tls', 'no connection') : plain, broken('host', error.message, next), null];
  }
}

function clockCheck({ headers }: HttpAnswer, now: number): Check {
  const server = Date.parse(headers['date'] ?? '');
  if (Number.isNaN(server)) return skipped('clock', 'the host sends no Date header');
  const skew = Math.round((now - server) / 1000);
  const words = `this machine's clock is ${Math.abs(skew)} s ${skew > 0 ? 'ahead of' : 'behind'} the server's`;
  if (Math.abs(skew) <= SKEW_WARNING_S) return ok('clock', `within ${SKEW_WARNING_S} s of the server's`);
  const line = Math.abs(skew) >= SKEW_BROKEN_S ? broken : warning;
  return line('clock', words, 'set the clock (timedatectl set-ntp true): signatures and tokens are checked by time');
}

async function tokenCheck(context: Context, session: Session, send: Send): Promise<[Check, Minted | null]> {
  const { identity } = session;
  if (identity.mode !== 'oauth') {
    const path = identity.provider.probePath;
    if (path === null) return [skipped('token', 'this provider has no call to check a credential with'), null];
    await proveByRead(session, path);
    return [ok('token', 'the API accepts the credential'), null];
  }
  const secret = await session.secret();
  const minted = await mint({
    identity,
    secret,
    send,
    now: context.now,
    notice: () => undefined,
    signal: context.signal,
  });
  session.hide(minted.token);
  const seconds = Math.round((minted.expiresAt - context.now()) / 1000);
  return [ok('token', `minted at ${minted.tokenUrl}, expires in ${seconds} s`), minted];
}

async function keysCheck(context: Context, session: Session, send: Send, minted: Minted | null): Promise<Check> {
  const { identity } = session;
  if (identity.provider.token?.jwksPath === undefined || identity.provider.token.jwksPath === null)
    return skipped('keys', `${identity.provider.title} publishes no keys`);
  if (minted === null) return skipped('keys', 'no token to verify');
  const { tokenVerifier } = await import('../../auth/token/verify-token.ts');
  const now = await serverNow(session, context.now());
  const verdict = await tokenVerifier({ identity, send, now, notice: () => undefined }).verify(minted.token);
  if (verdict.valid) return ok('keys', `the token verifies against ${verdict.keysFrom}`);
  return broken(
    'keys',
    `the token does not verify against ${verdict.keysFrom}: ${verdict.detail}`,
    'see the token with credicorp token show and the API base with credicorp whoami',
  );
}
