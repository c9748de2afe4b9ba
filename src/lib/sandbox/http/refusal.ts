/** A request the sandbox answers with the error envelope (partner-api.md#errors). Thrown by handlers, turned into an answer by the pipeline. */
import { problem, type ProblemCode, type ProblemDetail } from '../../contract/problem.ts';
import { type SandboxAnswer, type SandboxCall, json } from './call.ts';

export interface RefusalFacts {
  param?: string;
  details?: readonly ProblemDetail[];
  /** Only when it is not the usual one of the code. */
  status?: number;
  headers?: Record<string, string>;
}

export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly code: string;
  readonly facts: RefusalFacts;

  constructor(code: string, message: string, facts: RefusalFacts = {}) {
    super(message);
    this.code = code;
    this.facts = facts;
  }
}

/** `param` is the offending field, dotted. */
export function refuse(code: ProblemCode, message: string, param?: string, facts: RefusalFacts = {}): Refusal {
  return new Refusal(code, message, param === undefined ? facts : { ...facts, param });
}

// A refusal as the error envelope of partner-api.md#errors.

/** Any other thrown value is a bug of the sandbox: 500, and its trace goes to the notes of the log. */
export function refusalAnswer(call: SandboxCall, error: unknown): SandboxAnswer {
  const known = error instanceof Refusal ? error : new Refusal('internal_error', 'The sandbox failed on this request.');
  if (known !== error)
    call.notes.push(`bug: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  const { param, details, status, headers } = known.facts;
  call.errorCode = known.code;
  call.errorParam = param ?? null;
  const envelope = problem(known.code, {
    message: known.message,
    requestId: call.requestId,
    environment: 'sandbox',
    ...(param === undefined ? {} : { param }),
    ...(details === undefined ? {} : { details }),
    ...(status === undefined ? {} : { status }),
  });
  call.errorType = envelope.body.error.type;
  return json(envelope.status, envelope.body, headers);
}
