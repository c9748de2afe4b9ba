/** From a data file back into the world, and what is written beside every change (sandbox.md#persistence). */
import type { Step } from './clock.ts';
import type { DataFile, SavedRow } from './data-file.ts';
import { EVENT_LIFE_MS, isWaiting } from './deliveries.ts';
import { createIdentifiers } from './identifiers.ts';
import { createKeyring, type SavedKey } from './keyring.ts';
import type { Kept, KeptAnswer } from './objects.ts';
import { RECORD_KINDS, type World } from './world.ts';

interface SavedClock {
  /** Sandbox and real milliseconds at the same moment. */
  now: number;
  real: number;
  order: number;
}

/** Counters, clock and seed, as they stand now. */
export function alongside(world: World): Record<string, object> {
  const clock: SavedClock = { now: world.clock.now(), real: world.settings.now(), order: world.clock.order };
  return {
    seed: { seed: world.seed },
    clock,
    counters: Object.fromEntries(world.ids.counters),
  };
}

/** Fills an empty world. The file's seed wins: ids and cursors hang on it. */
export function restore(world: World, file: DataFile): void {
  const state = new Map(file.read('state').map(({ key, value }) => [key, value]));
  const seed = state.get('seed') as { seed: string } | undefined;
  if (seed === undefined) return;
  world.seed = seed.seed;
  const counters = new Map(Object.entries((state.get('counters') as Record<string, number> | undefined) ?? {}));
  world.ids = createIdentifiers(world.seed, counters);
  restoreKeys(world, state.get('keys') as SavedKey[] | undefined);
  const revoked = state.get('revoked') as { tokens: string[]; clients: string[] } | undefined;
  if (revoked) world.revoked = { tokens: new Set(revoked.tokens), clients: new Set(revoked.clients) };
  restoreClock(world, state.get('clock') as SavedClock | undefined);
  for (const kind of RECORD_KINDS) fill(world[kind], file.read(kind));
  restoreAnswers(world, file);
  for (const { value } of file.read('steps')) world.clock.plan(value as Step);
  resume(world, file);
}

function restoreKeys(world: World, saved: SavedKey[] | undefined): void {
  const { jwtAlg } = world.settings;
  const own = (saved ?? []).filter(({ kid }) => kid.startsWith(`sbx-${jwtAlg.toLowerCase()}-`));
  world.keyring = createKeyring(world.seed, jwtAlg, own);
}

/** Time went on while nobody looked, unless the clock is frozen. */
function restoreClock(world: World, saved: SavedClock | undefined): void {
  if (saved === undefined) return;
  const { frozen, speed } = world.settings.clock;
  const elapsed = frozen ? 0 : Math.max(0, world.settings.now() - saved.real) * speed;
  world.clock.restart(saved.now + elapsed, saved.order);
}

/** What a collection is here: something that takes records of its kind. */
interface Shelf {
  add(record: Kept<{ id: string }>): unknown;
}

function fill(shelf: Shelf, rows: readonly SavedRow[]): void {
  const records = rows.map(({ value }) => value as Kept<{ id: string }>);
  for (const record of records.sort((a, b) => a.n - b.n)) shelf.add(record);
}

function restoreAnswers(world: World, file: DataFile): void {
  const answers = file.read('keys').map(({ key, value }) => [key, value as KeptAnswer] as const);
  for (const [name, kept] of answers.sort(([, a], [, b]) => a.at - b.at)) world.keys.kept.set(name, kept);
}

/** Old events go; deliveries that were under way when the process ended are tried again. */
function resume(world: World, file: DataFile): void {
  const now = world.clock.now();
  const isOld = (created: number): boolean => now - created >= EVENT_LIFE_MS;
  for (const event of world.events.all().filter(({ created }) => isOld(created))) {
    world.events.remove(event);
    file.remove('events', event.resource.id);
  }
  for (const delivery of world.deliveries.all().slice()) {
    const { id } = delivery.resource;
    if (isWaiting(delivery) && delivery.due === null) {
      delivery.due = now;
      world.clock.plan({ kind: 'deliver', id, due: now });
    } else if (!isWaiting(delivery) && isOld(delivery.eventCreated)) {
      world.deliveries.remove(delivery);
      file.remove('deliveries', id);
    }
  }
}
