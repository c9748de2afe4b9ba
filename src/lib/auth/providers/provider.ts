/**
 * A provider is one data file: where its hosts are, how a token is got, what its calls and webhooks look like. The files beside
 * this one are built in; a further one is a file `<name>.json` in the folder `providers` of the configuration, and nothing else.
 */

import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { Environment, KnownHosts } from '../../contract/environments.ts';
import type { WebhookScheme } from '../../contract/webhook-scheme.ts';
import { Failure, usage } from '../../failure.ts';
import { readPrivate } from '../private-file.ts';
import { isProfileName } from '../profiles.ts';
import acountpayV2 from './acountpay-v2.json' with { type: 'json' };
import acountpay from './acountpay.json' with { type: 'json' };
import credicorp from './credicorp.json' with { type: 'json' };
import { judgeProvider } from './judge.ts';

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
  /** A secret key may be the bearer itself (partner API §2). */
  secretKeys: boolean;
  /** Its credentials carry the environment in their prefix (partner API §2), so a marked one belongs to no other provider. */
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

const BUILT_IN = [credicorp, acountpay, acountpayV2];
const LARGEST = 64 * 1024;

/** Names of the built-in providers. */
export const PROVIDER_NAMES: readonly string[] = ['credicorp', 'acountpay', 'acountpay-v2'];

/**
 * The provider of that name.
 * @throws Failure `usage` (`unknown_provider`, `bad_provider`)
 */
export function findProvider(name: string, configFolder: string): Provider {
  const data = BUILT_IN.find((provider) => provider.name === name);
  if (data !== undefined) return judgeProvider(data, name);
  const path = isProfileName(name) ? join(configFolder, 'providers', `${name}.json`) : null;
  const size = path === null ? undefined : statSync(path, { throwIfNoEntry: false })?.size;
  if (path === null || size === undefined) {
    throw usage(`there is no provider ${isProfileName(name) ? name : 'of that name'}`, {
      code: 'unknown_provider',
      param: 'provider',
      next: `use ${PROVIDER_NAMES.join(', ')}, or describe it in a file in ${join(configFolder, 'providers')}`,
    });
  }
  if (size > LARGEST) throw badProvider(path, 'it is larger than 64 KiB');
  return readProvider(path, name);
}

function readProvider(path: string, name: string): Provider {
  let document: unknown;
  try {
    document = JSON.parse(readPrivate(path) ?? '');
  } catch (error) {
    if (error instanceof Failure) throw error;
    throw badProvider(path, 'it is not JSON');
  }
  try {
    return judgeProvider(document, name);
  } catch (error) {
    throw error instanceof Failure ? badProvider(path, error.message) : error;
  }
}

function badProvider(path: string, why: string): Failure {
  return usage(`${path} does not describe a provider: ${why}`, {
    code: 'bad_provider',
    next: 'mend the file; the ones that come with this program show the form',
  });
}
