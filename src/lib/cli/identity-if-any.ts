/** Who we are, for what works just as well when nobody is signed in. */
import type { Identity } from '../auth/identity.ts';
import { Failure } from '../failure.ts';
import type { Session } from './session.ts';

/** Null when nobody is signed in. @throws Failure `usage` when the sources contradict each other */
export function identityIfAny(session: Session): Identity | null {
  try {
    return session.identity;
  } catch (error) {
    if (error instanceof Failure && error.kind === 'auth') return null;
    throw error;
  }
}
