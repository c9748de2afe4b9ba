/** The API's endpoints as a listener uses them: register, remove, update, check that one still exists; secrets are kept in the vault. */
import { isRecord, parseJson } from '../../contract/json.ts';
import { Failure } from '../../failure.ts';
import type { EndpointApi } from '../../webhooks/listen/endpoint-registration.ts';
import type { Context } from '../context.ts';
import { note } from '../output/write.ts';
import type { Session } from '../session.ts';
import { forgetSecret, keepLastSecret, keepSecret, webhookSecret } from './webhook-secrets.ts';

/** The secret of the running listener and its endpoint's id; null until they are known. */
export interface ListenerSecrets {
  /** The endpoint's secret. */
  own: string | null;
  endpoint: string | null;
}

/**
 * The operations a listener needs. A new secret is kept in the vault.
 * @param appNeedsIt the app gets the sender's signature: the endpoint's secret is printed once, on stderr
 */
export function createEndpointApi(
  context: Context,
  session: Session,
  secrets: ListenerSecrets,
  appNeedsIt: boolean,
): EndpointApi {
  const kept = async (id: string, secret: string, keep: () => Promise<void>): Promise<void> => {
    secrets.own = secret;
    secrets.endpoint = id;
    session.hide(secret);
    await keep().catch((error: unknown) => {
      if (!(error instanceof Failure)) throw error;
      note(
        context,
        `warning: the signing secret could not be stored (${error.message}); if the listener crashes, its endpoint cannot be taken over`,
      );
    });
  };
  return {
    async register({ url, events }) {
      const client = await session.client();
      const body = { url, enabled_events: events, description: 'credicorp webhooks listen' };
      const { data } = await client.call('webhooks.create', { body });
      const { id, secret } = data;
      if (!secret) throw new Failure('unavailable', 'the API created an endpoint but returned no secret');
      await kept(id, secret, async () => {
        await keepSecret(context, session, id, secret);
        await keepLastSecret(context, session, secret);
      });
      // Fits in 80 columns, so that it can be copied. Without a terminal stderr may be a build log that many people can read.
      if (appNeedsIt && context.stderr.isTTY === true) note(context, `signing secret: ${secret}   (of this endpoint)`);
      else if (appNeedsIt)
        note(context, `signing secret: not shown here; see: credicorp webhooks secret --endpoint ${id}`);
      return { id, secret };
    },
    async unregister(id) {
      // The listener's own signal is aborted by now.
      const client = await session.client({ signal: AbortSignal.timeout(3000) });
      await client.call('webhooks.delete', { id }).catch(ignoreAbsent);
      await forgetSecret(context, session, id);
    },
    exists: createEndpointCheck(session, (line) => note(context, line)),
    recall: (id) => webhookSecret(session, id),
    async update(id, { url, events }) {
      const client = await session.client();
      await client.call('webhooks.update', { id, body: { url, enabled_events: events, status: 'enabled' } });
      const secret = await webhookSecret(session, id);
      if (secret !== null && secrets.endpoint === null) {
        await kept(id, secret, () => keepLastSecret(context, session, secret));
        if (appNeedsIt) note(context, `signing secret: unchanged; see: credicorp webhooks secret --endpoint ${id}`);
      }
    },
  };
}

function ignoreAbsent(error: unknown): void {
  if (!(error instanceof Failure && error.kind === 'not_found')) throw error;
}

/** The parts of a session that the endpoint check uses. */
interface CheckSession extends Pick<Session, 'client' | 'transport'> {
  identity: { environment: { value: string }; base: { value: string } };
}

/** Milliseconds between two checks of the endpoint: often on the embedded sandbox, where it costs nothing, rarely on a hosted API. */
export function endpointCheckInterval(session: CheckSession): number {
  return session.identity.environment.value === 'local' ? 2000 : 60_000;
}

/**
 * Checks whether the API still knows an endpoint. The embedded sandbox is first asked for its number of endpoints, by a route that is
 * neither logged nor rate limited, and for the endpoint itself only when the number has changed. An API that does not know an endpoint
 * it just created, or refuses to show it, is not asked again: the route is assumed (webhooks.md#webhook-endpoints).
 * @param warn prints a line: an endpoint that was disabled is not enabled again automatically
 */
export function createEndpointCheck(
  session: CheckSession,
  warn: (line: string) => void,
): NonNullable<EndpointApi['exists']> {
  const local = session.identity.environment.value === 'local';
  let counted: unknown = null;
  let seenId: string | null = null;
  let status: string | null | undefined = null;
  return async (id, signal) => {
    const limited = AbortSignal.any([signal, AbortSignal.timeout(10_000)]);
    if (local) {
      const count = await endpointCount(session);
      if (count === 0) return false;
      const same = seenId !== id || count === counted;
      seenId = id;
      counted = count;
      if (same || count === null) return true;
    }
    try {
      const { data } = await (await session.client({ signal: limited })).call('webhooks.get', { id });
      if (data.status === 'disabled' && status !== 'disabled') warn(disabledWarning(id));
      status = data.status;
      seenId = id;
      return true;
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      const { facts } = error;
      if (facts.code === 'not_offered' || facts.status === 403) return null;
      if (facts.status !== 404) throw error;
      return seenId === id ? false : null;
    }
  };
}

function disabledWarning(id: string): string {
  return `warning: endpoint ${id} is disabled, so no deliveries arrive; enable it: credicorp webhooks endpoints update ${id} --status enabled`;
}

async function endpointCount(session: CheckSession): Promise<unknown> {
  const { send } = await session.transport({ unrecorded: true });
  const url = `${session.identity.base.value}/_sandbox/health`;
  const { status, text } = await send({ method: 'GET', url, headers: {}, timeoutMs: 2000 });
  const health: unknown = status === 200 ? parseJson(text) : null;
  const counts = isRecord(health) ? health['counts'] : null;
  return isRecord(counts) ? counts['webhook_endpoints'] : null;
}
