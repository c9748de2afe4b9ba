/** Fault injection (sandbox.md#fault-injection): holds the faults that the user added; of those that match, the oldest applies. */
import type { FaultKind } from '../../contract/faults.ts';
import { setTimeout as sleep } from 'node:timers/promises';
import { type SandboxAnswer, type SandboxCall, DROPPED, type Outgoing } from '../http/call.ts';
import { Refusal, refusalAnswer } from '../http/refusal.ts';
import { challenge } from '../token/authenticator.ts';
import type { IdPrefix } from './identifiers.ts';

export interface FaultMatch {
  method?: string;
  path?: string;
  application_id?: string;
  event?: string;
  endpoint?: string;
}

/** Members in documented order. */
export interface Fault {
  id: string;
  kind: FaultKind;
  match: FaultMatch;
  status: number | null;
  code: string | null;
  message: string | null;
  retry_after: number | null;
  delay_ms: number;
  probability: number;
  for_ms: number | null;
  times: number;
  remaining: number;
}

interface KeptFault {
  n: number;
  fault: Fault;
  /** Sandbox time at which it ends. */
  until: number;
}

/** What a fault is compared with; members that a kind does not use may be absent. */
export interface FaultTarget {
  method?: string;
  path?: string;
  applicationId?: string | null;
  event?: string;
  endpoint?: string;
}

export interface Faults {
  add(fault: Omit<Fault, 'id' | 'remaining'>): Fault;
  /** The active ones, oldest first. */
  list(): { n: number; fault: Fault }[];
  /** One, or all of them. */
  remove(id: string | null): void;
  /** Takes the first fault of these kinds that fits, counting it down. */
  take(kinds: ReadonlySet<FaultKind>, target: FaultTarget): Fault | null;
}

export interface FaultTools {
  newId(prefix: IdPrefix): string;
  /** A number in [0, 1) from the seed. */
  draw(): number;
  /** Sandbox milliseconds. */
  now(): number;
}

export function createFaults(tools: FaultTools): Faults {
  let kept: KeptFault[] = [];
  let n = 0;
  const inForce = (): KeptFault[] => {
    const now = tools.now();
    if (kept.some(({ until }) => until <= now)) kept = kept.filter(({ until }) => until > now);
    return kept;
  };
  return {
    add(facts) {
      const fault: Fault = { id: tools.newId('flt_'), ...facts, remaining: facts.times };
      n += 1;
      kept.push({ n, fault, until: facts.for_ms === null ? Infinity : tools.now() + facts.for_ms });
      return fault;
    },
    list: () => inForce(),
    remove(id) {
      kept = id === null ? [] : kept.filter(({ fault }) => fault.id !== id);
    },
    take(kinds, target) {
      if (kept.length === 0) return null;
      for (const { fault } of inForce()) {
        if (!kinds.has(fault.kind) || !fits(fault, target)) continue;
        if (fault.probability < 1 && tools.draw() >= fault.probability) continue;
        countDown(fault);
        return fault;
      }
      return null;
    },
  };

  function countDown(fault: Fault): void {
    if (fault.times === 0) return;
    fault.remaining -= 1;
    if (fault.remaining <= 0) kept = kept.filter((one) => one.fault !== fault);
  }
}

function fits({ kind, match }: Fault, target: FaultTarget): boolean {
  if (kind.startsWith('webhook_')) {
    return matches(match.event, target.event) && matches(match.endpoint, target.endpoint);
  }
  if (kind === 'payment_fail') {
    return match.application_id === undefined || match.application_id === target.applicationId;
  }
  if (match.method !== undefined && match.method.toUpperCase() !== target.method) return false;
  return match.path === undefined || pathFits(match.path, target.path ?? '');
}

/** An exact value, or a family such as `payment.*`. */
function matches(pattern: string | undefined, value: string | undefined): boolean {
  if (pattern === undefined || pattern === '*' || pattern === value) return true;
  return pattern.endsWith('.*') && (value ?? '').startsWith(pattern.slice(0, -1));
}

/**
 * `*` within a segment, `**` across segments. Walks the path once with every place of the pattern it can be at: an expression with
 * several stars could take a long path for ever.
 */
function pathFits(pattern: string, path: string): boolean {
  const signs = pattern.match(/\*+|[^*]/g) ?? [];
  let places = withSkipped(signs, [0]);
  for (const sign of path) {
    const next: number[] = [];
    for (const place of places) {
      const wanted = signs[place];
      if (wanted === undefined) continue;
      if (!wanted.startsWith('*')) {
        if (wanted === sign) next.push(place + 1);
      } else if (sign !== '/' || wanted.length > 1) next.push(place);
    }
    places = withSkipped(signs, next);
  }
  return places.has(signs.length);
}

/** A star may stand for nothing. */
function withSkipped(signs: readonly string[], places: readonly number[]): Set<number> {
  const all = new Set(places);
  for (const place of all) if (signs[place]?.startsWith('*')) all.add(place + 1);
  return all;
}

// Applies faults to HTTP requests and answers (sandbox.md#fault-injection).

const HTTP_KINDS: ReadonlySet<FaultKind> = new Set([
  'error',
  'latency',
  'drop_before',
  'drop_after',
  'html',
  'bad_json',
  'token_expired',
]);

/** The error code that the sandbox usually returns with a status. */
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
export function faultFor({ faults }: { faults: Faults }, call: SandboxCall): Fault | null {
  const fault = faults.take(HTTP_KINDS, { method: call.request.method, path: call.request.path });
  call.faultId = fault?.id ?? null;
  return fault;
}

/** The answer of a fault that keeps the request from being executed; null for one that lets it through. */
export function answerInstead(call: SandboxCall, fault: Fault): Outgoing | null {
  if (fault.kind === 'drop_before') return DROPPED;
  if (fault.kind === 'html') return edgePage(fault);
  if (fault.kind === 'token_expired') {
    return refusalAnswer(call, challenge('token_expired', 'The access token has expired.'));
  }
  return fault.kind === 'error' ? refusalAnswer(call, ordered(fault)) : null;
}

function ordered(fault: Fault): Refusal {
  const status = fault.status ?? 503;
  const code = fault.code ?? USUAL_CODES[status] ?? (status >= 500 ? 'internal_error' : 'invalid_request');
  const headers = fault.retry_after === null ? {} : { 'Retry-After': String(fault.retry_after) };
  return new Refusal(code, fault.message ?? 'This error was injected by a fault.', { status, headers });
}

export function delayOf(fault: Fault | null): void | Promise<void> {
  return fault?.kind === 'latency' && fault.delay_ms > 0 ? sleep(fault.delay_ms) : undefined;
}

/** Changes the answer of a request that was executed and stored: drops it, or cuts it in half. */
export function applyAfterAnswer(fault: Fault | null, answer: Outgoing): Outgoing {
  if (answer === DROPPED || fault === null) return answer;
  if (fault.kind === 'drop_after') return DROPPED;
  if (fault.kind !== 'bad_json') return answer;
  return { ...answer, body: answer.body.slice(0, Math.floor(answer.body.length / 2)) };
}

/** As an edge proxy would write it. */
function edgePage(fault: Fault): SandboxAnswer {
  const status = fault.status ?? 502;
  const body = `<html>\r\n<head><title>${status}</title></head>\r\n<body><center><h1>${status}</h1></center><hr></body>\r\n</html>\r\n`;
  return { status, headers: { 'Content-Type': 'text/html' }, body };
}
