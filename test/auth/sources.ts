/** Sources of an identity for tests: nothing said, plus what a test says. */
import type { Sources } from '../../src/lib/auth/credentials/client-identity.ts';
import type { Profile } from '../../src/lib/auth/credentials/profiles.ts';
import { findProvider } from '../../src/lib/auth/providers/provider.ts';

export function sources(said: Partial<Sources> = {}): Sources {
  return {
    flags: {},
    env: {},
    pin: null,
    config: { active: null, profiles: [] },
    runningSandbox: null,
    provider: (name) => findProvider(name, '/nonexistent'),
    ...said,
  };
}

export function profile(name: string, said: Partial<Profile> = {}): Profile {
  return {
    name,
    provider: 'credicorp',
    environment: 'sandbox',
    base: 'https://sandbox.credicorp.co.uk',
    mode: 'oauth',
    clientId: `cid_sbx_${name}`,
    store: 'os',
    ...said,
  };
}
