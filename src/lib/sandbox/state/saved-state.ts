/** Restores the state from a data file, and gives what is written beside every change (sandbox.md#persistence). */
import { createKeyring, type SavedKey } from '../token/keyring.ts';
import type { ScheduledStep } from './clock.ts';
import { createIdentifiers } from './identifiers.ts';
import { EVENT_LIFE_MS, isWaiting, type Kept, type KeptAnswer } from './objects.ts';
import type { DataFile, SavedRow } from './data-file.ts';
import { RECORD_KINDS, type SandboxState } from './state.ts';

interface SavedClock {
  /** Sandbox and real milliseconds at the same moment. */
  now: number;
  real: number;
  order: number;
}

/** Counters, clock and seed, as they stand now. */
export function clockAndCounters(state: SandboxState): Record<string, object> {
  const clock: SavedClock = { now: state.clock.now(), real: state.settings.now(), order: state.clock.order };
  return {
    seed: { seed: state.seed },
    clock,
    counters: Object.fromEntries(state.ids.counters),
  };
}

/**
 * Fills an empty state. The file's seed is used: ids and cursors depend on it. Any record may be missing from a file that was recovered.
 * @returns false when there was none
 */
export function restore(state: SandboxState, file: DataFile): boolean {
  const saved = new Map<string, unknown>();
  for (const { key, value } of file.read('state')) saved.set(key, value);
  const seed = saved.get('seed') as { seed: string } | undefined;
  if (seed !== undefined) state.seed = seed.seed;
  const counters = saved.get('counters') as Record<string, number> | undefined;
  // Where the counters are lost, ids begin elsewhere: none is given out twice.
  const ids = counters === undefined && file.notices.length > 0 ? `${state.seed}:${state.settings.now()}` : state.seed;
  state.ids = createIdentifiers(ids, new Map(Object.entries(counters ?? {})));
  restoreKeys(state, saved.get('keys') as SavedKey[] | undefined);
  const revoked = saved.get('revoked') as { tokens: string[]; clients: string[] } | undefined;
  if (revoked) state.revoked = { tokens: new Set(revoked.tokens), clients: new Set(revoked.clients) };
  restoreClock(state, saved.get('clock') as SavedClock | undefined);
  for (const kind of RECORD_KINDS) fill(state[kind], file.read(kind));
  restoreAnswers(state, file);
  for (const { value } of file.read('steps')) state.clock.plan(value as ScheduledStep);
  resume(state, file);
  return seed !== undefined;
}

function restoreKeys(state: SandboxState, saved: SavedKey[] | undefined): void {
  const { jwtAlg } = state.settings;
  const own = (saved ?? []).filter(({ kid }) => kid.startsWith(`sbx-${jwtAlg.toLowerCase()}-`));
  state.keyring = createKeyring(state.seed, jwtAlg, own);
}

/** Adds the time that passed while the sandbox was not running, unless the clock is frozen. */
function restoreClock(state: SandboxState, saved: SavedClock | undefined): void {
  if (saved === undefined) return;
  const { frozen, speed } = state.settings.clock;
  const elapsed = frozen ? 0 : Math.max(0, state.settings.now() - saved.real) * speed;
  state.clock.restart(saved.now + elapsed, saved.order);
}

/** What is needed of a collection here: it takes records of its kind. */
interface Fillable {
  add(record: Kept<{ id: string }>): unknown;
}

function fill(collection: Fillable, rows: Iterable<SavedRow>): void {
  const records = Array.from(rows, ({ value }) => value as Kept<{ id: string }>);
  for (const record of records.sort((a, b) => a.n - b.n)) collection.add(record);
}

function restoreAnswers(state: SandboxState, file: DataFile): void {
  const answers = Array.from(file.read('keys'), ({ key, value }) => [key, value as KeptAnswer] as const);
  for (const [name, kept] of answers.sort(([, a], [, b]) => a.at - b.at)) state.keys.kept.set(name, kept);
}

/** Old events go; deliveries that were under way when the process ended are tried again. */
function resume(state: SandboxState, file: DataFile): void {
  const now = state.clock.now();
  const isOld = (created: number): boolean => now - created >= EVENT_LIFE_MS;
  for (const event of state.events.all().filter(({ created }) => isOld(created))) {
    state.events.remove(event);
    file.remove('events', event.resource.id);
  }
  for (const delivery of state.deliveries.all().slice()) {
    const { id } = delivery.resource;
    if (isWaiting(delivery) && delivery.due === null) {
      delivery.due = now;
      state.clock.plan({ kind: 'deliver', id, due: now });
    } else if (!isWaiting(delivery) && isOld(delivery.eventCreated)) {
      state.deliveries.remove(delivery);
      file.remove('deliveries', id);
    }
  }
}
