/** One token request: RFC 6749 §4.4, as partner-api.md#oauth-tokens narrows it. Sent once; whoever hands `send` over decides about retries. */

import type { HttpRequest, Send } from '../contract/exchange.ts';
import type { Identity } from './identity.ts';
import { readTokenAnswer } from './token-answer.ts';
import { findTokenEndpoint, type TokenEndpoint } from './token-endpoint.ts';
import { type TokenEntry, usefulLife } from './token-entry.ts';

export type Minted = Pick<TokenEntry, 'token' | 'tokenUrl' | 'granted' | 'useUntil' | 'expiresAt'>;

export interface MintOptions {
  identity: Identity;
  secret: string;
  send: Send;
  now: () => number;
  notice: (text: string) => void;
  signal?: AbortSignal;
}

/** More than this, and signed webhooks begin to look stale (webhooks.md#signature-scheme allows 300 s). */
const SKEW_TOLD_MS = 30_000;

/** @throws Failure `auth` with the server's code, `rate_limited`, `unavailable`, `interrupted`. */
export async function mint(options: MintOptions): Promise<Minted> {
  const { identity, secret, send, now, notice, signal } = options;
  const endpoint = await findTokenEndpoint(options);
  const request = tokenRequest(endpoint, identity.clientId?.value ?? '', secret, identity.scopes.value);
  const answer = await send({ ...request, ...(signal === undefined ? {} : { signal }) });
  const at = now();
  const { token, expiresIn, granted } = readTokenAnswer(answer, endpoint.url, [secret]);
  tellSkew(answer.headers['date'], at, notice);
  const life = identity.provider.token === null ? 0 : usefulLife(expiresIn, identity.provider.token);
  return { token, tokenUrl: endpoint.url, granted, useUntil: at + life, expiresAt: at + expiresIn * 1000 };
}

/** The request itself. `scope` is sent only when the user narrowed it, so that no assumed name causes a refusal (partner-api.md#scopes). */
function tokenRequest(
  { url, method }: Pick<TokenEndpoint, 'url' | 'method'>,
  clientId: string,
  secret: string,
  scopes: readonly string[],
): HttpRequest {
  const form = new URLSearchParams({ grant_type: 'client_credentials' });
  if (scopes.length > 0) form.set('scope', scopes.join(' '));
  return clientRequest({ url, method }, clientId, secret, form);
}

/** A form with the client's own credentials in it or beside it: token plane calls look alike. */
export function clientRequest(
  { url, method }: Pick<TokenEndpoint, 'url' | 'method'>,
  clientId: string,
  secret: string,
  form: URLSearchParams,
): HttpRequest {
  const headers: Record<string, string> = {
    accept: 'application/json',
    'content-type': 'application/x-www-form-urlencoded',
  };
  if (method === 'basic') headers['authorization'] = `Basic ${basicOf(clientId, secret)}`;
  else {
    form.set('client_id', clientId);
    form.set('client_secret', secret);
  }
  return { method: 'POST', url, headers, body: form.toString() };
}

/** Both halves are form-encoded before they are joined (RFC 6749 §2.3.1). */
function basicOf(clientId: string, secret: string): string {
  return Buffer.from(`${encoded(clientId)}:${encoded(secret)}`).toString('base64');
}

function encoded(text: string): string {
  return new URLSearchParams({ v: text }).toString().slice(2);
}

function tellSkew(date: string | undefined, at: number, notice: (text: string) => void): void {
  const server = date === undefined ? NaN : Date.parse(date);
  const skew = Math.round((at - server) / 1000);
  if (Number.isNaN(server) || Math.abs(skew) * 1000 <= SKEW_TOLD_MS) return;
  const direction = skew > 0 ? 'ahead of' : 'behind';
  notice(
    `this machine's clock is ${Math.abs(skew)} s ${direction} the server's: set it, or signatures and tokens will look stale`,
  );
}
