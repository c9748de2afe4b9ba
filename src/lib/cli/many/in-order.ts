/** Many pieces of work, a few at a time, given out in the order they came in or as they end. */

export interface Lanes {
  /** How many pieces are under way at once. */
  concurrency: number;
  /** False: as they end. */
  ordered?: boolean;
}

interface Slot<R> {
  result?: R;
  error?: unknown;
  state: 'under way' | 'done' | 'failed';
}

/** How many finished results may wait for a slow one before them, for each piece under way. */
const PATIENCE = 8;

/**
 * Takes items only as they can be worked on, so an endless source is fine.
 * @throws what a piece of work throws, at its place; what is under way then is left to end by itself
 */
export async function* inOrder<T, R>(
  items: AsyncIterable<T> | Iterable<T>,
  { concurrency, ordered = true }: Lanes,
  work: (item: T) => Promise<R>,
): AsyncGenerator<R, void, undefined> {
  const source = iteratorOf(items);
  const slots: Slot<R>[] = [];
  let underWay = 0;
  let coming: Promise<void> | null = null;
  let ended = false;
  let wake = Promise.withResolvers<void>();
  const begin = (item: T): void => {
    const slot: Slot<R> = { state: 'under way' };
    slots.push(slot);
    underWay += 1;
    void work(item)
      .then(
        (result) => Object.assign(slot, { result, state: 'done' }),
        (error: unknown) => Object.assign(slot, { error, state: 'failed' }),
      )
      .then(() => {
        underWay -= 1;
        wake.resolve();
      });
  };
  const fetchOne = async (): Promise<void> => {
    try {
      const next = await source.next();
      if (next.done === true) ended = true;
      else begin(next.value);
    } catch (error) {
      // Told in its turn, after what came before it.
      slots.push({ state: 'failed', error });
      ended = true;
    }
    coming = null;
  };
  try {
    for (;;) {
      wake = Promise.withResolvers<void>();
      if (!ended && coming === null && underWay < concurrency && slots.length < concurrency * PATIENCE)
        coming = fetchOne();
      const slot = takeFirst(slots, ordered);
      if (slot?.state === 'failed') throw slot.error;
      if (slot) yield slot.result as R;
      else if (ended && slots.length === 0) return;
      else await (coming === null ? wake.promise : Promise.race([wake.promise, coming]));
    }
  } finally {
    await source.return?.();
  }
}

/** Takes a finished slot out: the first of all, or the first that is finished. */
function takeFirst<R>(slots: Slot<R>[], ordered: boolean): Slot<R> | undefined {
  const at = ordered ? 0 : slots.findIndex(({ state }) => state !== 'under way');
  const found = slots[at];
  if (found === undefined || found.state === 'under way') return undefined;
  slots.splice(at, 1);
  return found;
}

function iteratorOf<T>(items: AsyncIterable<T> | Iterable<T>): AsyncIterator<T> | Iterator<T> {
  return Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]();
}
