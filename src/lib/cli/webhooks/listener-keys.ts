/**
 * Keys in the terminal of `webhooks listen`, and the bar at its foot that shows them: help, quit, send again, page, pause, clear, filter.
 * The terminal hands over single keys meanwhile and shows none of them between the lines. It is set back when the listener ends or is
 * stopped (Ctrl-Z), and taken again when it goes on in the foreground.
 */
import { eventMatches } from '../../contract/events.ts';
import type { ListenerEvent } from '../../contract/listener-events.ts';
import { redactText } from '../../contract/secrets.ts';
import { listEntries } from '../../webhooks/inbox/inbox-read.ts';
import { routing } from '../../webhooks/listen/ingest.ts';
import type { ListenerControls } from '../../webhooks/listen/listen.ts';
import type { Context } from '../context.ts';
import { startStatusBar, type StatusBar } from '../output/status-line.ts';
import { cut, displayWidth, type Paint, plainLine, wrapped } from '../output/terminal-text.ts';
import { note } from '../output/write.ts';
import type { Session } from '../session.ts';
import type { Delivered } from './deliver-once.ts';
import { sentAgainLines } from './listener-lines.ts';
import type { ListenerSetup } from './listener-options.ts';

export interface BarView {
  paused: boolean;
  /** Forwards that wait. */
  waiting: number;
  /** Empty for none. */
  filter: string;
  /** Events that the filter hid. */
  hidden: number;
  /** The filter that is being typed; null when none is. */
  typing: string | null;
  hasPage: boolean;
}

/** The bar, within `width` columns: what is different from usual first, then as many keys as fit. */
export function keysBarText(view: BarView, width: number): string {
  const room = Math.max(20, width - 1);
  if (view.typing !== null) return filterLine(view.typing, room);
  const states = [
    ...(view.paused ? [`PAUSED, ${view.waiting} waiting`, 'p resume'] : []),
    ...(view.filter === '' ? [] : [`filter ${cut(view.filter, 16)}, ${view.hidden} hidden`]),
  ];
  const keys = ['? help', 'q quit', 'r again', ...(view.paused ? [] : ['p pause']), 'c clear', 'f filter'];
  let text = cut(states.join('  '), room);
  for (const part of view.hasPage ? [...keys, 'o page'] : keys) {
    const longer = text === '' ? part : `${text}  ${part}`;
    if (displayWidth(longer) > room) break;
    text = longer;
  }
  return text;
}

/** The end of what is typed is always in view, with the cursor behind it. */
function filterLine(typed: string, room: number): string {
  const hint = 'filter (Enter sets it, Esc leaves it): ';
  const start = displayWidth(hint) + 12 > room ? 'filter: ' : hint;
  let shown = typed;
  while (displayWidth(start + shown) > room) shown = shown.slice(1);
  return start + shown;
}

/** Whether an event is shown under a filter: an event type or family (`decision.*`), or any text in the event. */
export function passesFilter(event: ListenerEvent, filter: string): boolean {
  if (filter === '' || !('delivery_id' in event)) return true;
  if ('event_type' in event && eventMatches(filter, event.event_type ?? '')) return true;
  const { at: _at, ...rest } = event;
  return Object.values(rest).join(' ').toLowerCase().includes(filter.toLowerCase());
}

/** The keys in what a terminal sent; arrows and other sequences are left out. */
export function keysIn(text: string): string[] {
  // oxlint-disable-next-line no-control-regex
  return (text.match(/\u001b\[[0-?]*[ -/]*[@-~]|\u001bO.|[\s\S]/gu) ?? []).filter((key) => [...key].length === 1);
}

/** What is typed as a filter after one more key; null when it is given up. */
export function typedFilter(typed: string, key: string): string | null {
  if (key === ESCAPE) return null;
  if (key === '\u007f' || key === '\b') return [...typed].slice(0, -1).join('');
  if (key === CTRL_U) return '';
  // oxlint-disable-next-line no-control-regex
  return /[\u0000-\u001f]/.test(key) ? typed : typed + plainLine(key);
}

const ESCAPE = '\u001b';
const CTRL_U = '\u0015';
/** Only where the terminal makes no signal of it. */
const CTRL_C = '\u0003';

const HELP: readonly (readonly [key: string, meaning: string])[] = [
  ['q', 'quit, as Ctrl-C does: what waits is delivered by the next listen'],
  ['r', 'send the last delivery again, also while paused'],
  ['p', 'pause forwarding: deliveries are stored and acknowledged; p again forwards them'],
  ['f', 'show only lines with a text, a type or a family (decision.*); empty shows all'],
  ['c', 'clear the screen'],
];
const PAGE_HELP = ['o', 'open the page of --inspect'] as const;

interface KeysOptions {
  context: Context;
  session: Session;
  setup: ListenerSetup;
  paint: Paint;
}

/** Whether keys can be read: the terminal is ours, and able to move its cursor. */
export function canReadKeys({ stdin, env, jobs }: Context): boolean {
  return stdin.isTTY === true && env['TERM'] !== 'dumb' && jobs.isForeground();
}

export class ListenerKeys {
  readonly #options: KeysOptions;
  readonly #decoder = new TextDecoder();
  readonly #onData = (chunk: Uint8Array): void => this.#read(chunk);
  #bar: StatusBar | null = null;
  #reading = false;
  #controls: ListenerControls | null = null;
  #page: string | null = null;
  #filter = '';
  #typing: string | null = null;
  #hidden = 0;
  /** The newest delivery that was shown. */
  #newest: number | null = null;
  #sending = false;

  constructor(options: KeysOptions) {
    this.#options = options;
  }

  /** What steers the listener; known once it runs. */
  steer(controls: ListenerControls): void {
    this.#controls = controls;
  }

  /** The address that `o` opens. */
  showPage(url: string): void {
    this.#page = url;
  }

  /** Reads keys and shows the bar for as long as events are read. @returns the events that the filter lets through */
  async *during(events: AsyncIterable<ListenerEvent>): AsyncGenerator<ListenerEvent> {
    const { context } = this.#options;
    const unwatch = context.jobs.watch(
      () => this.#release(),
      () => this.#take(),
    );
    this.#bar = startStatusBar(
      context,
      () => this.#barText(),
      (open) => (open ? this.#release() : this.#take()),
    );
    this.#take();
    try {
      for await (const event of events) {
        if (passesFilter(event, this.#filter)) {
          if ('inbox_id' in event) this.#newest = Math.max(this.#newest ?? 0, event.inbox_id);
          yield event;
        } else this.#hidden += 1;
      }
    } finally {
      unwatch();
      this.#release();
      this.#bar.stop();
    }
  }

  /** Takes the terminal, unless a shell has put this process in the background. */
  #take(): void {
    const { stdin, jobs } = this.#options.context;
    if (this.#reading || !jobs.isForeground() || !jobs.readKeys(true)) return;
    this.#reading = true;
    stdin.on('data', this.#onData).on('error', ignored);
    stdin.resume();
    this.#bar?.refresh();
  }

  /** Gives the terminal back as it was. */
  #release(): void {
    const { stdin, jobs } = this.#options.context;
    if (!this.#reading) return;
    this.#reading = false;
    this.#bar?.refresh();
    stdin.off('data', this.#onData).off('error', ignored);
    stdin.pause();
    if (jobs.isForeground()) jobs.readKeys(false);
  }

  #barText(): string | null {
    const { context, paint } = this.#options;
    if (!this.#reading) return null;
    const view: BarView = {
      paused: this.#controls?.paused ?? false,
      waiting: this.#controls?.waiting ?? 0,
      filter: this.#filter,
      hidden: this.#hidden,
      typing: this.#typing,
      hasPage: this.#page !== null,
    };
    const text = keysBarText(view, context.stderr.columns || 80);
    if (view.typing !== null) return text;
    return view.paused ? paint.warn(text) : paint.dim(text);
  }

  #read(chunk: Uint8Array): void {
    for (const key of keysIn(this.#decoder.decode(chunk, { stream: true }))) this.#press(key);
    this.#bar?.refresh();
  }

  #press(key: string): void {
    if (key === CTRL_C) this.#options.context.jobs.pressCtrlC();
    else if (this.#typing !== null) this.#type(this.#typing, key);
    else this.#command(key);
  }

  #type(typed: string, key: string): void {
    if (key !== '\r' && key !== '\n') {
      this.#typing = typedFilter(typed, key);
      return;
    }
    this.#typing = null;
    this.#filter = typed.trim();
    this.#hidden = 0;
    this.#newest = null;
  }

  #command(key: string): void {
    const { context } = this.#options;
    if (key === '?') this.#help();
    else if (key === 'q') context.interrupt('SIGINT');
    else if (key === 'r') void this.#sendAgain();
    else if (key === 'p') this.#togglePause();
    else if (key === 'c') context.stdout.write('\u001b[H\u001b[2J');
    else if (key === 'f') this.#typing = this.#filter;
    else if (key === 'o') void this.#openPage();
  }

  #help(): void {
    const { context } = this.#options;
    const rows = this.#page === null ? HELP : [...HELP, PAGE_HELP];
    for (const [key, meaning] of rows) {
      const [first = '', ...more] = wrapped(meaning, 4, context.stderr.columns || 80);
      note(context, [`  ${key} ${first.trimStart()}`, ...more].join('\n'));
    }
  }

  #togglePause(): void {
    if (this.#controls === null) return;
    if (this.#controls.paused) this.#controls.resume();
    else this.#controls.pause();
  }

  async #openPage(): Promise<void> {
    const { context } = this.#options;
    if (this.#page === null) return note(context, 'note: there is no page; start the listener with --inspect');
    const { openPage } = await import('../system/browser.ts');
    await openPage(context, this.#page);
  }

  /** One at a time: a key that is held down must not flood the app. */
  async #sendAgain(): Promise<void> {
    const { context, paint } = this.#options;
    if (this.#sending) return;
    this.#sending = true;
    try {
      for (const delivered of await this.#sendNewest())
        for (const line of sentAgainLines(delivered, { output: context.stderr, paint }, context.now()))
          note(context, line);
    } catch (error) {
      // Whatever went wrong with this one, the listener goes on.
      const why = error instanceof Error ? error.message : String(error);
      note(context, `note: not sent again: ${plainLine(redactText(why))}`);
    } finally {
      this.#sending = false;
      this.#bar?.refresh();
    }
  }

  async #sendNewest(): Promise<Delivered[]> {
    const { context, session, setup } = this.#options;
    const { store, scope, forward, routes } = setup.options;
    const [newest] = this.#filter === '' ? listEntries(store, { scope, limit: 1 }) : [];
    const inboxId = this.#newest ?? newest?.inbox_id;
    if (inboxId === undefined) {
      note(context, 'note: no delivery has come yet that could be sent again');
      return [];
    }
    const [entry] = listEntries(store, { scope, after: inboxId - 1, limit: 1 });
    const targets = routing(forward, routes ?? []).route(entry?.event_type ?? null);
    if (targets.length === 0) note(context, 'note: not sent again: this listener forwards it to no target');
    const { sendAgain } = await import('./send-again.ts');
    return Promise.all(
      targets.map((target) => sendAgain(context, session, setup, { inboxId, target: new URL(target) })),
    );
  }
}

/** A terminal that is gone sends SIGHUP as well. */
function ignored(): void {}
