/** What a listener needs of the API and the vault: register, unregister, recall the secret, point an endpoint elsewhere. */
import { operate } from '../api/operate.ts';
import { Failure } from '../failure.ts';
import type { EndpointActs } from '../webhooks/endpoint.ts';
import type { Context } from './context.ts';
import { note } from './output.ts';
import type { Session } from './session.ts';

/** The one-time secret goes into the vault and is printed once, on stderr: stdout is for moments. */
export function endpointActs(context: Context, session: Session): EndpointActs {
  const account = (id: string): string => `${session.identity.account}/webhook/${id}`;
  return {
    async register({ url, events }) {
      const client = await session.client();
      const body = { url, enabled_events: events, description: 'credicorp webhooks listen' };
      const { data } = await operate(client, 'webhooks.create', { body });
      if (!data.secret) throw new Failure('unavailable', 'the API made an endpoint without telling its secret');
      await session.vault().set(account(data.id), data.secret);
      session.hide(data.secret);
      note(context, `signing secret: ${data.secret}   (shown once; put it into your app's configuration)`);
      return { id: data.id, secret: data.secret };
    },
    async unregister(id) {
      // The way out must not be stopped by the signal that led to it.
      const client = await session.client({ signal: AbortSignal.timeout(3000) });
      await operate(client, 'webhooks.delete', { id }).catch(ignoreAbsent);
      await session.vault().remove(account(id));
    },
    recall: async (id) => {
      const secret = await session.vault().get(account(id));
      if (secret !== null) session.hide(secret);
      return secret;
    },
    async update(id, { url, events }) {
      const client = await session.client();
      await operate(client, 'webhooks.update', { id, body: { url, enabled_events: events, status: 'enabled' } });
    },
  };
}

function ignoreAbsent(error: unknown): void {
  if (!(error instanceof Failure && error.kind === 'not_found')) throw error;
}
