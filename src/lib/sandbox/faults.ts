/** Faults ordered by the user (sandbox.md#fault-injection): the first one that matches applies, in order of creation. */
import type { IdPrefix } from './identifiers.ts';

export const FAULT_KINDS = [
  'error',
  'latency',
  'drop_before',
  'drop_after',
  'html',
  'bad_json',
  'token_expired',
  'rotate_keys',
  'payment_fail',
  'webhook_fail',
  'webhook_duplicate',
  'webhook_reorder',
  'webhook_delay',
  'webhook_bad_signature',
  'webhook_stale',
  'webhook_body_only',
] as const;

export type FaultKind = (typeof FAULT_KINDS)[number];

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

/** What a fault is held against; members a kind does not look at may be absent. */
export interface Occasion {
  method?: string;
  path?: string;
  applicationId?: string | null;
  event?: string;
  endpoint?: string;
}

export interface Faults {
  add(fault: Omit<Fault, 'id' | 'remaining'>): Fault;
  /** Those still in force, oldest first. */
  list(): { n: number; fault: Fault }[];
  /** One, or all of them. */
  remove(id: string | null): void;
  /** Takes the first fault of these kinds that fits, counting it down. */
  take(kinds: ReadonlySet<FaultKind>, occasion: Occasion): Fault | null;
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
    take(kinds, occasion) {
      if (kept.length === 0) return null;
      for (const { fault } of inForce()) {
        if (!kinds.has(fault.kind) || !fits(fault, occasion)) continue;
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

function fits({ kind, match }: Fault, occasion: Occasion): boolean {
  if (kind.startsWith('webhook_')) {
    return matches(match.event, occasion.event) && matches(match.endpoint, occasion.endpoint);
  }
  if (kind === 'payment_fail') {
    return match.application_id === undefined || match.application_id === occasion.applicationId;
  }
  if (match.method !== undefined && match.method.toUpperCase() !== occasion.method) return false;
  return match.path === undefined || pathFits(match.path, occasion.path ?? '');
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
