/**
 * A provider is one data file: where its hosts are, how a token is got, what its calls and webhooks look like. The files beside
 * this one are built in; a further one is a file `<name>.json` in the folder `providers` of the configuration, and nothing else.
 */

import { statSync } from 'node:fs';
import { join } from 'node:path';
import { Failure, usage } from '../../failure.ts';
import { readPrivate } from '../../files/atomic-write.ts';
import { isProfileName } from '../profiles.ts';
import acountpayV2 from './acountpay-v2.json' with { type: 'json' };
import acountpay from './acountpay.json' with { type: 'json' };
import credicorp from './credicorp.json' with { type: 'json' };
import { judgeProvider } from './judge.ts';
import type { Provider } from './shape.ts';

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
