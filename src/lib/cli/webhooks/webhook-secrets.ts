/**
 * The webhook secrets this machine knows. They rest in the vault under `<account>/webhook/<endpoint id>`; a list beside it, which
 * holds no secret, says for which endpoints there is one, so that a signature made with another one can be explained.
 */
import { join } from 'node:path';
import type { VaultKind } from '../../auth/credentials/client-identity.ts';
import { isRecord } from '../../contract/json.ts';
import { withLock } from '../../files/lock.ts';
import { readPrivate, writePrivate, makePrivateFolder } from '../../files/private-files.ts';
import type { Context } from '../context.ts';
import type { Session } from '../session.ts';

/** In place of an endpoint id: the secret of the listener that was started last, whose endpoint may be gone by now. */
const LAST = 'last';
/** More endpoints than this are not looked through for an explanation. */
const MOST = 50;

interface Known {
  account: string;
  environment: string;
  vault: VaultKind;
  id: string;
}

export interface OtherSecrets {
  environment: string[];
  endpoint: string[];
}

/** @throws Failure of the vault */
export async function keepSecret(context: Context, session: Session, id: string, secret: string): Promise<void> {
  session.hide(secret);
  const { account, environment, vault } = session.identity;
  await session.vault().set(`${account}/webhook/${id}`, secret);
  if (vault === 'memory') return;
  await changeList(context, (list) => [
    ...list.filter((known) => known.account !== account || known.id !== id),
    { account, environment: environment.value, vault, id },
  ]);
}

/** The listener's secret outlives its endpoint: what it received can still be replayed, signed as before. @throws Failure of the vault */
export function keepLastSecret(context: Context, session: Session, secret: string): Promise<void> {
  return keepSecret(context, session, LAST, secret);
}

/** @throws Failure of the vault */
export async function forgetSecret(context: Context, session: Session, id: string): Promise<void> {
  const { account } = session.identity;
  await session.vault().remove(`${account}/webhook/${id}`);
  await changeList(context, (list) => list.filter((known) => known.account !== account || known.id !== id));
}

/** The secret of an endpoint, or of the last listener; null when none is stored. @throws Failure of the vault */
export async function webhookSecret(session: Session, id: string = LAST): Promise<string | null> {
  const secret = await session.vault().get(`${session.identity.account}/webhook/${id}`);
  if (secret !== null) session.hide(secret);
  return secret;
}

/**
 * Every other secret that can be had without asking anybody, to explain a mismatch with. Never fails.
 * @param own whose endpoints count as "the same environment"; null when nobody is signed in
 * @param except the endpoint in question
 */
export async function otherSecrets(
  context: Context,
  session: Session,
  own: { account: string; environment: string } | null,
  except: string | null,
): Promise<OtherSecrets> {
  const found: OtherSecrets = { environment: [], endpoint: [] };
  const list = readList(context).slice(-MOST);
  const wanted = list.filter(({ vault }) => vault !== 'file' || Boolean(context.env['CREDICORP_STORE_PASSPHRASE']));
  for (const kind of new Set(wanted.map(({ vault }) => vault))) {
    const vault = session.vaultOfKind(kind);
    const known = wanted.filter((one) => one.vault === kind);
    vault.prefetch(known.map(placeOf));
    for (const one of known) {
      const mine = own !== null && own.account === one.account && own.environment === one.environment;
      if (mine && one.id === except) continue;
      // A vault that cannot be reached is not asked again: each answer may cost its whole limit.
      const secret = await vault.get(placeOf(one)).catch(() => undefined);
      if (secret === undefined) break;
      if (secret === null) continue;
      session.hide(secret);
      found[mine ? 'endpoint' : 'environment'].push(secret);
    }
  }
  return found;
}

function placeOf({ account, id }: Known): string {
  return `${account}/webhook/${id}`;
}

async function changeList(context: Context, change: (list: Known[]) => Known[]): Promise<void> {
  const file = listFile(context);
  makePrivateFolder(context.paths.state);
  await withLock(`${file}.lock`, { patienceMs: 5000 }, async () => {
    writePrivate(file, `${JSON.stringify(change(readList(context)), undefined, 2)}\n`);
  });
}

function listFile(context: Context): string {
  return join(context.paths.state, 'webhook-endpoints.json');
}

/** A damaged list is an empty one: it only helps to explain. */
function readList(context: Context): Known[] {
  try {
    const list: unknown = JSON.parse(readPrivate(listFile(context)) ?? '[]');
    return Array.isArray(list) ? list.filter(isKnown) : [];
  } catch {
    return [];
  }
}

function isKnown(value: unknown): value is Known {
  return (
    isRecord(value) &&
    ['account', 'environment', 'id'].every((name) => typeof value[name] === 'string') &&
    ['os', 'file', 'local'].includes(String(value['vault']))
  );
}
