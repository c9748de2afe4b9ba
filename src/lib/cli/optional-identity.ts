/** Who is signed in and which API is meant, for commands that work without a credential too. */
import type { Identity } from '../auth/credentials/client-identity.ts';
import { DEFAULT_BASES, type Environment, environmentOfHost, parseBase } from '../contract/environments.ts';
import { Failure } from '../failure.ts';
import type { Session } from './session.ts';

/** Null when nobody is signed in. @throws Failure `usage` when the sources contradict each other */
export function optionalIdentity(session: Session): Identity | null {
  try {
    return session.identity;
  } catch (error) {
    if (error instanceof Failure && error.kind === 'auth') return null;
    throw error;
  }
}

export interface ApiHost {
  base: string;
  environment: Environment;
}

/**
 * The API of the identity, else the one given with `--api-base`, else the hosted sandbox.
 * @throws Failure `usage` when the sources contradict each other
 */
export function apiHost(session: Session, flag: string | undefined): ApiHost {
  const identity = optionalIdentity(session);
  if (identity !== null) return { base: identity.base.value, environment: identity.environment.value };
  const base = flag === undefined ? DEFAULT_BASES.sandbox : parseBase(flag);
  return { base, environment: environmentOfHost(base) ?? 'sandbox' };
}
