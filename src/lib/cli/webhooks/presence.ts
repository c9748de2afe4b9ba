/** Whether a listener's endpoint is still there, asked of each kind of API in the way that costs it least. */
import { isRecord, parseJson } from '../../contract/json.ts';
import { Failure } from '../../failure.ts';
import type { EndpointApi } from '../../webhooks/listen/endpoint-registration.ts';
import type { Session } from '../session.ts';

/** What is needed of a session. */
interface Asking extends Pick<Session, 'client' | 'transport'> {
  identity: { environment: { value: string }; base: { value: string } };
}

/** Milliseconds between two looks for the endpoint: the embedded sandbox is asked at no cost, a hosted API is left in peace. */
export function presenceEvery(session: Asking): number {
  return session.identity.environment.value === 'local' ? 2000 : 60_000;
}

/**
 * Whether the API still knows an endpoint. The embedded sandbox is asked for its number of endpoints first, by a route that is in no log
 * and counts against no limit, and for the endpoint itself only when the number has changed. An API that does not know an endpoint it
 * just made, or that lets nobody look, is not asked again: the route is assumed (webhooks.md#webhook-endpoints).
 * @param tell a line for people: an endpoint that was disabled, by whomever, is theirs to enable
 */
export function createPresence(session: Asking, tell: (line: string) => void): NonNullable<EndpointApi['exists']> {
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
      if (data.status === 'disabled' && status !== 'disabled') tell(disabled(id));
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

function disabled(id: string): string {
  return `warning: endpoint ${id} is disabled at the API, so nothing comes; enable it: credicorp webhooks endpoints update ${id} --status enabled`;
}

async function endpointCount(session: Asking): Promise<unknown> {
  const { send } = await session.transport({ unrecorded: true });
  const url = `${session.identity.base.value}/_sandbox/health`;
  const { status, text } = await send({ method: 'GET', url, headers: {}, timeoutMs: 2000 });
  const health: unknown = status === 200 ? parseJson(text) : null;
  const counts = isRecord(health) ? health['counts'] : null;
  return isRecord(counts) ? counts['webhook_endpoints'] : null;
}
