/** Faults of HTTP exchanges in action (sandbox.md#fault-injection). */
import { setTimeout as sleep } from 'node:timers/promises';
import { challenge } from './credentials.ts';
import { refusalAnswer } from './envelope.ts';
import { DROPPED, type Answer, type Call, type Outgoing } from './exchange.ts';
import type { Fault, FaultKind, Faults } from './faults.ts';
import { Refusal } from './refusal.ts';

export type HttpFault = Fault;

const HTTP_KINDS: ReadonlySet<FaultKind> = new Set([
  'error',
  'latency',
  'drop_before',
  'drop_after',
  'html',
  'bad_json',
  'token_expired',
]);

/** The code the sandbox would use for a status of itself. */
const USUAL_CODES: Readonly<Record<number, string>> = {
  400: 'invalid_request',
  401: 'unauthorized',
  403: 'insufficient_scope',
  404: 'resource_missing',
  409: 'state_conflict',
  413: 'payload_too_large',
  422: 'validation_error',
  429: 'rate_limit_exceeded',
  503: 'service_unavailable',
};

/** The fault that applies to this call, if any. */
export function takeFault(faults: Faults, call: Call): HttpFault | null {
  const fault = faults.take(HTTP_KINDS, { method: call.request.method, path: call.request.path });
  call.faultId = fault?.id ?? null;
  return fault;
}

/** The answer of a fault that keeps the request from being executed; null for one that lets it through. */
export function answerInstead(call: Call, fault: HttpFault): Outgoing | null {
  if (fault.kind === 'drop_before') return DROPPED;
  if (fault.kind === 'html') return edgePage(fault);
  if (fault.kind === 'token_expired') {
    return refusalAnswer(call, challenge('token_expired', 'The access token has expired.'));
  }
  return fault.kind === 'error' ? refusalAnswer(call, ordered(fault)) : null;
}

function ordered(fault: HttpFault): Refusal {
  const status = fault.status ?? 503;
  const code = fault.code ?? USUAL_CODES[status] ?? (status >= 500 ? 'internal_error' : 'invalid_request');
  const headers = fault.retry_after === null ? {} : { 'Retry-After': String(fault.retry_after) };
  return new Refusal(code, fault.message ?? 'This error was ordered by a fault.', { status, headers });
}

export function waitAsAsked(fault: HttpFault | null): void | Promise<void> {
  return fault?.kind === 'latency' && fault.delay_ms > 0 ? sleep(fault.delay_ms) : undefined;
}

/** What becomes of an answer that was executed and kept. */
export function spoil(fault: HttpFault | null, answer: Outgoing): Outgoing {
  if (answer === DROPPED || fault === null) return answer;
  if (fault.kind === 'drop_after') return DROPPED;
  if (fault.kind !== 'bad_json') return answer;
  return { ...answer, body: answer.body.slice(0, Math.floor(answer.body.length / 2)) };
}

/** As an edge proxy would write it. */
function edgePage(fault: HttpFault): Answer {
  const status = fault.status ?? 502;
  const body = `<html>\r\n<head><title>${status}</title></head>\r\n<body><center><h1>${status}</h1></center><hr></body>\r\n</html>\r\n`;
  return { status, headers: { 'Content-Type': 'text/html' }, body };
}
