/**
 * A listener's events as lines on a terminal: aligned columns, readable at 80, with an explanation below where one is needed, given once.
 * In a burst only the first lines of each second are printed and the rest is counted in one line; rare events are always printed.
 */
import { isLoopback } from '../../contract/environments.ts';
import type { ListenerEvent } from '../../contract/listener-events.ts';
import { cut, localTime, type Paint, plainLine, createDayHeading } from '../output/terminal-text.ts';

/** Before the second column: `10:14:02 forwarded `. */
const INDENT = 19;
const TYPE_WIDTH = 24;
const ID_WIDTH = 12;

/** At most this many different explanations and answers are shown. */
const ANSWERS = 100;
/** Characters of an answer that are shown. */
const EXCERPT = 100;

interface LineView {
  /** Columns of the terminal. */
  width: number;
  paint: Paint;
  /** Explanations already given. */
  explained: Set<string>;
  /** Short names of the targets; empty when there is only one. */
  names: ReadonlyMap<string, string>;
}

/** The line of one event, and the explanations below it. */
function eventLines(event: ListenerEvent, view: LineView): string[] {
  const { main, words, answer } = linePartsOf(event, view.names);
  return formatLines(
    event.at,
    event.type,
    { main, words: answer && view.explained.size < ANSWERS ? [...words, answer] : words },
    view,
  );
}

/** `10:14:02 received  …`, cut to the terminal's width and coloured by its second column; below it the explanations not given yet. */
function formatLines(at: string, word: string, { main, words }: LineParts, view: LineView): string[] {
  const { width, paint, explained } = view;
  const fresh = words.filter((text) => !explained.has(text));
  for (const text of fresh) explained.add(text);
  const time = localTime(at).slice(11, 19);
  const colour = PAINTS[word] ?? 'dim';
  const line = `${time} ${paint[colour](word.padEnd(9))} ${cut(plainLine(main), width - INDENT)}`.trimEnd();
  return [line, ...fresh.flatMap((text) => below(text, view))];
}

const PAINTS: Record<string, keyof Paint | undefined> = {
  ready: 'good',
  forwarded: 'good',
  rejected: 'bad',
  failed: 'bad',
  retrying: 'warn',
  closed: 'bold',
};

interface LineParts {
  main: string;
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
      return just(columns(event.event_type, event.event_id, `${event.bytes} B`, ...event.warnings));
    case 'rejected':
      return rejectedLine(event);
    case 'forwarded':
    case 'failed':
    case 'retrying':
      return attemptLine(event, names);
    case 'duplicate':
      return just(columns(event.event_type, event.event_id, 'already there', names.get(event.target) ?? ''));
    case 'tunnel':
      return tunnelLine(event);
    case 'skipped':
      return skippedLine(event);
    case 'closed':
      return closedLine(event);
  }
}

function just(main: string): LineParts {
  return { main, words: [] };
}

function columns(type: string | null, id: string | null, ...rest: string[]): string {
  return [(type ?? '-').padEnd(TYPE_WIDTH), (id ?? '').padEnd(ID_WIDTH), ...rest].join(' ').trimEnd();
}

function readyLine(event: Extract<ListenerEvent, { type: 'ready' }>): LineParts {
  const to = event.targets.length === 0 ? 'kept in the inbox, not forwarded' : event.targets.map(short).join(', ');
  const left = event.leftover;
  const words = [
    `endpoint ${event.endpoint_id}${event.adopted ? ', taken over from a listener that crashed' : ''}; Ctrl-C ends`,
    event.replaces === null ? '' : `the API lost ${event.replaces}; deliveries sent to it meanwhile are lost`,
    left > 0 ? `${left} stored ${left === 1 ? 'delivery goes' : 'deliveries go'} first` : '',
    event.unverified
      ? 'SIGNATURES ARE NOT CHECKED (--skip-verify): anyone who finds the address can forge deliveries'
      : '',
    event.chaos === null ? '' : `faults injected (--chaos): ${event.chaos}`,
  ];
  return { main: `${event.events.join(',')} → ${to}`, words: words.filter((text) => text !== '') };
}

function rejectedLine(event: Extract<ListenerEvent, { type: 'rejected' }>): LineParts {
  const skew = event.skew_seconds;
  const age = skew === null ? '' : `${Math.abs(skew)} s ${skew < 0 ? 'ahead' : 'old'}`;
  const main = [event.cause.padEnd(TYPE_WIDTH), event.delivery_id ?? 'no delivery id', age].filter(Boolean).join(' ');
  const detail = event.detail === null ? '' : ` (${event.detail})`;
  return { main, words: [`${event.cause}: ${event.meaning}${detail}; ${event.next}`] };
}

function attemptLine(
  event: Extract<ListenerEvent, { type: 'forwarded' | 'failed' | 'retrying' }>,
  names: LineView['names'],
): LineParts {
  const status = String(event.status ?? ERRORS[event.error ?? ''] ?? event.error ?? 'none').padEnd(7);
  const time = `${Math.round(event.latency_ms)} ms`.padStart(8);
  const waitsForPort = event.type === 'retrying' && event.retry_in_ms === null;
  const retry =
    event.type === 'retrying' && event.retry_in_ms !== null ? `in ${waiting(event.retry_in_ms).replace(' ', '')}` : '';
  // At 80 columns there is room for a target's name or for the injected faults.
  const chaos = event.chaos === null || event.error === 'dropped' ? '' : `[${event.chaos}]`;
  const rest = [event.type === 'retrying' ? retry : time, names.get(event.target) ?? chaos];
  const main = columns(event.event_type, event.event_id, status, ...rest.filter(Boolean));
  const said = event.type === 'forwarded' ? '' : plainLine(event.answer ?? '').trim();
  const answer = said === '' ? null : `the app said: ${cut(said, EXCERPT)}`;
  const words = [
    ...(waitsForPort
      ? [`${event.error === 'connection_refused' ? 'connection refused' : 'no connection'}; ${RETRY}`]
      : []),
    ...(event.hint === null ? [] : [event.hint]),
  ];
  return { main, words, answer };
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
  return { main: parts.filter(Boolean).join('; '), words: event.detail === null ? [] : [event.detail] };
}

function skippedLine({ of }: Extract<ListenerEvent, { type: 'skipped' }>): LineParts {
  const counts = Object.entries(of).map(([type, n]) => `${n} ${type}`);
  return { main: counts.join(', '), words: [`output was too slow to show these; ${whereToFind(Object.keys(of))}`] };
}

/** Which command shows all of them: rejected deliveries are not in the inbox, but in the log. */
function whereToFind(types: readonly string[]): string {
  return `all are in: credicorp ${types.includes('rejected') ? 'logs tail' : 'events list'}`;
}

function closedLine(event: Extract<ListenerEvent, { type: 'closed' }>): LineParts {
  const counts = [
    `${event.received} received`,
    `${event.forwarded} forwarded`,
    ...(['rejected', 'duplicates', 'failed', 'waiting'] as const)
      .filter((name) => event[name] > 0)
      .map((name) => `${event[name]} ${name}`),
  ];
  const words = [
    event.waiting > 0 ? `${event.waiting} stored ${event.waiting === 1 ? 'waits' : 'wait'} for the next listen` : '',
    event.endpoint_removed ? '' : `the endpoint is still registered: ${event.detail ?? 'unknown'}`,
  ];
  return { main: counts.join(', '), words: words.filter((text) => text !== '') };
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
function below(text: string, { width, paint }: LineView): string[] {
  return wrapped(text, INDENT, width).map((piece) => `${' '.repeat(INDENT)}${paint.dim(piece.trimStart())}`);
}

/** Text on as many lines as it takes, broken at words where words are short enough, behind `indent` spaces. */
export function wrapped(text: string, indent: number, width: number): string[] {
  const room = Math.max(20, width - indent);
  const lines: string[] = [];
  let current = '';
  const pieces = new RegExp(`.{1,${room}}`, 'gu');
  for (const word of plainLine(text)
    .split(' ')
    .flatMap((whole) => whole.match(pieces) ?? [''])) {
    if (current !== '' && current.length + 1 + word.length > room) {
      lines.push(current);
      current = word;
    } else current = current === '' ? word : `${current} ${word}`;
  }
  return [...lines, current].map((piece) => ' '.repeat(indent) + piece);
}

/** Lines printed in one second before the rest is folded. */
const CALM = 12;

/** An event this much earlier than the latest means that the machine's clock was set back. */
const LATE_MS = 10_000;

export interface ListenerLinesView extends Pick<LineView, 'width' | 'paint'> {
  /** Silence after which the folded events are reported, in milliseconds. Default 1000. */
  silenceMs?: number;
}

/** The lines to print, as they become due. */
export async function* listenerLines(
  events: AsyncIterable<ListenerEvent>,
  view: ListenerLinesView,
): AsyncGenerator<string> {
  const lines: LineView = { width: view.width, paint: view.paint, explained: new Set(), names: new Map() };
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
  if (event.type !== 'rejected' && event.type !== 'failed') return false;
  const cause = event.type === 'rejected' ? event.cause : `failed ${event.status ?? event.error}`;
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
    yield* formatLines(last, 'and', { main: counts, words: [whereToFind(types)] }, view);
  }
  return {
    report,
    holds: () => folded.size > 0,
    /** A new second begins anew; while a burst goes on it is only counted. */
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
