/** A signature's verdict as a person reads it and as a script does. */
import { SIGNATURE_ADVICE } from '../contract/signature-advice.ts';
import type { GenuineSignature, RefusedSignature } from '../contract/signature.ts';
import { Failure } from '../failure.ts';
import type { Context } from './context.ts';
import { identityIfAny } from './identity-if-any.ts';
import type { Session } from './session.ts';
import { type OtherSecrets, otherSecrets, secretOf } from './webhook-secrets.ts';

/** What is stored here: the secrets that count unless others are given, and those that only explain. Asks nobody. */
export async function knownSecrets(
  context: Context,
  session: Session,
  endpoint: string | null,
): Promise<{ own: string[]; others: OtherSecrets }> {
  const me = identityIfAny(session);
  const own = me === null ? null : await secretOf(session, endpoint ?? undefined).catch(() => null);
  const mine = me === null ? null : { account: me.account, environment: me.environment.value };
  const others = await otherSecrets(context, session, mine, endpoint ?? 'last');
  return { own: own === null ? [] : [own], others };
}

export function genuine(
  verdict: GenuineSignature,
  now: number,
  secrets: number,
): { document: Record<string, unknown>; human: string } {
  const age = now - verdict.timestamp;
  const when = age < 0 ? `${-age} s ahead` : `${age} s ago`;
  const which = secrets > 1 ? `, with secret ${verdict.secretIndex + 1} of ${secrets}` : '';
  const document = {
    valid: true,
    cause: null,
    timestamp: verdict.timestamp,
    age_seconds: age,
    secret_index: verdict.secretIndex,
    warnings: verdict.warnings,
  };
  const warning = verdict.warnings.includes('last_v1_only') ? `warning: last_v1_only: ${LAST_V1_ONLY}\n` : '';
  return { document, human: `genuine: signed ${when}${which}\n${warning}` };
}

/** What to tell the owner of a handler that reads the header into a map (webhooks page §4). */
const LAST_V1_ONLY =
  'a handler that keeps only the last v1 refuses this delivery while the secret is rotated; compare every v1';

/** The failure of a signature: the cause is its code, the whole verdict its last state. */
export function badSignature(verdict: RefusedSignature): Failure {
  const { meaning, next } = SIGNATURE_ADVICE[verdict.cause];
  const skew = verdict.skewSeconds;
  const age = skew === undefined ? '' : ` (${Math.abs(skew)} s ${skew < 0 ? 'ahead' : 'old'})`;
  const primary = verdict.cause === 'stale_timestamp' || verdict.cause === 'future_timestamp';
  const also = verdict.also.map((code) => ({ param: 't', code, message: `${code.replace('_', ' ')} as well${age}` }));
  return new Failure('bad_signature', [`${meaning}${primary ? age : ''}`, verdict.detail].filter(Boolean).join(': '), {
    code: verdict.cause,
    next,
    ...(also.length === 0 ? {} : { details: also }),
    last: {
      valid: false,
      cause: verdict.cause,
      also: verdict.also,
      skew_seconds: skew ?? null,
      detail: verdict.detail,
    },
  });
}
