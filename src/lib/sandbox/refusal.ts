/** A request the sandbox answers with the error envelope (partner-api.md#errors). Thrown by handlers, turned into an answer by the pipeline. */
import type { ProblemCode, ProblemDetail } from '../contract/problem.ts';

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
