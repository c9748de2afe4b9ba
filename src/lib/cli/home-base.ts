/** Which API is meant where no credential is needed: the identity's, else the one a flag names, else the hosted sandbox. */
import { DEFAULT_BASES, type Environment, environmentOfHost, parseBase } from '../contract/environments.ts';
import { Failure } from '../failure.ts';
import type { Session } from './session.ts';

export interface HomeBase {
  base: string;
  environment: Environment;
}

/** @throws Failure `usage` for contradictions, as every command does */
export function homeBase(session: Session, flag: string | undefined): HomeBase {
  try {
    const { base, environment } = session.identity;
    return { base: base.value, environment: environment.value };
  } catch (error) {
    // Nobody signed in: that is no reason not to look at the platform.
    if (!(error instanceof Failure && error.kind === 'auth')) throw error;
    const base = flag === undefined ? DEFAULT_BASES.sandbox : parseBase(flag);
    return { base, environment: environmentOfHost(base) ?? 'sandbox' };
  }
}
