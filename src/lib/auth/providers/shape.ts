/** What a provider's data file says, once it is judged. */
import type { Environment, KnownHosts } from '../../contract/environments.ts';
import type { WebhookScheme } from '../../contract/webhook-scheme.ts';

export interface Provider {
  name: string;
  /** How people call it. */
  title: string;
  /** Default bases; an environment without one needs its base from the user. */
  bases: Partial<Record<Environment, string>>;
  hosts: KnownHosts;
  /** Client credentials for a bearer token, or both credentials as headers on each call. */
  authentication: 'client_credentials' | 'headers';
  /** null when there are no tokens. */
  token: ProviderToken | null;
  /** A secret key may be the bearer itself (partner-api.md#credential-kinds). */
  secretKeys: boolean;
  /** Its credentials carry the environment in their prefix (partner-api.md#credential-kinds), so a marked one belongs to no other provider. */
  marked: boolean;
  /** Its API is the partner API: every command works. Of any other, `credicorp api` calls what there is. */
  partnerApi: boolean;
  /** Its API takes idempotency keys; without them a write is sent once, whatever happens to it. */
  idempotency: boolean;
  /** A read that fails with a wrong credential, to prove one for which no token is minted; null where none is known. */
  probePath: string | null;
  /** The member of a body that names the merchant a write is made for; null where a header does, or nothing. */
  merchantField: string | null;
  /** Header names, lower case. `merchant` names the merchant a call is made for. */
  headers: { clientId: string | null; clientSecret: string | null; merchant: string | null };
  webhooks: WebhookScheme;
  /** Public, throw-away credential of the embedded sandbox; null when it does not imitate this provider. */
  localClient: { id: string; secret: string } | null;
}

/** Paths stand below the base. */
export interface ProviderToken {
  path: string;
  /** Ask the API host for RFC 8414 metadata before falling back to `path`. */
  discovery: boolean;
  /** A discovered token endpoint may also be https on this domain or below it. */
  domain: string | null;
  /** How long before its end a token counts as expired. */
  earlySeconds: number;
  /** A token that lives at most this many seconds counts as expired after half its life instead; 0 for never. */
  halveUpTo: number;
  /** null when tokens cannot be verified locally. */
  jwksPath: string | null;
  /** null when there is no introspection. */
  introspectPath: string | null;
  /** What a token's `aud` must be; null when unknown. */
  audiencePath: string | null;
}
