/** Endpoint objects of the API, their secrets, and what crashed listeners left of them. */
import type { Client } from '../../api/client.ts';
import { isRecord } from '../../contract/json.ts';
import { Failure } from '../../failure.ts';
import {
  abandonedEndpoints,
  registerListener,
  type RegistryOptions,
  type AbandonedEndpoint,
} from '../../webhooks/inbox/listener-registry.ts';
import type { Context } from '../context.ts';
import { inboxScope } from './inbox.ts';
import { note } from '../output/write.ts';
import type { Session } from '../session.ts';
import { forgetSecret, keepLastSecret, keepSecret, secretOf } from './webhook-secrets.ts';

export const ENDPOINT_COLUMNS = [
  { path: 'id' },
  { path: 'status' },
  { path: 'url' },
  { path: 'enabled_events', title: 'events' },
];

/**
 * Keeps the secret that the server shows once. It is printed either way, so a vault that cannot be reached loses nothing: it is
 * said, and the command goes on.
 */
export async function keepShownSecret(context: Context, session: Session, document: unknown): Promise<void> {
  const { id, secret } = isRecord(document) ? document : {};
  if (typeof id !== 'string' || typeof secret !== 'string') return;
  try {
    const [before, last] = [await secretOf(session, id), await secretOf(session)];
    await keepSecret(context, session, id, secret);
    // The listener's own endpoint was rotated: `webhooks secret` tells the new one.
    if (before !== null && before === last) await keepLastSecret(context, session, secret);
    note(context, `the signing secret is shown once; it is kept ${placeOf(session)}`);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    note(
      context,
      `warning: the signing secret could not be kept (${error.message}); it is shown this once, so keep it now`,
    );
  }
}

function placeOf(session: Session): string {
  const { vault } = session.identity;
  if (vault === 'memory') return 'nowhere else, because the credential comes from the environment';
  return vault === 'os' ? 'in the keychain as well' : 'on this machine as well';
}

/** Endpoints of listeners of this profile that ended without removing them. */
export function leftovers(context: Context, session: Session): AbandonedEndpoint[] {
  return abandonedEndpoints(lookout(context, session));
}

/** Removes what crashed listeners left. @returns the ids. @throws Failure */
export async function removeLeftovers(context: Context, session: Session, client: Client): Promise<string[]> {
  const enrolment = registerListener(lookout(context, session));
  try {
    const left = enrolment.findAbandoned();
    for (const { endpointId, listener } of left) {
      await deleteEndpoint(context, session, client, endpointId).catch(ignoreAbsent);
      enrolment.markEndpointGone(listener);
    }
    return left.map(({ endpointId }) => endpointId);
  } finally {
    enrolment.end();
  }
}

/** Who asks about the listeners of this profile. */
export function lookout(context: Context, session: Session): RegistryOptions {
  return {
    store: session.store(),
    scope: inboxScope(session.identity),
    pid: context.pid,
    isAlive: (pid) => context.signalProcess(pid, 0),
    now: context.now,
  };
}

/** @throws Failure */
export async function deleteEndpoint(context: Context, session: Session, client: Client, id: string): Promise<void> {
  await client.call('webhooks.delete', { id });
  await forgetSecret(context, session, id);
}

function ignoreAbsent(error: unknown): void {
  if (!(error instanceof Failure && error.kind === 'not_found')) throw error;
}
