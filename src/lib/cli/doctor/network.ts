/** What `doctor` looks at on the way to the API: proxy variables, DNS, TLS, the host, its clock, a token, its keys. */
import { lookup } from 'node:dns/promises';
import type { Identity } from '../../auth/identity.ts';
import { mint, type Minted } from '../../auth/mint.ts';
import { isLoopback } from '../../contract/environments.ts';
import type { HttpAnswer, Send } from '../../contract/exchange.ts';
import { Failure } from '../../failure.ts';
import type { Context } from '../context.ts';
import { proveByRead, serverNow } from '../sign-in/proof.ts';
import type { Session } from '../session.ts';
import { broken, type Check, looked, ok, skipped, warning } from './check.ts';

const LIMIT_MS = 10_000;
/** Signatures and tokens are judged by time (webhooks.md#signature-scheme allows 300 s). */
const SKEW_TOLD_S = 30;
const SKEW_BROKEN_S = 300;

export async function networkChecks(context: Context, session: Session): Promise<Check[]> {
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
  const dns = await looked('dns', () => dnsCheck(url, proxied));
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
  const token = await looked('token', async () => {
    const [check, found] = await tokenCheck(context, session, send);
    minted = found;
    return check;
  });
  const keys = await looked('keys', () => keysCheck(context, session, send, minted));
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
  const detail = `https goes through ${new URL(proxy).host}${none ? `, except ${none}` : ''}; this machine never`;
  if (differ) return warning('proxy', `${detail}; https_proxy differs`, 'HTTPS_PROXY counts; unset the other');
  return ok('proxy', detail);
}

async function dnsCheck({ hostname }: URL, proxied: boolean): Promise<Check> {
  if (proxied) return skipped('dns', 'the proxy looks names up');
  if (isLoopback(hostname)) return ok('dns', `${hostname} is this machine`);
  const found = await Promise.race([
    lookup(hostname, { all: true }).then(
      (addresses) => addresses.map(({ address }) => address),
      (error: NodeJS.ErrnoException) => error.code ?? error.message,
    ),
    later(LIMIT_MS),
  ]);
  if (Array.isArray(found)) return ok('dns', `${hostname} is ${found.slice(0, 4).join(', ')}`);
  return broken(
    'dns',
    `${hostname} could not be looked up (${found})`,
    'check the network and its name server, and the host: credicorp whoami',
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
    const answer = await send({ method: 'GET', url: base.value + path, headers: {}, timeoutMs: LIMIT_MS });
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
      return [broken('tls', error.message, next), skipped('host', 'no TLS, no call'), null];
    return [secure ? skipped('tls', 'no connection') : plain, broken('host', error.message, next), null];
  }
}

function clockCheck({ headers }: HttpAnswer, now: number): Check {
  const server = Date.parse(headers['date'] ?? '');
  if (Number.isNaN(server)) return skipped('clock', 'the host does not say what time it is');
  const skew = Math.round((now - server) / 1000);
  const words = `this machine's clock is ${Math.abs(skew)} s ${skew > 0 ? 'ahead of' : 'behind'} the server's`;
  if (Math.abs(skew) <= SKEW_TOLD_S) return ok('clock', `within ${SKEW_TOLD_S} s of the server's`);
  const line = Math.abs(skew) >= SKEW_BROKEN_S ? broken : warning;
  return line('clock', words, 'set the clock (timedatectl set-ntp true), or signatures and tokens look stale');
}

async function tokenCheck(context: Context, session: Session, send: Send): Promise<[Check, Minted | null]> {
  const { identity } = session;
  if (identity.mode !== 'oauth') {
    const path = identity.provider.probePath;
    if (path === null) return [skipped('token', 'nothing is known to prove this credential by'), null];
    await proveByRead(session, path);
    return [ok('token', 'the API takes the credential'), null];
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
  return [ok('token', `minted at ${minted.tokenUrl}, lives ${seconds} s`), minted];
}

async function keysCheck(context: Context, session: Session, send: Send, minted: Minted | null): Promise<Check> {
  const { identity } = session;
  if (identity.provider.token?.jwksPath === undefined || identity.provider.token.jwksPath === null)
    return skipped('keys', `${identity.provider.title} publishes none`);
  if (minted === null) return skipped('keys', 'there is no token to verify');
  const { tokenVerifier } = await import('../../auth/verify.ts');
  const now = await serverNow(session, context.now());
  const verdict = await tokenVerifier({ identity, send, now, notice: () => undefined }).verify(minted.token);
  if (verdict.valid) return ok('keys', `the token verifies against ${verdict.keysFrom}`);
  return broken(
    'keys',
    `the token does not verify against ${verdict.keysFrom}: ${verdict.detail}`,
    'look at it with credicorp token show; is the base the right one? credicorp whoami',
  );
}
