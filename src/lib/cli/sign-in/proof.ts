/** Checks a credential with a call to the API, and reads the server's clock. */
import type { TokenEntry } from '../../auth/token/access-token.ts';
import { isRecord, parseJson } from '../../contract/json.ts';
import { Failure } from '../../failure.ts';
import type { Session } from '../session.ts';

/** How a credential was proven: by a call that the API took, by a token that was just minted, or not at all. */
export type ProvenBy = 'call' | 'mint' | 'nothing';

/**
 * Proves the session's credential. A cached token proves nothing by itself, so the API is asked; where no harmless call is known, a
 * new token is minted.
 * @throws Failure when the API refuses it
 */
export async function proveNow(session: Session): Promise<{ by: ProvenBy; token: TokenEntry | null }> {
  const { mode, provider } = session.identity;
  if (provider.probePath !== null) {
    await proveByRead(session, provider.probePath);
    return { by: 'call', token: await session.currentToken() };
  }
  if (mode !== 'oauth') return { by: 'nothing', token: null };
  const held = await session.currentToken();
  if (held !== null) await session.token({ refused: held.token });
  return { by: 'mint', token: await session.currentToken() };
}

/** A read that fails with a wrong credential. Lacking a scope is no reason to refuse it. */
export async function proveByRead(session: Session, path: string): Promise<void> {
  const client = await session.client();
  try {
    await client.request({ method: 'GET', path, anyBody: true });
  } catch (error) {
    if (!(error instanceof Failure && error.facts.code === 'insufficient_scope')) throw error;
  }
}

/** The server's time, in milliseconds since the epoch: an embedded sandbox may have one of its own. */
export async function serverNow(session: Session, now: number): Promise<number> {
  const { base, environment } = session.identity;
  if (environment.value !== 'local') return now;
  try {
    const { send } = await session.transport({ unrecorded: true });
    const url = `${base.value}/_sandbox/health`;
    const answer = await send({ method: 'GET', url, headers: { accept: 'application/json' }, timeoutMs: 2000 });
    const health = parseJson(answer.text);
    const at = isRecord(health) && typeof health['now'] === 'string' ? Date.parse(health['now']) : NaN;
    return Number.isNaN(at) ? now : at;
  } catch {
    return now;
  }
}
