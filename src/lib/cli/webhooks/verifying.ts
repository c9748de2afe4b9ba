/** `webhooks verify`: checks a signature with the known secrets, and explains the verdict for people and for scripts. */
import * as Flags from '@oclif/core/flags';
import { findProvider, type Provider } from '../../auth/providers/provider.ts';
import { SIGNATURE_ADVICE, type SignatureAdvice } from '../../contract/signature-advice.ts';
import {
  type GenuineSignature,
  liveSecrets,
  type RefusedSignature,
  type SignatureVerdict,
  verifyScheme,
} from '../../contract/signature.ts';
import { derivedEventId } from '../../contract/webhook-scheme.ts';
import { Failure } from '../../failure.ts';
import type { Context } from '../context.ts';
import { optionalIdentity } from '../optional-identity.ts';
import { DOCUMENTED_VALUES } from '../flags.ts';
import type { Session } from '../session.ts';
import { storedListenerSecret } from './listener-secret.ts';
import { type OtherSecrets, otherSecrets, webhookSecret } from './webhook-secrets.ts';

/** Stored secrets: those used unless others are given, and those that only explain a mismatch. Never prompts. */
export async function knownSecrets(
  context: Context,
  session: Session,
  endpoint: string | null,
): Promise<{ own: string[]; others: OtherSecrets }> {
  const me = optionalIdentity(session);
  const own = me === null ? [] : await ownSecrets(context, session, endpoint).catch(() => []);
  const mine = me === null ? null : { account: me.account, environment: me.environment.value };
  const others = await otherSecrets(context, session, mine, endpoint ?? 'last');
  return { own, others };
}

/** An app's deliveries are signed by the listener, those of the inbox by the sender, with the secret of the last endpoint. */
async function ownSecrets(context: Context, session: Session, endpoint: string | null): Promise<string[]> {
  const of = await webhookSecret(session, endpoint ?? undefined);
  const listener = endpoint === null ? await storedListenerSecret(context, session) : null;
  const own = listener === null ? [] : liveSecrets(listener, context.now());
  return of === null ? own : [...own, of];
}

/** `--provider`: whose webhook scheme. */
export const providerFlag = Flags.string({
  completes: DOCUMENTED_VALUES.provider,
  helpValue: '<name>',
  summary: "signature scheme: credicorp, acountpay, acountpay-v2 or one of your own [default: the profile's]",
});

/** @throws Failure `usage` (`unknown_provider`, `bad_provider`) */
export function senderOf(context: Context, session: Session, name: string | undefined): Provider {
  if (name !== undefined) return findProvider(name, context.paths.config);
  return optionalIdentity(session)?.provider ?? findProvider('credicorp', context.paths.config);
}

export interface DeliveryToVerify {
  /** Value of the signature header, with or without its name. */
  header: string | undefined;
  timestamp: string | undefined;
  body: Uint8Array;
  secrets: readonly string[];
  /** Unix seconds. */
  now: number;
  /** Seconds; undefined for the scheme's own. */
  tolerance: number | undefined;
  others: OtherSecrets;
}

export function verifyDelivery({ webhooks }: Provider, delivery: DeliveryToVerify): SignatureVerdict {
  const { header, timestamp, others, tolerance, ...rest } = delivery;
  const headers = {
    [webhooks.signatureHeader]: valueOf(header, webhooks.signatureHeader),
    ...(webhooks.timestampHeader === null
      ? {}
      : { [webhooks.timestampHeader]: valueOf(timestamp, webhooks.timestampHeader) }),
  };
  return verifyScheme(webhooks, headers, {
    ...rest,
    ...(tolerance === undefined ? {} : { tolerance }),
    otherEnvironmentSecrets: others.environment,
    otherEndpointSecrets: others.endpoint,
  });
}

/** Accepts a header with or without its name. */
function valueOf(header: string | undefined, name: string): string | undefined {
  return header?.toLowerCase().startsWith(`${name}:`) ? header.slice(name.length + 1) : header;
}

export function genuine(
  verdict: GenuineSignature,
  { now, secrets, body }: DeliveryToVerify,
  { webhooks }: Provider,
): { document: Record<string, unknown>; human: string } {
  const age = verdict.timestamp === null ? null : now - verdict.timestamp;
  const when = age === null ? 'at an unknown time' : age < 0 ? `${-age} s ahead` : `${age} s ago`;
  const which = secrets.length > 1 ? `, with secret ${verdict.secretIndex + 1} of ${secrets.length}` : '';
  const document = {
    valid: true,
    cause: null,
    timestamp: verdict.timestamp,
    age_seconds: age,
    secret_index: verdict.secretIndex,
    warnings: verdict.warnings,
    // Where deliveries carry no id of their own.
    ...(webhooks.eventId === null ? {} : { event_id: derivedEventId(webhooks, body) }),
  };
  const warning = verdict.warnings.map((name) => `warning: ${name}: ${WARNINGS[name]}\n`).join('');
  return { document, human: `genuine: signed ${when}${which}\n${warning}` };
}

/** Advice for the owner of a handler (webhooks.md#causes-of-a-refused-signature). */
const WARNINGS = {
  last_v1_only:
    'a handler that keeps only the last v1 refuses this delivery while the secret is rotated; compare every v1',
  no_replay_protection: 'the signature has no time, so a copy of it stays valid; remember which events were processed',
};

/** The failure of a signature: the cause is its code, the whole verdict its last state. */
export function badSignature(verdict: RefusedSignature, provider: Provider): Failure {
  const { meaning, next } = adviceOf(verdict.cause, provider);
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

/** Advice for the provider's scheme: the texts are about Credicorp's, so another scheme is described instead. */
function adviceOf(cause: RefusedSignature['cause'], { name, title, webhooks }: Provider): SignatureAdvice {
  const advice = SIGNATURE_ADVICE[cause];
  if (name === 'credicorp') return advice;
  const { signatureHeader, signature, signed, hash, encoding } = webhooks;
  const scheme = `${title} sends ${signatureHeader}: ${signature}, where mac is the HMAC-${hash.toUpperCase()} of ${signed} in ${encoding}`;
  const spoken = (text: string): string =>
    text
      .replaceAll('Credicorp-Signature', signatureHeader)
      .replaceAll('Credicorp', title)
      .replaceAll(/\bv1\b/g, 'the signature');
  return {
    meaning: spoken(advice.meaning),
    next: /\bv1=|\bt\b|hex|MAC|HMAC/.test(advice.next) ? scheme : spoken(advice.next),
  };
}
