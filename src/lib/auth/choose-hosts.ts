/**
 * Which host is talked to, and where a token comes from. A pin may have come with somebody else's repository: its hosts count only
 * where they take a secret nowhere it does not go without the pin (command-line.md#profiles-credentials-and-precedence).
 */

import {
  type Environment,
  environmentOfBase,
  environmentOfHost,
  originOf,
  parseBase,
  parseTokenUrl,
} from '../contract/environments.ts';
import { type Failure, usage } from '../failure.ts';
import type { Credential } from './choose-credential.ts';
import type { Sourced, Sources } from './identity.ts';
import type { Pin } from './pin.ts';
import type { Profile } from './profiles.ts';
import type { Provider } from './providers/shape.ts';
import type { Variables } from './variables.ts';

export interface Hosts {
  base: Sourced<string>;
  tokenUrl: Sourced<string> | null;
  environment: Sourced<Environment>;
}

interface Known {
  sources: Sources;
  variables: Variables;
  profile: Sourced<Profile> | null;
  provider: Provider;
  credential: Credential;
}

/** @throws Failure `usage` when no host follows from what is known, or a pin asks for one it may not have. */
export function chooseHosts(known: Known): Hosts {
  const base = chooseBase(known);
  return { base, tokenUrl: chooseTokenUrl(known, base.value), environment: chooseEnvironment(known, base) };
}

function chooseBase(known: Known): Sourced<string> {
  const { sources, variables, profile, credential } = known;
  const { flags } = sources;
  if (flags.base !== undefined) return { value: parseBase(flags.base), source: { from: 'flag', name: '--api-base' } };
  if (variables.base !== null) {
    return { value: variables.base.value, source: { from: 'variable', name: variables.base.name } };
  }
  const pin = pinThatCounts(known);
  if (pin?.base !== undefined) {
    assertPinnedBase(known, pin, pin.base);
    return { value: pin.base, source: { from: 'pin', name: pin.path } };
  }
  if (profile !== null && profile.source.from !== 'sandbox' && !isStranger(credential, profile.value)) {
    return { value: profile.value.base, source: { from: 'profile', name: profile.value.name } };
  }
  return baseOfCredential(known);
}

/**
 * A credential out of the environment that is not the embedded sandbox's own: the profile of that sandbox, which `sandbox start` made
 * and nobody chose for it, does not say where it goes. Whatever listens on that port now would get it.
 */
function isStranger(credential: Credential, profile: Profile): boolean {
  return credential.from === 'variable' && !credential.local && profile.store === 'local';
}

/** Nobody named a host: the credential's own marker decides (partner-api.md#conflicts), and the sandbox's credential means the sandbox. */
function baseOfCredential({ sources, provider, credential }: Known): Sourced<string> {
  const source = { from: 'default', name: '' } as const;
  const running = sources.runningSandbox;
  if (running !== null && (credential.from !== 'variable' || credential.local)) {
    return { value: running.base, source: { from: 'sandbox', name: '' } };
  }
  const environment = sources.flags.environment ?? (credential.local ? 'local' : credential.marker);
  const value = environment === null ? undefined : provider.bases[environment];
  if (value !== undefined) return { value, source };
  throw usage('the credential does not say which environment it is for, and no host is given', {
    code: 'no_environment',
    next: 'set CC_BASE, or save it as a profile: credicorp login --env sandbox',
  });
}

function chooseEnvironment({ sources, profile, provider }: Known, base: Sourced<string>): Sourced<Environment> {
  const { environment } = sources.flags;
  if (environment !== undefined) {
    const value = environmentOfBase(base.value, environment, provider.hosts);
    return { value, source: { from: 'flag', name: '--env' } };
  }
  // What a profile says about its own host does not carry over to another host.
  const own = profile !== null && originOf(profile.value.base) === originOf(base.value) ? profile.value : null;
  if (own !== null) {
    const value = environmentOfBase(base.value, own.environment, provider.hosts);
    return { value, source: { from: 'profile', name: own.name } };
  }
  return { value: environmentOfBase(base.value, null, provider.hosts), source: base.source };
}

function chooseTokenUrl(known: Known, base: string): Sourced<string> | null {
  const { sources, variables, profile } = known;
  const { flags } = sources;
  if (flags.tokenUrl !== undefined) {
    return { value: parseTokenUrl(flags.tokenUrl), source: { from: 'flag', name: '--token-url' } };
  }
  if (variables.tokenUrl !== null) {
    return { value: variables.tokenUrl.value, source: { from: 'variable', name: variables.tokenUrl.name } };
  }
  const pin = pinThatCounts(known);
  if (pin?.tokenUrl !== undefined) {
    const already = pin.tokenUrl === profile?.value.tokenUrl || originOf(pin.tokenUrl) === originOf(base);
    if (!already) throw pinRefused(pin, pin.tokenUrl, profile);
    return { value: pin.tokenUrl, source: { from: 'pin', name: pin.path } };
  }
  const own = profile?.value.tokenUrl;
  if (profile === null || own === undefined) return null;
  return { value: own, source: { from: 'profile', name: profile.value.name } };
}

/** A pin's hosts belong to its profile: whoever chose a profile by flag, or another by variable, left them behind. */
function pinThatCounts({ sources: { pin }, profile }: Known): Pin | null {
  if (profile?.source.from === 'flag') return null;
  return pin?.profile === undefined || pin.profile === profile?.value.name ? pin : null;
}

/**
 * A pinned base passes when the secret goes there anyway: it is the profile's own, or the running sandbox's for the sandbox's
 * public credential, or, for a credential out of the environment, one of the provider's own hosts.
 */
function assertPinnedBase({ sources, profile, provider, credential }: Known, pin: Pin, base: string): void {
  if (profile !== null && base === profile.value.base) return;
  if (credential.local && base === sources.runningSandbox?.base) return;
  const known = environmentOfHost(base, provider.hosts);
  const usual = new URL(base).port === '';
  if (credential.from === 'variable' && usual && (known === 'sandbox' || known === 'live')) return;
  throw pinRefused(pin, base, profile);
}

function pinRefused(pin: Pin, url: string, profile: Sourced<Profile> | null): Failure {
  const whose = profile === null ? 'the credential' : `the secret of profile ${profile.value.name}`;
  return usage(`${pin.path} would send ${whose} to ${new URL(url).host}, where it does not belong`, {
    code: 'pin_refused',
    next: 'take the host out of the file, or say it yourself with --api-base or --token-url',
  });
}
