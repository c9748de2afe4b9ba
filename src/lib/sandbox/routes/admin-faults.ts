/** Admin routes about faults (sandbox.md#fault-injection). */
import * as z from 'zod/mini';
import { cutPage, readPageQuery } from '../state/cursors.ts';
import { empty, json, type SandboxAnswer, type SandboxCall } from '../http/call.ts';
import { FAULT_KINDS, type FaultKind } from '../../contract/faults.ts';
import type { Fault, FaultMatch } from '../state/fault-injection.ts';
import { at, integerType, validate, oneOf, described, textType, within, type Field } from '../http/fields.ts';
import { refuse } from '../http/refusal.ts';
import type { SandboxRoute } from '../requests/router.ts';
import type { SandboxState } from '../state/state.ts';

const PATH = '/_sandbox/faults';
const LONGEST_DELAY_MS = 60_000;

export function faultRoutes(state: SandboxState): SandboxRoute[] {
  return [
    { method: 'POST', path: PATH, plane: 'admin', handle: (call) => add(state, call) },
    { method: 'GET', path: PATH, plane: 'admin', handle: (call) => list(state, call) },
    { method: 'DELETE', path: PATH, plane: 'admin', handle: (call) => remove(state, call) },
  ];
}

const share = described(z.number(), 'a number');

const FIELDS: readonly Field[] = [
  { path: 'kind', required: true, type: oneOf(...FAULT_KINDS) },
  ...['method', 'path', 'application_id', 'event', 'endpoint'].map((name) => ({
    path: `match.${name}`,
    type: textType,
  })),
  between('status', 400, 599),
  { path: 'code', type: textType },
  { path: 'message', type: textType },
  between('retry_after', 0, 86_400),
  between('delay_ms', 0, 72 * 3_600_000),
  between('probability', 0, 1, share),
  between('for_ms', 1, 365 * 86_400_000),
  between('times', 0, 1_000_000),
];

function between(path: string, least: number, most: number, type: z.ZodMiniType<number> = integerType): Field {
  return { path, type, range: within(type, least, most, `${path} must be ${least} to ${most}.`) };
}

function add(state: SandboxState, call: SandboxCall): SandboxAnswer {
  const { body } = call;
  validate(body, FIELDS);
  const kind = FAULT_KINDS.find((known) => known === at(body, 'kind')) ?? 'error';
  const facts = factsOf(body, kind);
  if (kind === 'latency' && facts.delay_ms > LONGEST_DELAY_MS) {
    throw refuse('validation_error', `delay_ms must be 0 to ${LONGEST_DELAY_MS}.`, 'delay_ms');
  }
  // Done at once: it does not stay active.
  if (kind === 'rotate_keys') {
    state.keyring.rotate(state.clock.now());
    state.persistence.put('state', 'keys', state.keyring.save());
    return json(201, { id: state.ids.next('flt_'), ...facts, remaining: 0 });
  }
  return json(201, state.faults.add(facts));
}

/** Members in documented order, defaults filled in. */
function factsOf(body: unknown, kind: FaultKind): Omit<Fault, 'id' | 'remaining'> {
  const number = (name: string): number | null => {
    const value = at(body, name);
    return typeof value === 'number' ? value : null;
  };
  const string = (name: string): string | null => {
    const value = at(body, name);
    return typeof value === 'string' ? value : null;
  };
  return {
    kind,
    match: matchOf(body),
    status: number('status') ?? (kind === 'error' ? 503 : kind === 'html' ? 502 : null),
    code: string('code'),
    message: string('message'),
    retry_after: number('retry_after'),
    delay_ms: number('delay_ms') ?? 0,
    probability: number('probability') ?? 1,
    for_ms: number('for_ms'),
    times: number('times') ?? 1,
  };
}

function matchOf(body: unknown): FaultMatch {
  const names = ['method', 'path', 'application_id', 'event', 'endpoint'] as const;
  const match: FaultMatch = {};
  for (const name of names) {
    const value = at(body, `match.${name}`);
    if (typeof value === 'string') match[name] = value;
  }
  return match;
}

function list(state: SandboxState, call: SandboxCall): SandboxAnswer {
  const page = readPageQuery(call.search, state.seed, PATH);
  return json(
    200,
    cutPage(state.faults.list(), page, state.seed, PATH, ({ fault }) => fault),
  );
}

function remove(state: SandboxState, call: SandboxCall): SandboxAnswer {
  const id = call.search.get('id');
  if (id !== null && !state.faults.list().some(({ fault }) => fault.id === id)) {
    throw refuse('resource_missing', `No such fault: ${id.slice(0, 64)}.`, 'id');
  }
  state.faults.remove(id);
  return empty(204);
}
