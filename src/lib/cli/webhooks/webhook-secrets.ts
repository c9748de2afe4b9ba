/**
 * The webhook secrets stored on this machine: in the vault, under `<account>/webhook/<endpoint id>`. A list in the state folder, without
 * secrets, names the endpoints that have one, so that a signature made with the secret of a different endpoint can be explained.
 */
import { join } from 'node:path';
import type { VaultKind } from '../../auth/credentials/client-identity.ts';
import { isRecord } from '../../contract/json.ts';
import { withLock } from '../../files/lock.ts';
import { readPrivate, writePrivate, makePrivateFolder } from '../../files/private-files.ts';
import type { Context } from '../context.ts';
import type { Session } from '../session.ts';

/** Used instead of an endpoint id for the secret of the last started listener, whose endpoint may have been removed. */
const LAST = 'last';
/** At most this many endpoints are searched for the secret that explains a mismatch. */
const MOST = 50;

interface ListedSecret {
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

/** Keeps the listener's secret after its endpoint is removed, so that its deliveries can still be replayed. @throws Failure of the vault */
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
 * Every other stored secret that can be read without a prompt, to explain a signature mismatch. Never throws.
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
    vault.prefetch(known.map(vaultKey));
    for (const one of known) {
      const mine = own !== null && own.account === one.account && own.environment === one.environment;
      if (mine && one.id === except) continue;
      // A vault that fails is not read again: each read may take its whole time limit.
      const secret = await vault.get(vaultKey(one)).catch(() => undefined);
      if (secret === undefined) break;
      if (secret === null) continue;
      session.hide(secret);
      found[mine ? 'endpoint' : 'environment'].push(secret);
    }
  }
  return found;
}

function vaultKey({ account, id }: ListedSecret): string {
  return `${account}/webhook/${id}`;
}

async function changeList(context: Context, change: (list: ListedSecret[]) => ListedSecret[]): Promise<void> {
  const file = listFile(context);
  makePrivateFolder(context.paths.state);
  await withLock(`${file}.lock`, { patienceMs: 5000 }, async () => {
    writePrivate(file, `${JSON.stringify(change(readList(context)), undefined, 2)}\n`);
  });
}

function listFile(context: Context): string {
  return join(context.paths.state, 'webhook-endpoints.json');
}

/** A damaged list is treated as empty: it is only used for explanations. */
function readList(context: Context): ListedSecret[] {
  try {
    const list: unknown = JSON.parse(readPrivate(listFile(context)) ?? '[]');
    return Array.isArray(list) ? list.filter(isListedSecret) : [];
  } catch {
    return [];
  }
}

function isListedSecret(value: unknown): value is ListedSecret {
  return (
    isRecord(value) &&
    ['account', 'environment', 'id'].every((name) => typeof value[name] === 'string') &&
    ['os', 'file', 'local'].includes(String(value['vault']))
  );
}
