/**
 * The listener's own secret, with which it signs what an app gets: one for each profile, made once, kept in the profile's vault, the same
 * in every run. A file beside it, which holds no secret, says until when the one before a rotation signs as well, and which file
 * `webhooks secret --dotenv` wrote last.
 */
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { isRecord } from '../../contract/json.ts';
import { liveSecrets, type SigningSecrets } from '../../contract/signature.ts';
import { Failure, usage } from '../../failure.ts';
import { withLock } from '../../files/lock.ts';
import { makePrivateFolder, readPrivate, writePrivate } from '../../files/private-files.ts';
import type { AppRefusal } from '../../webhooks/forward/forwarder.ts';
import type { Context } from '../context.ts';
import { vaultWords } from '../output/credential-sources.ts';
import type { Session } from '../session.ts';
import { variableIn } from './env-file.ts';
import { keepSecret, webhookSecret } from './webhook-secrets.ts';

/** In place of an endpoint id. */
const OWN = 'listener';
const PREVIOUS = 'listener-previous';
/** The secret before a rotation signs for this long as well (webhooks.md#secret-rotation). */
const OVERLAP_MS = 24 * 3_600_000;
const SHORTEST = 16;

/** What signs, and where it comes from, in words. */
export interface ListenerSigning extends SigningSecrets {
  place: string;
  /** `stored`: the profile's own. `given`: named at the start. `run`: of this run only, because it cannot be stored. */
  kind: 'stored' | 'given' | 'run';
}

/** The stored secret of this profile; null when there is none yet. @throws Failure of the vault */
export async function storedListenerSecret(context: Context, session: Session): Promise<SigningSecrets | null> {
  const current = await webhookSecret(session, OWN);
  if (current === null) return null;
  const until = factsOf(context, session).previous_until ?? 0;
  const previous = until > context.now() ? await webhookSecret(session, PREVIOUS) : null;
  return { current, previous: previous === null ? null : { secret: previous, until } };
}

/** The profile's own secret, made if there is none. @throws Failure when the vault cannot be read */
export async function listenerSecret(context: Context, session: Session): Promise<ListenerSigning> {
  const { vault } = session.identity;
  const place = vaultWords(vault, context.paths.config);
  try {
    const stored = await storedListenerSecret(context, session);
    if (stored !== null) return { ...stored, place, kind: 'stored' };
  } catch (error) {
    throw unreadable(error);
  }
  if (vault === 'memory') {
    const why = 'of this run only, because nothing is kept for this credential';
    return { ...newSecret(context), place: why, kind: 'run' };
  }
  return makeOnce(context, session, place);
}

/** Two listeners that start at the same time must not make two. */
function makeOnce(context: Context, session: Session, place: string): Promise<ListenerSigning> {
  return locked(context, async () => {
    const made = newSecret(context);
    const there = await session.vault().get(`${session.identity.account}/webhook/${OWN}`, { fresh: true });
    if (there !== null) return { current: there, previous: null, place, kind: 'stored' };
    session.hide(made.current);
    try {
      await keepSecret(context, session, OWN, made.current);
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      return { ...made, place: `of this run only, because it could not be stored: ${error.message}`, kind: 'run' };
    }
    return { ...made, place, kind: 'stored' };
  });
}

/** Makes a new one; the old one signs as well for 24 h. @throws Failure of the vault */
export function rotateListenerSecret(context: Context, session: Session): Promise<SigningSecrets> {
  return locked(context, async () => {
    const before = await webhookSecret(session, OWN);
    const made = newSecret(context);
    session.hide(made.current);
    const until = context.now() + OVERLAP_MS;
    if (before !== null) await keepSecret(context, session, PREVIOUS, before);
    await keepSecret(context, session, OWN, made.current);
    changeFacts(context, session, { previous_until: until });
    return { ...made, previous: before === null ? null : { secret: before, until } };
  });
}

/** Secrets named at the start of a listener. @throws Failure `usage` for one that anybody could guess */
export function givenListenerSecret(given: readonly string[], place: string, param: string): ListenerSigning {
  for (const secret of given) {
    if (secret.trim().length >= SHORTEST) continue;
    const what = secret.trim() === '' ? 'is empty' : `has ${secret.trim().length} characters`;
    throw usage(`the signing secret ${what}; ${SHORTEST} is the least that cannot be guessed`, {
      code: 'short_secret',
      param,
      next: 'leave it out: the listener has a secret of its own, which credicorp webhooks secret prints',
    });
  }
  const [current = '', previous, ...more] = given;
  if (more.length > 0) throw usage('more than two secrets cannot sign at once', { param });
  return {
    ...{ current, previous: previous === undefined ? null : { secret: previous, until: Infinity } },
    ...{ place, kind: 'given' },
  };
}

/** Reads the secret again when `webhooks secret --rotate` changed it. @returns ends it */
export function followRotation(context: Context, session: Session, signing: ListenerSigning): () => void {
  if (signing.kind !== 'stored') return () => undefined;
  let seen = changedAt(context);
  const timer = setInterval(() => {
    const changed = changedAt(context);
    if (changed === seen) return;
    seen = changed;
    void rereadSecret(context, session, signing);
  }, FOLLOW_MS);
  timer.unref();
  return () => clearInterval(timer);
}

const FOLLOW_MS = 1000;

/** Not the prefetched value, which is the old one. A vault that does not answer leaves the old one, which signs for another 24 h. */
async function rereadSecret(context: Context, session: Session, signing: ListenerSigning): Promise<void> {
  const { account } = session.identity;
  const read = (id: string): Promise<string | null> => session.vault().get(`${account}/webhook/${id}`, { fresh: true });
  try {
    const until = factsOf(context, session).previous_until ?? 0;
    const [current, previous] = [await read(OWN), await read(PREVIOUS)];
    if (current === null) return;
    for (const secret of [current, previous]) if (secret !== null) session.hide(secret);
    Object.assign(signing, { current, previous: previous === null ? null : { secret: previous, until } });
  } catch {
    // Asked again at the next change.
  }
}

/** Remembers which file the secret was written to, so that a refusal can be explained by it. */
export function rememberDotenv(
  context: Context,
  session: Session,
  dotenv: { file: string; name: string },
): Promise<void> {
  return locked(context, async () => changeFacts(context, session, { dotenv }));
}

/** What the listener knows about a refusal with 400, 401 or 403. @param signing null with `--original-signature` */
export function explainRefusal(
  context: Context,
  session: Session,
  signing: ListenerSigning | null,
  { target, ownSignature, ageSeconds }: AppRefusal,
): string {
  const age = ageSeconds === null ? '' : `, ${ageSeconds} s ago`;
  const next = `next: credicorp webhooks test --only signature --forward ${target}`;
  if (signing === null) {
    const old =
      (ageSeconds ?? 0) >= 300
        ? 'is too old for an app that keeps to 300 s; without that flag each attempt gets a new signature'
        : 'is passed on';
    return `the sender's own signature${age} (--original-signature) ${old}; ${next}`;
  }
  if (!ownSignature)
    return `passed on with the signature it came with, because it was not checked (--skip-verify); ${next}`;
  const written = otherDotenv(context, session, signing);
  return [
    `signed with the secret ${lastFour(signing.current)}${age}, ${signing.kind === 'run' ? signing.place : `from ${signing.place}`}`,
    ...(written === null
      ? []
      : [`${written.file} holds another secret: credicorp webhooks secret --dotenv ${written.file}`]),
    next,
  ].join('; ');
}

export function lastFour(secret: string): string {
  return `…${secret.slice(-4)}`;
}

/** The file written last by `--dotenv`, if it holds a secret that does not sign. */
function otherDotenv(context: Context, session: Session, signing: SigningSecrets): { file: string } | null {
  const { dotenv } = factsOf(context, session);
  if (dotenv === undefined) return null;
  try {
    const value = variableIn(readFileSync(dotenv.file, 'utf8'), dotenv.name);
    return value === null || liveSecrets(signing, context.now()).includes(value) ? null : { file: dotenv.file };
  } catch {
    return null;
  }
}

function newSecret(context: Context): SigningSecrets {
  return { current: `whsec_${context.secureBytes(24).toString('hex')}`, previous: null };
}

function unreadable(error: unknown): unknown {
  if (!(error instanceof Failure)) return error;
  const next = `${error.facts.next ?? 'unlock it'}; or give the signing secret in CC_WEBHOOK_SECRET or --secret-file`;
  return new Failure(
    error.kind,
    `the signing secret cannot be read: ${error.message}`,
    { ...error.facts, next },
    error,
  );
}

/** What is kept beside the secret; never a secret. */
interface Facts {
  previous_until?: number;
  dotenv?: { file: string; name: string };
}

function factsFile(context: Context): string {
  return join(context.paths.state, 'listener-secret.json');
}

function changedAt(context: Context): number {
  return statSync(factsFile(context), { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

function factsOf(context: Context, session: Session): Facts {
  const facts = allFacts(context)[session.identity.account];
  if (!isRecord(facts)) return {};
  const { previous_until: until, dotenv } = facts;
  return {
    ...(typeof until === 'number' ? { previous_until: until } : {}),
    ...(isRecord(dotenv) ? { dotenv: { file: String(dotenv['file']), name: String(dotenv['name']) } } : {}),
  };
}

/** A damaged file is an empty one: it only shortens a rotation's overlap. */
function allFacts(context: Context): Record<string, unknown> {
  try {
    const all: unknown = JSON.parse(readPrivate(factsFile(context)) ?? '{}');
    return isRecord(all) ? all : {};
  } catch {
    return {};
  }
}

function changeFacts(context: Context, session: Session, change: Facts): void {
  const { account } = session.identity;
  const all = { ...allFacts(context), [account]: { ...factsOf(context, session), ...change } };
  writePrivate(factsFile(context), `${JSON.stringify(all, undefined, 2)}\n`);
}

function locked<T>(context: Context, work: () => Promise<T>): Promise<T> {
  makePrivateFolder(context.paths.state);
  return withLock(`${factsFile(context)}.lock`, { patienceMs: 5000 }, work);
}
