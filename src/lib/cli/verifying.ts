/** A signature's verdict as a person reads it and as a script does. */
import { ACOUNTPAY_HEADERS, type GenuineAcountPay, verifyAcountPay } from '../contract/acountpay-signature.ts';
import { SIGNATURE_ADVICE } from '../contract/signature-advice.ts';
import { type GenuineSignature, type RefusedSignature, verify } from '../contract/signature.ts';
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

/** Schemes that can be judged: ours, and the two generations of AcountPay. */
export const PROVIDERS = ['credicorp', 'acountpay', 'acountpay-v2'] as const;

export interface JudgedDelivery {
  /** Value of the signature header, with or without its name. */
  header: string | undefined;
  timestamp: string | undefined;
  body: Uint8Array;
  secrets: readonly string[];
  /** Unix seconds. */
  now: number;
  tolerance: number;
  others: OtherSecrets;
}

export type Verdict = GenuineSignature | GenuineAcountPay | RefusedSignature;

export function judgeDelivery(provider: (typeof PROVIDERS)[number], delivery: JudgedDelivery): Verdict {
  const { body, secrets, now, tolerance, others } = delivery;
  const header = delivery.header?.replace(/^[a-z-]+-signature:[ \t]*/i, '');
  if (provider === 'credicorp') {
    const otherSecrets = { otherEnvironmentSecrets: others.environment, otherEndpointSecrets: others.endpoint };
    return verify({ header, body, secrets, now, tolerance, ...otherSecrets });
  }
  const generation = provider === 'acountpay' ? 1 : 2;
  const names = ACOUNTPAY_HEADERS[generation];
  const headers: Record<string, string | undefined> = { [names.signature]: header };
  if (names.timestamp !== null) headers[names.timestamp] = delivery.timestamp;
  return verifyAcountPay({ generation, headers, body, secrets, now, tolerance });
}

export function genuine(
  verdict: GenuineSignature | GenuineAcountPay,
  now: number,
  secrets: number,
): { document: Record<string, unknown>; human: string } {
  const age = verdict.timestamp === null ? null : now - verdict.timestamp;
  const when = age === null ? 'at no known time' : age < 0 ? `${-age} s ahead` : `${age} s ago`;
  const which = secrets > 1 ? `, with secret ${verdict.secretIndex + 1} of ${secrets}` : '';
  const document = {
    valid: true,
    cause: null,
    timestamp: verdict.timestamp,
    age_seconds: age,
    secret_index: verdict.secretIndex,
    warnings: verdict.warnings,
  };
  const warning = verdict.warnings.map((name) => `warning: ${name}: ${WARNINGS[name]}\n`).join('');
  return { document, human: `genuine: signed ${when}${which}\n${warning}` };
}

/** What to tell the owner of a handler (webhooks page §4). */
const WARNINGS = {
  last_v1_only:
    'a handler that keeps only the last v1 refuses this delivery while the secret is rotated; compare every v1',
  no_replay_protection: 'nothing says when it was signed, so a copy of it stays genuine; remember what was processed',
};

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
