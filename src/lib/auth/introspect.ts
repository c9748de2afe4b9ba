/** Asks the server what it thinks of a token (RFC 7662, partner-api.md#oauth-tokens). */

import type { Send } from '../contract/exchange.ts';
import { isRecord, parseJson } from '../contract/json.ts';
import { Failure } from '../failure.ts';
import type { Identity } from './identity.ts';
import { clientRequest } from './mint.ts';
import { tokenFailure } from './token-answer.ts';
import { clientMethod, discover, trusted } from './token-endpoint.ts';

export interface IntrospectOptions {
  identity: Identity;
  /** The client's own secret: introspection is for whom the token belongs to. */
  secret: string;
  send: Send;
  notice: (text: string) => void;
  signal?: AbortSignal;
}

/**
 * The server's document, `active` first of all; an expired, revoked or unknown token is `{"active":false}` and no failure.
 * @throws Failure `usage` (`no_introspection`), `auth`, `rate_limited`, `unavailable`.
 */
export async function introspect(
  token: string,
  options: IntrospectOptions,
): Promise<Record<string, unknown> & { active: boolean }> {
  const { identity, secret, send, signal } = options;
  const path = identity.provider.token?.introspectPath ?? null;
  if (path === null || identity.clientId === null) {
    throw new Failure('usage', 'there is no introspection without a client id and a server that offers it', {
      code: 'no_introspection',
      next: 'use credicorp token show to read what the token says',
    });
  }
  const found = await discover(options);
  const named = found?.introspectionEndpoint === undefined ? null : trusted(found.introspectionEndpoint, identity);
  const url = named ?? identity.base.value + path;
  const form = new URLSearchParams({ token });
  const request = clientRequest({ url, method: clientMethod(found) }, identity.clientId.value, secret, form);
  const answer = await send({ ...request, ...(signal === undefined ? {} : { signal }) });
  if (answer.status < 200 || answer.status > 299) throw tokenFailure(answer, url, [secret, token]);
  const body = read(answer.text);
  if (body !== null && typeof body['active'] === 'boolean') return { ...body, active: body['active'] };
  throw new Failure('unavailable', `${new URL(url).host} answered, but not about a token`, {
    status: answer.status,
    code: 'no_introspection_in_answer',
    next: 'check the base URL with credicorp whoami',
  });
}

function read(text: string): Record<string, unknown> | null {
  try {
    const body = parseJson(text);
    return isRecord(body) ? body : null;
  } catch {
    return null;
  }
}
