/** A refusal as the error envelope of partner-api.md#errors. */
import { problem } from '../contract/problem.ts';
import { json, type Answer, type Call } from './exchange.ts';
import { Refusal } from './refusal.ts';

/** Anything but a refusal that was thrown is a fault of ours: 500, and its trace goes to the notes of the log. */
export function refusalAnswer(call: Call, error: unknown): Answer {
  const known = error instanceof Refusal ? error : new Refusal('internal_error', 'The sandbox failed on this request.');
  if (known !== error)
    call.notes.push(`bug: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  const { param, details, status, headers } = known.facts;
  call.errorCode = known.code;
  call.errorParam = param ?? null;
  const told = problem(known.code, {
    message: known.message,
    requestId: call.requestId,
    environment: 'sandbox',
    ...(param === undefined ? {} : { param }),
    ...(details === undefined ? {} : { details }),
    ...(status === undefined ? {} : { status }),
  });
  call.errorType = told.body.error.type;
  return json(told.status, told.body, headers);
}
