/**
 * A listener's events as lines on a terminal: aligned columns, with an explanation below where one is needed, given once. In a narrow
 * terminal the event type is cut; status, cause and ids stay whole, and what does not fit goes on the next line under the columns. In a burst only the first lines of each second are printed and the rest is counted in one line; rare events are always printed.
 */
import { isLoopback } from '../../contract/environments.ts';
import type { DeliverySubject, ListenerEvent } from '../../contract/listener-events.ts';
import type { Output } from '../context.ts';
import {
  cut,
  displayWidth,
  localTime,
  type Paint,
  plainLine,
  createDayHeading,
  wrapped,
} from '../output/terminal-text.ts';
import { type Delivered, isAccepted } from './deliver-once.ts';

/** Before the second column: `10:14:02 forwarded `. */
const INDENT = 19;
const TYPE_WIDTH = 24;
const ID_WIDTH = 12;
const STATUS_WIDTH = 7;
const TIME_WIDTH = 8;
/** What follows an event type in a line of usual length: id, status and time, each behind a space. */
const FIXED_WIDTH = ID_WIDTH + STATUS_WIDTH + TIME_WIDTH + 3;
/** An event type is not cut to less. */
const SHORTEST_TYPE = 8;
/** Ids of real senders are shorter; what calls itself an id and is longer is cut. */
const LONGEST_ID = 64;

/** At most this many different explanations and answers are shown. */
const ANSWERS = 100;
/** Characters of an answer that are shown. */
const EXCERPT = 100;

interface LineView {
  /** The terminal; its width may change at any time. */
  output: Pick<Output, 'columns'>;
  paint: Paint;
  /** Explanations already given. */
  explained: Set<string>;
  /** Short names of the targets; empty when there is only one. */
  names: ReadonlyMap<string, string>;
}

/** The line of one event, and the explanations below it. */
function eventLines(event: ListenerEvent, view: LineView): string[] {
  const { words, answer, ...line } = linePartsOf(event, view.names);
  return formatLines(
    event.at,
    event.type,
    { ...line, words: answer && view.explained.size < ANSWERS ? [...words, answer] : words },
    view,
  );
}

/** `10:14:02 received  …`, coloured by its second column; below it the explanations not given yet. */
function formatLines(at: string, word: string, { columns, cutsFirst, words }: LineParts, view: LineView): string[] {
  const { paint, explained } = view;
  const fresh = words.filter((text) => !explained.has(text));
  for (const text of fresh) explained.add(text);
  const time = localTime(at).slice(11, 19);
  const colour = PAINTS[word] ?? 'dim';
  const [first = '', ...more] = columnLines(columns, cutsFirst, Math.max(SHORTEST_ROOM, widthOf(view) - INDENT));
  const line = `${time} ${paint[colour](word.padEnd(9))} ${first}`.trimEnd();
  return [line, ...more.map((text) => ' '.repeat(INDENT) + text), ...fresh.flatMap((text) => below(text, view))];
}

/** Less room than this is not kept to: nothing could be read. */
const SHORTEST_ROOM = 20;

/**
 * Columns on as few lines as they need. Where one line is too short, the first column is cut if it may be, then the spaces that align
 * columns are left out, then the line is broken between columns.
 */
function columnLines(given: readonly string[], cutsFirst: boolean, room: number): string[] {
  const [start = '', ...others] = given.map(plainLine);
  const usual = Math.min(TYPE_WIDTH, Math.max(SHORTEST_TYPE, room - FIXED_WIDTH));
  const roomy = room - 1 - displayWidth(others.join(' ').trimEnd());
  const rest = cutsFirst && roomy < SHORTEST_TYPE ? others.map((text) => text.trim()) : others;
  const left = room - 1 - displayWidth(rest.join(' ').trimEnd());
  const wide = Math.min(usual, Math.max(SHORTEST_TYPE, left));
  const first = cutsFirst ? cut(start, wide) : start;
  const lines: string[] = [];
  let line = given.length > 1 ? padded(first, wide) : first;
  for (const text of rest) {
    if (displayWidth(`${line} ${text.trimEnd()}`) <= room) line = `${line} ${text}`;
    else {
      lines.push(line);
      line = text.trim();
    }
  }
  return [...lines, line].flatMap((text) =>
    displayWidth(text.trimEnd()) <= room ? [text.trimEnd()] : wrapped(text, 0, room),
  );
}

function padded(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - displayWidth(text)));
}

/** What came of a delivery that was sent again by hand. */
export function sentAgainLines(delivered: Delivered, given: Pick<LineView, 'output' | 'paint'>, at: number): string[] {
  const view: LineView = { ...given, explained: new Set(), names: new Map() };
  const said = isAccepted(delivered) ? '' : plainLine(delivered.answer ?? '').trim();
  const words = [delivered.hint ?? '', said === '' ? '' : `the app said: ${cut(said, EXCERPT)}`].filter(Boolean);
  const columns = [statusColumn(delivered), timeColumn(delivered.latency_ms ?? 0)];
  const line = eventLine(delivered, columns, words);
  return formatLines(new Date(at).toISOString(), 'again', line, view);
}

const PAINTS: Record<string, keyof Paint | undefined> = {
  ready: 'good',
  forwarded: 'good',
  again: 'bold',
  rejected: 'bad',
  failed: 'bad',
  parked: 'bad',
  retrying: 'warn',
  closed: 'bold',
};

interface LineParts {
  /** Broken between them where the line is too short. */
  columns: string[];
  /** Whether the first column is cut before anything else gives way: an event type. */
  cutsFirst: boolean;
  /** Explanations, each printed once. */
  words: string[];
  /** What the app said to what it did not take. */
  answer?: string | null;
}

function linePartsOf(event: ListenerEvent, names: LineView['names']): LineParts {
  switch (event.type) {
    case 'ready':
      return readyLine(event);
    case 'received':
      return eventLine(event, [`${event.bytes} B`, ...event.warnings]);
    case 'rejected':
      return rejectedLine(event);
    case 'forwarded':
    case 'failed':
    case 'parked':
    case 'retrying':
      return attemptLine(event, names);
    case 'duplicate':
      return eventLine(event, ['already there', names.get(event.target) ?? '']);
    case 'tunnel':
      return tunnelLine(event);
    case 'skipped':
      return skippedLine(event);
    case 'closed':
      return closedLine(event);
  }
}

/** A line about one delivery: type, id, and what happened. */
function eventLine(
  event: Pick<DeliverySubject, 'event_type' | 'event_id'>,
  rest: readonly string[],
  words: string[] = [],
): LineParts {
  const id = cut(plainLine(event.event_id ?? ''), LONGEST_ID).padEnd(ID_WIDTH);
  return { columns: [event.event_type ?? '-', id, ...rest.filter(Boolean)], cutsFirst: true, words };
}

/** A line that is a sentence. */
function sentence(text: string, words: string[] = []): LineParts {
  return { columns: [text], cutsFirst: false, words };
}

function readyLine(event: Extract<ListenerEvent, { type: 'ready' }>): LineParts {
  const to = event.targets.length === 0 ? 'kept in the inbox, not forwarded' : event.targets.map(short).join(', ');
  const left = event.leftover;
  const words = [
    `endpoint ${event.endpoint_id}${event.adopted ? ', taken over from a listener that crashed' : ''}; Ctrl-C ends`,
    event.replaces === null
      ? ''
      : `the API lost ${event.replaces}, or another listener took it over; what was sent to it meanwhile did not arrive here`,
    left > 0 ? `${left} stored ${left === 1 ? 'delivery goes' : 'deliveries go'} first` : '',
    ...event.unrouted.map(
      ({ target, waiting }) =>
        `${waiting} stored ${waiting === 1 ? 'delivery waits' : 'deliveries wait'} for a listener to ${short(target)}; to send one elsewhere: credicorp events replay ID --forward TARGET`,
    ),
    event.unverified
      ? 'SIGNATURES ARE NOT CHECKED (--skip-verify): anyone who finds the address can forge deliveries'
      : '',
    event.chaos === null ? '' : `faults injected (--chaos): ${event.chaos}`,
    event.give_up_after_ms === null || event.targets.length === 0
      ? ''
      : `what your app does not take is given up after ${hours(event.give_up_after_ms)}`,
  ];
  return sentence(
    `${event.events.join(',')} → ${to}`,
    words.filter((text) => text !== ''),
  );
}

function hours(ms: number): string {
  return ms % 3_600_000 === 0 ? `${ms / 3_600_000} h` : `${ms / 1000} s`;
}

function rejectedLine(event: Extract<ListenerEvent, { type: 'rejected' }>): LineParts {
  const skew = event.skew_seconds;
  const age = skew === null ? '' : `${Math.abs(skew)} s ${skew < 0 ? 'ahead' : 'old'}`;
  const id = cut(plainLine(event.delivery_id ?? 'no delivery id'), LONGEST_ID);
  const detail = event.detail === null ? '' : ` (${event.detail})`;
  const columns = [event.cause, id, age].filter(Boolean);
  return { columns, cutsFirst: false, words: [`${event.cause}: ${event.meaning}${detail}; ${event.next}`] };
}

function attemptLine(
  event: Extract<ListenerEvent, { type: 'forwarded' | 'failed' | 'parked' | 'retrying' }>,
  names: LineView['names'],
): LineParts {
  const waitsForPort = event.type === 'retrying' && event.retry_in_ms === null;
  const retry =
    event.type === 'retrying' && event.retry_in_ms !== null ? `in ${waiting(event.retry_in_ms).replace(' ', '')}` : '';
  // At 80 columns there is room for a target's name or for the injected faults.
  const chaos = event.chaos === null || event.error === 'dropped' ? '' : `[${event.chaos}]`;
  const rest = [event.type === 'retrying' ? retry : timeColumn(event.latency_ms), names.get(event.target) ?? chaos];
  const said = event.type === 'forwarded' ? '' : plainLine(event.answer ?? '').trim();
  const answer = said === '' ? null : `the app said: ${cut(said, EXCERPT)}`;
  const words = [
    ...(waitsForPort
      ? [`${event.error === 'connection_refused' ? 'connection refused' : 'no connection'}; ${RETRY}`]
      : []),
    ...(event.type === 'parked'
      ? [`refused ${event.attempt} times: kept, and not sent again; release it: credicorp events replay`]
      : []),
    ...(event.hint === null ? [] : [event.hint]),
  ];
  return { ...eventLine(event, [statusColumn(event), ...rest], words), answer };
}

function statusColumn({ status, error }: { status: number | null; error: string | null }): string {
  return String(status ?? ERRORS[error ?? ''] ?? error ?? 'none').padEnd(STATUS_WIDTH);
}

function timeColumn(ms: number): string {
  return `${Math.round(ms)} ms`.padStart(TIME_WIDTH);
}

const RETRY = 'will retry when the port opens';
const ERRORS: Record<string, string | undefined> = { connection_refused: 'refused' };

function waiting(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

function tunnelLine(event: Extract<ListenerEvent, { type: 'tunnel' }>): LineParts {
  const blind = event.blind_ms === null ? '' : `nothing arrived for ${waiting(event.blind_ms)}`;
  const again = event.retry_in_ms === null ? '' : `again in ${waiting(event.retry_in_ms)}`;
  const parts = [`${event.via} ${event.state}`, event.url ?? '', again, blind];
  return sentence(parts.filter(Boolean).join('; '), event.detail === null ? [] : [event.detail]);
}

function skippedLine({ of }: Extract<ListenerEvent, { type: 'skipped' }>): LineParts {
  const counts = Object.entries(of).map(([type, n]) => `${n} ${type}`);
  return sentence(counts.join(', '), [`output was too slow to show these; ${whereToFind(Object.keys(of))}`]);
}

/** Which command shows all of them: rejected deliveries are not in the inbox, but in the log. */
function whereToFind(types: readonly string[]): string {
  return `all are in: credicorp ${types.includes('rejected') ? 'logs tail' : 'events list'}`;
}

function closedLine(event: Extract<ListenerEvent, { type: 'closed' }>): LineParts {
  const counts = [
    `${event.received} received`,
    `${event.forwarded} forwarded`,
    ...(['rejected', 'duplicates', 'failed', 'parked', 'waiting'] as const)
      .filter((name) => event[name] > 0)
      .map((name) => `${event[name]} ${name}`),
  ];
  const words = [
    event.parked > 0 ? `${event.parked} refused too often; see: credicorp events list --state parked` : '',
    event.waiting > 0 ? `${event.waiting} stored ${event.waiting === 1 ? 'waits' : 'wait'} for the next listen` : '',
    event.endpoint_removed ? '' : `the endpoint is still registered: ${event.detail ?? 'unknown'}`,
  ];
  return sentence(
    counts.join(', '),
    words.filter((text) => text !== ''),
  );
}

/** Short names for several targets: their ports where these differ, none for a single target. */
function targetNames(targets: readonly string[]): Map<string, string> {
  if (targets.length < 2) return new Map();
  const ports = targets.map((target) => `:${new URL(target).port || '80'}`);
  const linePartsOf =
    new Set(ports).size === targets.length && targets.every((target) => isLoopback(new URL(target).hostname));
  return new Map(targets.map((target, place) => [target, (linePartsOf ? ports[place] : undefined) ?? short(target)]));
}

function short(target: string): string {
  return target.replace(/^https?:\/\//, '');
}

/** A sentence below its line. */
function below(text: string, view: LineView): string[] {
  const pieces = wrapped(text, INDENT, widthOf(view));
  return pieces.map((piece) => `${' '.repeat(INDENT)}${view.paint.dim(piece.trimStart())}`);
}

function widthOf({ output }: Pick<LineView, 'output'>): number {
  return output.columns || 80;
}

/** Lines printed in one second before the rest is folded. */
const CALM = 12;

/** An event this much earlier than the latest means that the machine's clock was set back. */
const LATE_MS = 10_000;

export interface ListenerLinesView extends Pick<LineView, 'output' | 'paint'> {
  /** Silence after which the folded events are reported, in milliseconds. Default 1000. */
  silenceMs?: number;
}

/** The lines to print, as they become due. */
export async function* listenerLines(
  events: AsyncIterable<ListenerEvent>,
  view: ListenerLinesView,
): AsyncGenerator<string> {
  const lines: LineView = { ...view, explained: new Set(), names: new Map() };
  const fold = createFold(lines);
  const causes = new Set<string>();
  const heading = createDayHeading();
  let latest = '';
  for await (const event of withSilence(events, view.silenceMs ?? 1000, fold.holds)) {
    if (event === null) {
      yield* fold.report();
      continue;
    }
    if (event.type === 'ready') lines.names = targetNames(event.targets);
    const rare = isRare(event, causes);
    // Events are not always in order of time: neither the second nor the day goes back.
    if (event.at > latest || Date.parse(latest) - Date.parse(event.at) > LATE_MS) latest = event.at;
    yield* fold.turnTo(latest);
    if (rare) yield* fold.report();
    const day = heading(latest);
    if (day !== null) yield view.paint.dim(day);
    if (rare || fold.admits()) yield* eventLines(event, lines);
    else fold.add(event);
  }
  yield* fold.report();
}

const ALWAYS: ReadonlySet<ListenerEvent['type']> = new Set(['ready', 'tunnel', 'skipped', 'closed']);

/** The first of each cause counts as rare: anyone can send more of them. */
function isRare(event: ListenerEvent, causes: Set<string>): boolean {
  if (ALWAYS.has(event.type)) return true;
  if (event.type !== 'rejected' && event.type !== 'failed' && event.type !== 'parked') return false;
  const cause = event.type === 'rejected' ? event.cause : `${event.type} ${event.status ?? event.error}`;
  if (causes.has(cause)) return false;
  causes.add(cause);
  return true;
}

function createFold(view: LineView) {
  let second = -1;
  let shown = 0;
  let last = '';
  let folded = new Map<string, number>();
  function* report(): Generator<string> {
    if (folded.size === 0) return;
    const counts = [...folded].map(([type, n]) => `${n} ${type}`).join(', ');
    const types = [...folded.keys()];
    folded = new Map();
    yield* formatLines(last, 'and', sentence(counts, [whereToFind(types)]), view);
  }
  return {
    report,
    holds: () => folded.size > 0,
    /** Each new second starts the counting again; during a burst, lines are only counted. */
    *turnTo(at: string): Generator<string> {
      const now = Math.floor(Date.parse(at) / 1000);
      last = at;
      if (now === second) return;
      const total = [...folded.values()].reduce((sum, n) => sum + n, 0);
      shown = total > CALM ? CALM : 0;
      second = now;
      yield* report();
    },
    admits: () => (shown += 1) <= CALM,
    add(event: ListenerEvent): void {
      folded.set(event.type, (folded.get(event.type) ?? 0) + 1);
    },
  };
}

/** The events, and null after a silence in which something is folded. */
async function* withSilence(
  events: AsyncIterable<ListenerEvent>,
  silenceMs: number,
  holds: () => boolean,
): AsyncGenerator<ListenerEvent | null> {
  const source = events[Symbol.asyncIterator]();
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
