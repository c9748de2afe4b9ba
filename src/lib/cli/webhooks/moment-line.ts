/** A listener's moment as one calm line with aligned columns, readable at 80; what needs words gets them once, indented below. */
import { isLoopback } from '../../contract/environments.ts';
import type { ListenerEvent } from '../../contract/listener-events.ts';
import { cut, localTime, type Paint, plainLine } from '../output/terminal-text.ts';

/** Before the second column: `10:14:02 forwarded `. */
const INDENT = 19;
const TYPE_WIDTH = 24;
const ID_WIDTH = 12;

/** Of an app whose answers are all different no more are shown. */
const ANSWERS = 100;
/** Characters of an answer that are shown. */
const EXCERPT = 100;

export interface LineView {
  /** Columns of the terminal. */
  width: number;
  paint: Paint;
  /** What was explained already is not explained again. */
  explained: Set<string>;
  /** What a target is called where there is more than one; there is no column for a single one. */
  names: ReadonlyMap<string, string>;
}

/** The line of a moment, and the lines below it. */
export function momentLines(moment: ListenerEvent, view: LineView): string[] {
  const { main, words, answer } = tell(moment, view.names);
  return toldLines(
    moment.at,
    moment.type,
    { main, words: answer && view.explained.size < ANSWERS ? [...words, answer] : words },
    view,
  );
}

/** `10:14:02 received  …`, cut to the terminal, and below it what has not been said yet; the second column is painted by what it says. */
export function toldLines(at: string, word: string, { main, words }: Told, view: LineView): string[] {
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

interface Told {
  main: string;
  /** Sentences, each told once. */
  words: string[];
  /** What the app said to what it did not take. */
  answer?: string | null;
}

function tell(moment: ListenerEvent, names: LineView['names']): Told {
  switch (moment.type) {
    case 'ready':
      return tellReady(moment);
    case 'received':
      return just(columns(moment.event_type, moment.event_id, `${moment.bytes} B`, ...moment.warnings));
    case 'rejected':
      return tellRejected(moment);
    case 'forwarded':
    case 'failed':
    case 'retrying':
      return tellAttempt(moment, names);
    case 'duplicate':
      return just(columns(moment.event_type, moment.event_id, 'already there', names.get(moment.target) ?? ''));
    case 'tunnel':
      return tellTunnel(moment);
    case 'skipped':
      return tellSkipped(moment);
    case 'closed':
      return tellClosed(moment);
  }
}

function just(main: string): Told {
  return { main, words: [] };
}

function columns(type: string | null, id: string | null, ...rest: string[]): string {
  return [(type ?? '-').padEnd(TYPE_WIDTH), (id ?? '').padEnd(ID_WIDTH), ...rest].join(' ').trimEnd();
}

function tellReady(moment: Extract<ListenerEvent, { type: 'ready' }>): Told {
  const to = moment.targets.length === 0 ? 'kept here, forwarded nowhere' : moment.targets.map(short).join(', ');
  const left = moment.leftover;
  const words = [
    `endpoint ${moment.endpoint_id}${moment.adopted ? ', taken over from a listener that crashed' : ''}; Ctrl-C ends`,
    moment.replaces === null ? '' : `the API lost ${moment.replaces}; what was sent to it meanwhile is not here`,
    left > 0 ? `${left} stored ${left === 1 ? 'delivery goes' : 'deliveries go'} first` : '',
    moment.unverified ? 'SIGNATURES ARE NOT CHECKED (--skip-verify): anybody who finds the address can forge' : '',
    moment.chaos === null ? '' : `CHAOS on purpose: ${moment.chaos}`,
  ];
  return { main: `${moment.events.join(',')} → ${to}`, words: words.filter((text) => text !== '') };
}

function tellRejected(moment: Extract<ListenerEvent, { type: 'rejected' }>): Told {
  const skew = moment.skew_seconds;
  const age = skew === null ? '' : `${Math.abs(skew)} s ${skew < 0 ? 'ahead' : 'old'}`;
  const main = [moment.cause.padEnd(TYPE_WIDTH), moment.delivery_id ?? 'no delivery id', age].filter(Boolean).join(' ');
  const detail = moment.detail === null ? '' : ` (${moment.detail})`;
  return { main, words: [`${moment.cause}: ${moment.meaning}${detail}; ${moment.next}`] };
}

function tellAttempt(
  moment: Extract<ListenerEvent, { type: 'forwarded' | 'failed' | 'retrying' }>,
  names: LineView['names'],
): Told {
  const came = String(moment.status ?? ERRORS[moment.error ?? ''] ?? moment.error ?? 'none').padEnd(7);
  const time = `${Math.round(moment.latency_ms)} ms`.padStart(8);
  // At 80 columns there is room for a target's name or for what mischief was done.
  const opens = names.size > 0 ? 'once up' : 'when it opens';
  const again = moment.type === 'retrying' && moment.retry_in_ms === null ? opens : '';
  const next =
    moment.type === 'retrying' && moment.retry_in_ms !== null
      ? `in ${waiting(moment.retry_in_ms).replace(' ', '')}`
      : '';
  const chaos = moment.chaos === null || moment.error === 'dropped' ? '' : `[${moment.chaos}]`;
  const rest = [moment.type === 'retrying' ? again + next : time, names.get(moment.target) ?? chaos];
  const main = columns(moment.event_type, moment.event_id, came, ...rest.filter(Boolean));
  const said = moment.type === 'forwarded' ? '' : plainLine(moment.answer ?? '').trim();
  const answer = said === '' ? null : `the app said: ${cut(said, EXCERPT)}`;
  return { main, words: moment.hint === null ? [] : [moment.hint], answer };
}

const ERRORS: Record<string, string | undefined> = { connection_refused: 'refused' };

function waiting(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

function tellTunnel(moment: Extract<ListenerEvent, { type: 'tunnel' }>): Told {
  const blind = moment.blind_ms === null ? '' : `nothing could arrive for ${waiting(moment.blind_ms)}`;
  const again = moment.retry_in_ms === null ? '' : `again in ${waiting(moment.retry_in_ms)}`;
  const parts = [`${moment.via} ${moment.state}`, moment.url ?? '', again, blind];
  return { main: parts.filter(Boolean).join('; '), words: moment.detail === null ? [] : [moment.detail] };
}

function tellSkipped({ of }: Extract<ListenerEvent, { type: 'skipped' }>): Told {
  const counts = Object.entries(of).map(([type, n]) => `${n} ${type}`);
  return { main: counts.join(', '), words: [`nobody read these in time; ${whereAll(Object.keys(of))}`] };
}

/** What is refused is in no inbox, but in the log. */
export function whereAll(types: readonly string[]): string {
  return `all are in: credicorp ${types.includes('rejected') ? 'logs tail' : 'events list'}`;
}

function tellClosed(moment: Extract<ListenerEvent, { type: 'closed' }>): Told {
  const counts = [
    `${moment.received} received`,
    `${moment.forwarded} forwarded`,
    ...(['rejected', 'duplicates', 'failed', 'waiting'] as const)
      .filter((name) => moment[name] > 0)
      .map((name) => `${moment[name]} ${name}`),
  ];
  const words = [
    moment.waiting > 0 ? `${moment.waiting} stored ${moment.waiting === 1 ? 'waits' : 'wait'} for the next listen` : '',
    moment.endpoint_removed ? '' : `the endpoint is still registered: ${moment.detail ?? 'unknown'}`,
  ];
  return { main: counts.join(', '), words: words.filter((text) => text !== '') };
}

/** Short names that tell the targets apart: the ports of this machine, if these do; none for a single target. */
export function targetNames(targets: readonly string[]): Map<string, string> {
  if (targets.length < 2) return new Map();
  const ports = targets.map((target) => `:${new URL(target).port || '80'}`);
  const tell =
    new Set(ports).size === targets.length && targets.every((target) => isLoopback(new URL(target).hostname));
  return new Map(targets.map((target, place) => [target, (tell ? ports[place] : undefined) ?? short(target)]));
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
