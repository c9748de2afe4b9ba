/** Reads a token: by introspection at the server (RFC 7662, partner-api.md#oauth-tokens), or by decoding it here without verification. */
import type { Send } from '../../contract/exchange.ts';
import { isRecord, parseJson } from '../../contract/json.ts';
import { Failure, usage } from '../../failure.ts';
import type { Identity } from '../credentials/client-identity.ts';
import { clientRequest, tokenFailure, clientMethod, discover, trusted } from './mint.ts';

export interface IntrospectOptions {
  identity: Identity;
  /** The client's secret: a client can introspect its own tokens only. */
  secret: string;
  send: Send;
  notice: (text: string) => void;
  signal?: AbortSignal;
}

/**
 * The server's introspection document. For an expired, revoked or unknown token it is `{"active":false}`, which is not a failure.
 * @throws Failure `usage` (`no_introspection`), `auth`, `rate_limited`, `unavailable`.
 */
export async function introspect(
  token: string,
  options: IntrospectOptions,
): Promise<Record<string, unknown> & { active: boolean }> {
  const { identity, secret, send, signal } = options;
  const path = identity.provider.token?.introspectPath ?? null;
  if (path === null || identity.clientId === null) {
    throw new Failure('usage', 'introspection needs a client id, and a server that supports it', {
      code: 'no_introspection',
      next: 'use credicorp token show to decode the token',
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
  throw new Failure('unavailable', `${new URL(url).host} did not answer with an introspection result`, {
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

export interface DecodedToken {
  header: Record<string, unknown>;
  claims: Record<string, unknown>;
}

/** Splits a JWT (RFC 7519 §3). @throws Failure `usage` (`not_a_jwt`) for an opaque token. */
export function decodeToken(token: string): DecodedToken {
  const parts = token.trim().split('.');
  const [header, claims] = [readPart(parts[0]), readPart(parts[1])];
  if (parts.length === 3 && header !== null && claims !== null) return { header, claims };
  throw usage('the token is opaque: only its server can read it', {
    code: 'not_a_jwt',
    next: 'ask the server: credicorp token introspect',
  });
}

function readPart(part: string | undefined): Record<string, unknown> | null {
  if (part === undefined || !/^[\w-]+$/.test(part)) return null;
  try {
    const value = parseJson(Buffer.from(part, 'base64url').toString('utf8'));
    return isRecord(value) ? value : null;
  } catch {
    return null;
  }
}
