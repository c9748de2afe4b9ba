/** Calls an endpoint of the list by its name, and judges the answer by the endpoint's own schema. */
import { type Failure, usage } from '../failure.ts';
import type { Answer, Schema } from './answers.ts';
import type { Client, ClientCall } from './client.ts';
import { type Endpoint, type EndpointName, ENDPOINTS, type Yield } from './endpoints.ts';

export interface Operation extends Pick<ClientCall, 'query' | 'body' | 'headers' | 'idempotencyKey' | 'signal'> {
  /** For paths with `{id}`. */
  id?: string;
}

/** @throws Failure */
export async function operate<N extends EndpointName>(
  client: Client,
  name: N,
  operation: Operation = {},
): Promise<Answer<Yield<N>>> {
  if (client.foreign !== undefined) throw notPartnerApi(client.foreign);
  const endpoint: Endpoint = ENDPOINTS[name];
  // The schemas, and the library they are written in, are loaded with the first answer to be judged.
  const schemas = await import('./schemas.ts');
  const { id, ...call } = operation;
  return client.call<Yield<N>>({
    ...call,
    method: endpoint.method,
    path: pathOf(endpoint, id),
    assumed: endpoint.assumed ?? false,
    schema: schemas.schemaOf(endpoint) as Schema<Yield<N>>,
  });
}

/** Nothing of Credicorp's is asked of anybody else's host. @param title whose API it is */
export function notPartnerApi(title: string): Failure {
  return usage(`this is a command for the partner API of Credicorp, and ${title} has another one`, {
    code: 'provider_mismatch',
    next: 'call what it offers with credicorp api METHOD PATH, or choose another profile with --profile',
  });
}

/** The endpoint's path from the root of the host. @throws Failure `usage` when an id is missing or cannot be one. */
export function pathOf(endpoint: Endpoint, id?: string): string {
  if (!endpoint.path.includes('{id}')) return `/partner/v1${endpoint.path}`;
  // Ids are opaque, but none is a way to another path (partner-api.md#conventions).
  if (id === undefined || id === '' || /^\.{1,2}$/.test(id))
    throw usage('an id is needed', { param: 'id', code: 'bad_id' });
  return `/partner/v1${endpoint.path.replace('{id}', () => encodeURIComponent(id))}`;
}
