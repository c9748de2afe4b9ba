/** Work on many items, a few at a time: results in order, and failures of single items that do not end the rest. */
import { writeJson } from '../../contract/json.ts';
import { Failure, type FailureKind } from '../../failure.ts';
import type { Context } from '../context.ts';
import { errorDocument, errorLines, STATUS } from '../explain.ts';
import { colourOf } from '../output/terminal-text.ts';
import { type View, writeText } from '../output/write.ts';

export interface ConcurrencyOptions {
  /** How many items are worked on at once. */
  concurrency: number;
  /** False: results come as they finish. */
  ordered?: boolean;
}

interface Slot<R> {
  result?: R;
  error?: unknown;
  state: 'running' | 'done' | 'failed';
}

/** How many results, for each item worked on at once, may be held back for a slow one before them. */
const HELD_BACK = 8;

/**
 * Maps items to results with bounded concurrency, in the order of the items unless `ordered` is false. Items are taken only as they can be
 * worked on, so an endless source is fine.
 * @throws what the work throws, at its place in the order; what is running then is left to end by itself
 */
export async function* mapConcurrently<T, R>(
  items: AsyncIterable<T> | Iterable<T>,
  { concurrency, ordered = true }: ConcurrencyOptions,
  work: (item: T) => Promise<R>,
): AsyncGenerator<R, void, undefined> {
  const source = iteratorOf(items);
  const slots: Slot<R>[] = [];
  let running = 0;
  let fetching: Promise<void> | null = null;
  let ended = false;
  let wake = Promise.withResolvers<void>();
  const begin = (item: T): void => {
    const slot: Slot<R> = { state: 'running' };
    slots.push(slot);
    running += 1;
    void work(item)
      .then(
        (result) => Object.assign(slot, { result, state: 'done' }),
        (error: unknown) => Object.assign(slot, { error, state: 'failed' }),
      )
      .then(() => {
        running -= 1;
        wake.resolve();
      });
  };
  const fetchOne = async (): Promise<void> => {
    try {
      const next = await source.next();
      if (next.done === true) ended = true;
      else begin(next.value);
    } catch (error) {
      // Thrown in its turn, after what came before it.
      slots.push({ state: 'failed', error });
      ended = true;
    }
    fetching = null;
  };
  try {
    for (;;) {
      wake = Promise.withResolvers<void>();
      if (!ended && fetching === null && running < concurrency && slots.length < concurrency * HELD_BACK)
        fetching = fetchOne();
      const slot = takeFinished(slots, ordered);
      if (slot?.state === 'failed') throw slot.error;
      if (slot) yield slot.result as R;
      else if (ended && slots.length === 0) return;
      else await (fetching === null ? wake.promise : Promise.race([wake.promise, fetching]));
    }
  } finally {
    await source.return?.();
  }
}

/** Takes out a finished slot: the first one if it is finished, or the first that is finished. */
function takeFinished<R>(slots: Slot<R>[], ordered: boolean): Slot<R> | undefined {
  const at = ordered ? 0 : slots.findIndex(({ state }) => state !== 'running');
  const found = slots[at];
  if (found === undefined || found.state === 'running') return undefined;
  slots.splice(at, 1);
  return found;
}

function iteratorOf<T>(items: AsyncIterable<T> | Iterable<T>): AsyncIterator<T> | Iterator<T> {
  return Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]();
}

/** From bad to worse: what is wrong with one item, then what is wrong with all of them. */
const SEVERITY: readonly FailureKind[] = [
  'unmet',
  'pending',
  'not_found',
  'refused',
  'rate_limited',
  'unavailable',
  'auth',
];

/** The worst failure among many items: it decides the exit status. */
export class WorstFailure {
  #worst: FailureKind | null = null;

  add(kind: FailureKind): void {
    if (this.#worst === null || SEVERITY.indexOf(kind) > SEVERITY.indexOf(this.#worst)) this.#worst = kind;
  }

  /** The exit status of the worst, 0 without any. */
  get status(): number {
    return this.#worst === null ? 0 : STATUS[this.#worst];
  }
}

/** The failure, if it is one that a single item can have; anything else thrown ends the whole run. */
export function itemFailure(error: unknown): Failure | null {
  return error instanceof Failure && SEVERITY.includes(error.kind) ? error : null;
}

/** Writes a failure to stderr as it would be written alone: a JSON document under `--json`, else up to three lines. */
export async function writeFailure(context: Context, view: View, failure: Failure): Promise<void> {
  if (view.json) return writeText(context.stderr, `${writeJson(errorDocument(failure))}\n`);
  const paint = await colourOf(context, context.stderr, view.color);
  return writeText(context.stderr, errorLines(failure, paint));
}
