/** What a listener needs of the API and the vault: register, unregister, recall the secret, point an endpoint elsewhere. */
import { Failure } from '../../failure.ts';
import type { EndpointApi } from '../../webhooks/listen/endpoint-registration.ts';
import type { Context } from '../context.ts';
import { note } from '../output/write.ts';
import { createPresence } from './presence.ts';
import type { Session } from '../session.ts';
import { forgetSecret, keepLastSecret, keepSecret, secretOf } from './webhook-secrets.ts';

/** The secrets of a running listener, as they become known. */
export interface ListenerSecrets {
  /** Of the endpoint itself; null until it is registered. */
  own: string | null;
  endpoint: string | null;
}

/** The one-time secret goes into the vault and is printed once, on stderr: stdout is for moments. */
export function endpointActs(context: Context, session: Session, secrets: ListenerSecrets): EndpointApi {
  const kept = async (id: string, secret: string, keep: () => Promise<void>): Promise<void> => {
    secrets.own = secret;
    secrets.endpoint = id;
    session.hide(secret);
    await keep().catch((error: unknown) => {
      if (!(error instanceof Failure)) throw error;
      note(
        context,
        `warning: the signing secret could not be kept (${error.message}); a crash will cost this endpoint`,
      );
    });
  };
  return {
    async register({ url, events }) {
      const client = await session.client();
      const body = { url, enabled_events: events, description: 'credicorp webhooks listen' };
      const { data } = await client.call('webhooks.create', { body });
      const { id, secret } = data;
      if (!secret) throw new Failure('unavailable', 'the API made an endpoint without telling its secret');
      await kept(id, secret, async () => {
        await keepSecret(context, session, id, secret);
        await keepLastSecret(context, session, secret);
      });
      // On one line of 80: a secret that is broken cannot be copied whole.
      note(context, `signing secret: ${secret}   (shown once)`);
      return { id, secret };
    },
    async unregister(id) {
      // The way out must not be stopped by the signal that led to it.
      const client = await session.client({ signal: AbortSignal.timeout(3000) });
      await client.call('webhooks.delete', { id }).catch(ignoreAbsent);
      await forgetSecret(context, session, id);
    },
    exists: createPresence(session, (line) => note(context, line)),
    recall: (id) => secretOf(session, id),
    async update(id, { url, events }) {
      const client = await session.client();
      await client.call('webhooks.update', { id, body: { url, enabled_events: events, status: 'enabled' } });
      const secret = await secretOf(session, id);
      if (secret !== null && secrets.endpoint === null) {
        await kept(id, secret, () => keepLastSecret(context, session, secret));
        note(context, 'signing secret: the same as before; see: credicorp webhooks secret');
      }
    },
  };
}

function ignoreAbsent(error: unknown): void {
  if (!(error instanceof Failure && error.kind === 'not_found')) throw error;
}
