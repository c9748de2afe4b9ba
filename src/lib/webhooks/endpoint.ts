/**
 * The endpoint at the API that points at this listener. One that a killed listener left behind is taken over rather than
 * removed: the sender still has deliveries for it, and with the same secret and address they arrive.
 */
import { Failure } from '../failure.ts';
import type { Enrolment, LeftEndpoint } from './listeners.ts';

/** The API's endpoint objects, handed in by the row above. Each may throw `Failure`. */
export interface EndpointActs {
  /** Creates an endpoint; whoever hands this in keeps the one-time secret where `recall` finds it. */
  register(input: { url: string; events: string[] }): Promise<{ id: string; secret: string }>;
  /** Removes it. `not_found` counts as removed. */
  unregister(id: string): Promise<void>;
  /** The secret of an endpoint registered earlier on this machine; null when it is not known. */
  recall?(id: string): Promise<string | null>;
  /** False when the API no longer knows it, null when it does not tell such things: then it is not asked again. */
  present?(id: string, signal: AbortSignal): Promise<boolean | null>;
  /** Points an existing endpoint at another address, and enables it. */
  update?(id: string, change: { url: string; events: string[] }): Promise<void>;
}

export interface Endpoint {
  id: string;
  /** Where the sender posts to. */
  url: string;
  secret: string;
  adopted: boolean;
}

export interface Candidate {
  left: LeftEndpoint;
  secret: string;
}

/** The left endpoint that can be taken over, if any: its secret must be known and the API must let it be changed. */
export async function findCandidate(acts: EndpointActs, enrolment: Enrolment): Promise<Candidate | null> {
  if (acts.recall === undefined || acts.update === undefined) return null;
  for (const left of enrolment.leftEndpoints()) {
    const secret = await acts.recall(left.endpointId).catch(() => null);
    if (secret !== null) return { left, secret };
  }
  return null;
}

/** Adopts the candidate, or registers a new endpoint; then removes what other dead listeners left. @throws Failure of `register` */
export async function obtainEndpoint(
  acts: EndpointActs,
  enrolment: Enrolment,
  candidate: Candidate | null,
  wanted: { url: string; events: string[]; port: number; path: string },
): Promise<Endpoint> {
  const { url, events } = wanted;
  const adopted = candidate !== null && (await canAdopt(acts, candidate, { url, events }));
  const endpoint = adopted
    ? { id: candidate.left.endpointId, secret: candidate.secret }
    : await acts.register({ url, events });
  enrolment.noteEndpoint({ ...wanted, endpointId: endpoint.id });
  for (const left of enrolment.leftEndpoints()) {
    if (left.endpointId === endpoint.id || (await remove(acts, left.endpointId)) === null) {
      enrolment.forgetEndpoint(left.listener);
    }
  }
  return { ...endpoint, url, adopted };
}

/** The update also proves that the endpoint still exists. */
async function canAdopt(
  acts: EndpointActs,
  candidate: Candidate,
  change: { url: string; events: string[] },
): Promise<boolean> {
  try {
    await acts.update?.(candidate.left.endpointId, change);
    return true;
  } catch {
    return false;
  }
}

/** @returns null when the endpoint is gone, else why it could not be removed. */
export async function remove(acts: EndpointActs, id: string): Promise<string | null> {
  try {
    await acts.unregister(id);
    return null;
  } catch (error) {
    if (error instanceof Failure && error.kind === 'not_found') return null;
    return error instanceof Failure ? error.message : 'the endpoint could not be removed';
  }
}
