/** Which profile counts: flag, variable, pin, the active one, the running sandbox's (command-line.md#profiles-credentials-and-precedence). */

import { usage } from '../failure.ts';
import type { Sourced, Sources } from './identity.ts';
import { LOCAL_CLIENT, LOCAL_PROFILE } from './local-client.ts';
import { findProfile, type Profile, unknownProfile } from './profiles.ts';
import type { Variables } from './variables.ts';

/**
 * The profile in use; null when nobody names one and no sandbox runs.
 * @throws Failure `usage` (`unknown_profile`) for a name without a profile.
 */
export function chooseProfile(sources: Sources, variables: Variables): Sourced<Profile> | null {
  const { flags, pin, config, runningSandbox } = sources;
  if (flags.profile !== undefined) {
    return named(sources, flags.profile, { from: 'flag', name: '--profile' }, 'there is no profile');
  }
  if (variables.profile !== null) {
    const { name, value } = variables.profile;
    return named(sources, value, { from: 'variable', name }, `${name} names a profile that does not exist:`);
  }
  if (pin?.profile !== undefined) {
    return named(
      sources,
      pin.profile,
      { from: 'pin', name: pin.path },
      `${pin.path} names a profile that does not exist:`,
    );
  }
  if (config.active !== null) {
    return named(
      sources,
      config.active,
      { from: 'profile', name: config.active },
      'the active profile does not exist:',
    );
  }
  if (runningSandbox === null) return null;
  return { value: localProfile(runningSandbox.base), source: { from: 'sandbox', name: '' } };
}

/** The profile of the embedded sandbox at that base; `sandbox start` saves the same. */
export function localProfile(base: string): Profile {
  return {
    name: LOCAL_PROFILE,
    provider: 'credicorp',
    environment: 'local',
    base,
    mode: 'oauth',
    clientId: LOCAL_CLIENT.id,
    store: 'local',
  };
}

function named(sources: Sources, name: string, source: Sourced<Profile>['source'], because: string): Sourced<Profile> {
  const { config, runningSandbox, provider } = sources;
  const found = findProfile(config, name);
  if (found !== null) return { value: found, source };
  if (name !== LOCAL_PROFILE) throw unknownProfile(config, name, because);
  // `local` needs no sign-in: its credential is known to everybody.
  const base = runningSandbox?.base ?? provider('credicorp').bases.local;
  if (base === undefined)
    throw usage('the embedded sandbox has no address', { next: 'start it: credicorp sandbox start' });
  return { value: localProfile(base), source };
}
