/** The signature check in steps, in the order of webhooks.md#verification: which passed and which failed. Shows no MAC and no secret. */
import { SIGNATURE_ADVICE } from '../contract/signature-advice.ts';
import type { SignatureCause } from '../contract/signature.ts';

export interface SignatureStep {
  /** `unseen`: the check ended before this step. */
  state: 'good' | 'bad' | 'unseen' | 'warn';
  text: string;
}

export interface CheckedSignature {
  /** The `Credicorp-Signature` header; null when there was none. */
  header: string | null;
  /** Milliseconds since the epoch. */
  receivedAt: number;
  bytes: number;
  verdict: 'valid' | 'unverified' | 'rejected';
  cause: string | null;
  also: readonly string[];
  warnings: readonly string[];
  /** Seconds. */
  tolerance: number;
}

/** The step at which each cause ends the check. */
const STOPS: Readonly<Record<SignatureCause, number>> = {
  missing_header: 0,
  malformed_header: 1,
  missing_timestamp: 2,
  duplicate_timestamp: 2,
  malformed_timestamp: 2,
  missing_v1: 3,
  malformed_signature: 3,
  uppercase_hex: 3,
  base64_signature: 3,
  body_only_hmac: 4,
  whitespace_in_secret: 4,
  quoted_secret: 4,
  secret_prefix_removed: 4,
  wrong_signed_string: 4,
  body_newline_changed: 4,
  body_reserialised: 4,
  secret_other_environment: 4,
  secret_other_endpoint: 4,
  wrong_secret: 4,
  stale_timestamp: 5,
  future_timestamp: 5,
};

export function signatureSteps(checked: CheckedSignature): SignatureStep[] {
  const { verdict, cause, also, warnings } = checked;
  if (verdict === 'unverified') {
    return [{ state: 'warn', text: 'not checked: the listener runs with --skip-verify' }];
  }
  const known = isCause(cause) ? cause : null;
  // A delivery that could not be stored says nothing about its signature.
  if (cause !== null && known === null) return [];
  const stop = known === null ? Infinity : STOPS[known];
  const steps = describe(checked).map((text, place): SignatureStep => {
    if (place < stop) return { state: 'good', text };
    return place === stop ? { state: 'bad', text: reason(text, known) } : { state: 'unseen', text };
  });
  const age = steps.at(-1);
  if (age !== undefined && also.some(isAge)) age.state = 'bad';
  if (warnings.includes('last_v1_only')) steps.push({ state: 'warn', text: LAST_ONLY });
  return steps;
}

const LAST_ONLY =
  'the last v1 is not the one that matches, which is normal while a secret is rotated: code that reads only the last v1 rejects this delivery';

function reason(text: string, cause: SignatureCause | null): string {
  return cause === null ? text : `${text}: failed, ${SIGNATURE_ADVICE[cause].meaning}`;
}

function describe({ header, receivedAt, bytes, tolerance }: CheckedSignature): string[] {
  const pieces = (header ?? '').split(/[,\s]+/).filter(Boolean);
  const times = pieces.filter((piece) => piece.startsWith('t=')).map((piece) => piece.slice(2));
  const count = pieces.filter((piece) => piece.startsWith('v1=')).length;
  const t = times.length === 1 && /^(?:0|[1-9]\d{0,11})$/.test(times[0] ?? '') ? Number(times[0]) : null;
  const skew = t === null ? null : Math.floor(receivedAt / 1000) - t;
  const age = skew === null ? '' : `; it was signed ${Math.abs(skew)} s ${skew < 0 ? 'after' : 'before'} it arrived`;
  return [
    'the Credicorp-Signature header is present',
    'it is a list of name=value',
    `it has one t, the time of signing in whole seconds${t === null ? '' : ` (t=${t})`}`,
    `it has a v1 of 64 lower-case hex digits${count > 1 ? ` (one of ${count})` : ''}`,
    `HMAC-SHA256 over t, a dot and the ${bytes} raw bytes, with a secret of this endpoint, equals a v1`,
    `the time of signing is less than ${tolerance} s from the time of arrival${age}`,
  ];
}

function isCause(text: string | null): text is SignatureCause {
  return text !== null && Object.hasOwn(STOPS, text);
}

function isAge(text: string): boolean {
  return text === 'stale_timestamp' || text === 'future_timestamp';
}
