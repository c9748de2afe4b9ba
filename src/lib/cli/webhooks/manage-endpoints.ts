/** The commands of `webhooks endpoints`: flags and request body, keeping secrets, and removing what crashed listeners left behind. */
import * as Args from '@oclif/core/args';
import * as Flags from '@oclif/core/flags';
import type { Client } from '../../api/client.ts';
import { isRecord } from '../../contract/json.ts';
import { Failure, usage } from '../../failure.ts';
import {
  abandonedEndpoints,
  registerListener,
  type RegistryOptions,
  type AbandonedEndpoint,
} from '../../webhooks/inbox/listener-registry.ts';
import type { Context } from '../context.ts';
import { metadataOf, type Pair, pair, uri } from '../flags.ts';
import { note } from '../output/write.ts';
import type { Session } from '../session.ts';
import { inboxScope } from './local-inbox.ts';
import { forgetSecret, keepLastSecret, keepSecret, webhookSecret } from './webhook-secrets.ts';

export const ENDPOINT_COLUMNS = [
  { path: 'id' },
  { path: 'status' },
  { path: 'url' },
  { path: 'enabled_events', title: 'events' },
];

/**
 * Keeps the secret that the API returns once. It is printed in any case, so a vault that cannot be reached only causes a warning.
 */
export async function keepShownSecret(context: Context, session: Session, document: unknown): Promise<void> {
  const { id, secret } = isRecord(document) ? document : {};
  if (typeof id !== 'string' || typeof secret !== 'string') return;
  try {
    const [before, last] = [await webhookSecret(session, id), await webhookSecret(session)];
    await keepSecret(context, session, id, secret);
    // The endpoint of the last listener was rotated: `webhooks verify` uses the new secret.
    if (before !== null && before === last) await keepLastSecret(context, session, secret);
    note(context, `the signing secret is shown once; it is ${placeOf(session)}`);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    note(
      context,
      `warning: the signing secret could not be stored (${error.message}); save it now: it is not shown again`,
    );
  }
}

function placeOf(session: Session): string {
  const { vault } = session.identity;
  if (vault === 'memory') return 'not kept, because the credential comes from the environment';
  return vault === 'os' ? 'also kept in the keychain' : 'also kept on this machine';
}

/** Endpoints that crashed listeners of this profile left registered. */
export function listAbandonedEndpoints(context: Context, session: Session): AbandonedEndpoint[] {
  return abandonedEndpoints(registryOptions(context, session));
}

/** Removes the endpoints that crashed listeners left. @returns their ids @throws Failure */
export async function deleteAbandonedEndpoints(context: Context, session: Session, client: Client): Promise<string[]> {
  const registration = registerListener(registryOptions(context, session));
  try {
    const left = registration.claimAbandoned();
    for (const { endpointId, listener } of left) {
      await deleteEndpoint(context, session, client, endpointId).catch(ignoreAbsent);
      registration.markEndpointGone(listener);
    }
    return left.map(({ endpointId }) => endpointId);
  } finally {
    registration.end();
  }
}

/** The registry of this profile's listeners. */
export function registryOptions(context: Context, session: Session): RegistryOptions {
  return {
    store: session.store(),
    scope: inboxScope(session.identity),
    pid: context.pid,
    processStart: context.processStart,
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

export const endpointFlags = {
  url: uri({ summary: 'where deliveries go: https, or http on this machine for the sandbox' }),
  events: Flags.string({
    completes: 'event types',
    helpValue: '<types>',
    summary: 'types and families: decision.*,payment.settled',
  }),
  description: Flags.string({ helpValue: '<text>', summary: 'your own description' }),
  metadata: pair({ summary: 'a metadata pair; may be repeated, up to 20', multiple: true, multipleNonGreedy: true }),
};

/** An optional endpoint id. */
export const endpointId = Args.string({
  completes: { ids: ['whend_'] },
  ignoreStdin: true,
  description: 'id of the endpoint',
  parse: async (text) => {
    if (/^[\w.~-]{1,255}$/.test(text) && !/^\.+$/.test(text)) return text;
    throw usage('not a valid id', { param: 'id', next: 'ids look like whend_3T8K1' });
  },
});

interface EndpointFlags {
  url?: string | undefined;
  events?: string | undefined;
  description?: string | undefined;
  metadata?: Pair[] | undefined;
}

/** The request body, in the order of the documented example; flags that are not given are left out. */
export function endpointBody({ url, events, description, metadata }: EndpointFlags): Record<string, unknown> {
  const names = events?.split(',').map((name) => name.trim());
  const body = { url, enabled_events: names, description, metadata: metadataOf(metadata) };
  return Object.fromEntries(Object.entries(body).filter(([, value]) => value !== undefined));
}
