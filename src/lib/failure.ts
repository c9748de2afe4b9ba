/**
 * The one error this program throws on purpose. Everything else that is thrown is a bug.
 *
 * A failure is a kind from a closed list, the facts that are known, and what to do next. It never carries a secret: messages are
 * written from facts that were redacted or are public (status, code, param, request id).
 */

/** The classes of what can go wrong; `cli/explain` maps each to an exit status. */
export type FailureKind =
  | 'refused'
  | 'usage'
  | 'not_found'
  | 'auth'
  | 'rate_limited'
  | 'unavailable'
  | 'bad_signature'
  | 'pending'
  | 'unmet'
  | 'bug'
  | 'interrupted';

/** What is known about a failure. All optional; only public facts. */
export interface FailureFacts {
  /** HTTP status, when an answer arrived. */
  status?: number;
  /** `error.type` of the API envelope. */
  type?: string;
  /** `error.code` of the API envelope, or our own machine-readable cause (`keychain_locked`, …). */
  code?: string;
  /** The offending field or flag, dotted. */
  param?: string;
  /** Every failing field of the pass, when the server itemised them. */
  details?: { param: string; code?: string; message?: string }[];
  requestId?: string;
  /** Where the server documents the error. */
  docUrl?: string;
  /** Seconds after which a new try makes sense. */
  retryAfter?: number;
  /** One line: what to do next. */
  next?: string;
  /** The last state seen before a wait ended, as the server sent it. */
  last?: unknown;
  /** Cursor from which an interrupted list can be resumed. */
  cursor?: string;
  /** At least a part of the request was sent: that no answer came does not mean that nothing happened. */
  sent?: true;
  /** A write was sent and got no definite answer. */
  mayHaveHappened?: true;
  /** The idempotency key of that write. */
  idempotencyKey?: string;
  /** The command line that repeats it with the same key. */
  repeat?: string;
}

export class Failure extends Error {
  override readonly name = 'Failure';
  readonly kind: FailureKind;
  readonly facts: FailureFacts;

  /** @param message what happened: lower case, no full stop, no secret. */
  constructor(kind: FailureKind, message: string, facts: FailureFacts = {}, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.kind = kind;
    this.facts = facts;
  }
}

/** A mistake on the command line or in configuration: nothing was sent. */
export function usage(message: string, facts: FailureFacts = {}, cause?: unknown): Failure {
  return new Failure('usage', message, facts, cause);
}
