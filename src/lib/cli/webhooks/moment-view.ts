/**
 * A listener's moments on a terminal. A burst folds: in each second the first lines are shown, the rest is counted in one line, so that
 * a thousand deliveries do not scroll the useful away. What is rare and matters is always shown.
 */
import type { ListenerEvent } from '../../contract/listener-events.ts';
import { createDayHeading } from '../output/terminal-text.ts';
import { type LineView, momentLines, targetNames, toldLines, whereAll } from './moment-line.ts';

/** Lines in one second before the rest of it folds. */
const CALM = 12;

/** Further back it is the machine's clock that was set. */
const LATE_MS = 10_000;

export interface MomentView extends Pick<LineView, 'width' | 'paint'> {
  /** Silence after which a fold is told, in milliseconds. Default 1000. */
  silenceMs?: number;
}

/** The lines to print, as they become due. */
export async function* calmLines(moments: AsyncIterable<ListenerEvent>, view: MomentView): AsyncGenerator<string> {
  const lines: LineView = { width: view.width, paint: view.paint, explained: new Set(), names: new Map() };
  const fold = createFold(lines);
  const causes = new Set<string>();
  const heading = createDayHeading();
  let latest = '';
  for await (const moment of withSilence(moments, view.silenceMs ?? 1000, fold.holds)) {
    if (moment === null) {
      yield* fold.tell();
      continue;
    }
    if (moment.type === 'ready') lines.names = targetNames(moment.targets);
    const rare = isRare(moment, causes);
    // What came first is sometimes told after what came of another: neither the second nor the day goes back for that.
    if (moment.at > latest || Date.parse(latest) - Date.parse(moment.at) > LATE_MS) latest = moment.at;
    yield* fold.turnTo(latest);
    if (rare) yield* fold.tell();
    const day = heading(latest);
    if (day !== null) yield view.paint.dim(day);
    if (rare || fold.admits()) yield* momentLines(moment, lines);
    else fold.add(moment);
  }
  yield* fold.tell();
}

/** Where the calm view is not shown, the count at the end is for people all the same. */
export async function* counted(
  moments: AsyncIterable<ListenerEvent>,
  note: (line: string) => void,
): AsyncGenerator<ListenerEvent> {
  for await (const moment of moments) {
    yield moment;
    if (moment.type !== 'closed') continue;
    const { received, forwarded, rejected, duplicates, failed, waiting } = moment;
    note(
      `${received} received, ${forwarded} forwarded, ${rejected} rejected, ${duplicates} duplicates, ${failed} failed, ${waiting} waiting`,
    );
  }
}

const ALWAYS: ReadonlySet<ListenerEvent['type']> = new Set(['ready', 'tunnel', 'skipped', 'closed']);

/** The first of each cause counts as rare; anybody can cause the rest. */
function isRare(moment: ListenerEvent, causes: Set<string>): boolean {
  if (ALWAYS.has(moment.type)) return true;
  if (moment.type !== 'rejected' && moment.type !== 'failed') return false;
  const cause = moment.type === 'rejected' ? moment.cause : `failed ${moment.status ?? moment.error}`;
  if (causes.has(cause)) return false;
  causes.add(cause);
  return true;
}

function createFold(view: LineView) {
  let second = -1;
  let shown = 0;
  let last = '';
  let folded = new Map<string, number>();
  function* tell(): Generator<string> {
    if (folded.size === 0) return;
    const counts = [...folded].map(([type, n]) => `${n} ${type}`).join(', ');
    const types = [...folded.keys()];
    folded = new Map();
    yield* toldLines(last, 'and', { main: counts, words: [whereAll(types)] }, view);
  }
  return {
    tell,
    holds: () => folded.size > 0,
    /** A new second begins anew; while a burst goes on it is only counted. */
    *turnTo(at: string): Generator<string> {
      const now = Math.floor(Date.parse(at) / 1000);
      last = at;
      if (now === second) return;
      const total = [...folded.values()].reduce((sum, n) => sum + n, 0);
      shown = total > CALM ? CALM : 0;
      second = now;
      yield* tell();
    },
    admits: () => (shown += 1) <= CALM,
    add(moment: ListenerEvent): void {
      folded.set(moment.type, (folded.get(moment.type) ?? 0) + 1);
    },
  };
}

/** The moments, and null after a silence in which something is folded. */
async function* withSilence(
  moments: AsyncIterable<ListenerEvent>,
  silenceMs: number,
  holds: () => boolean,
): AsyncGenerator<ListenerEvent | null> {
  const source = moments[Symbol.asyncIterator]();
  try {
    let next: Promise<IteratorResult<ListenerEvent>> | null = null;
    for (;;) {
      next ??= source.next();
      const outcome: IteratorResult<ListenerEvent> | null = holds() ? await soon(next, silenceMs) : await next;
      if (outcome === null) yield null;
      else if (outcome.done === true) return;
      else {
        next = null;
        yield outcome.value;
      }
    }
  } finally {
    await source.return?.();
  }
}

async function soon<T>(promise: Promise<T>, ms: number): Promise<T | null> {
  const { promise: late, resolve } = Promise.withResolvers<null>();
  const timer = setTimeout(() => resolve(null), ms);
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
