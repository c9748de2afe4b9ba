/**
 * What the page shows, kept in memory and bounded: one entry for each delivery, brought up to date by every moment. Each change gets the
 * next number, so a reader needs to remember one number only, and whoever was away gets what changed meanwhile: nothing is queued.
 */
import type { ExchangeRecord } from '../contract/exchange.ts';
import type {
  AttemptEvent,
  DeliverySubject,
  ListenerEvent,
  ReadyEvent,
  ReceivedEvent,
  RejectedEvent,
  TunnelEvent,
} from '../contract/listener-events.ts';
import type { InboxReader, Replayed } from './heard.ts';
import { MOST_ATTEMPTS, type Attempt, type Entry, entryOf, newWay, type Row, subjectOf, type Way } from './rows.ts';

/** What the page says above the list. */
export interface Facts {
  ready: ReadyEvent | null;
  /** A tunnel that is not up: `ssh down`. */
  tunnel: string | null;
}

/** Entries kept. What is refused is counted apart: anybody may cause it, and it must not push out what is genuine. */
export const MOST_KEPT = 500;
export const MOST_REFUSED = 100;

export class Book {
  readonly #inbox: InboxReader;
  readonly #changed: () => void;
  /** In the order of their last change. */
  readonly #entries = new Map<string, Entry>();
  /** Numbers of the stored ones, ascending; keys of the refused ones, oldest first. */
  readonly #stored: number[] = [];
  readonly #refused: string[] = [];
  /** What came in last: when it is refused, its moment follows at once. */
  #last: ExchangeRecord | null = null;
  #changes = 0;
  #refusals = 0;
  facts: Facts = { ready: null, tunnel: null };

  /** @param changed called after every change; must not throw and must not wait */
  constructor(inbox: InboxReader, changed: () => void) {
    this.#inbox = inbox;
    this.#changed = changed;
    for (const kept of [...inbox.recent(MOST_KEPT)].reverse()) this.#add(kept.inbox_id, entryOf(kept));
  }

  get(key: string): Entry | undefined {
    return this.#entries.get(key);
  }

  /** What changed after this number, the longest ago first. */
  since(change: number, most: number): Entry[] {
    const found: Entry[] = [];
    for (const entry of this.#entries.values()) {
      if (entry.changed > change) found.push(entry);
      if (found.length === most) break;
    }
    return found;
  }

  hear(moment: ListenerEvent): void {
    if (moment.type === 'received') this.#receive(moment);
    else if (moment.type === 'rejected') this.#refuse(moment);
    else if (moment.type === 'duplicate') this.#turn(moment, { state: 'duplicate' });
    else if (moment.type === 'ready') this.facts = { ...this.facts, ready: moment };
    else if (moment.type === 'tunnel') this.#pass(moment);
    else if (moment.type !== 'closed' && moment.type !== 'skipped') this.#attempt(moment);
    this.#changed();
  }

  /** The bytes of a delivery that may be about to be refused: its moment has none. */
  keepBytes(record: ExchangeRecord): void {
    this.#last = record;
  }

  replayed(key: string, at: string, sent: Replayed): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    entry.row.replays += 1;
    const { target, status, error, latency_ms, answer, hint } = sent;
    this.#note(entry, {
      kind: 'replay',
      at,
      target,
      attempt: entry.row.replays,
      status,
      error,
      latency_ms,
      answer,
      hint,
      chaos: null,
    });
    this.#touch(entry);
    this.#changed();
  }

  #pass({ via, state }: TunnelEvent): void {
    if (state !== 'woke') this.facts = { ...this.facts, tunnel: state === 'up' ? null : `${via} ${state}` };
  }

  #receive(moment: ReceivedEvent): void {
    const { at, bytes, warnings, targets } = moment;
    const verdict = this.facts.ready?.unverified === true ? 'unverified' : 'valid';
    const ways = targets.map((target) => newWay(target));
    const row: Row = { ...subjectOf(moment), at, bytes, verdict, warnings, cause: null, ways, replays: 0 };
    this.#add(moment.inbox_id, { row, changed: 0, attempts: [], refusal: null });
  }

  #refuse(moment: RejectedEvent): void {
    this.#refusals += 1;
    const { at, bytes, delivery_id, cause } = moment;
    const ids = { key: `r${this.#refusals}`, event_id: null, event_type: null, delivery_id, resource_id: null };
    const row: Row = { ...ids, at, bytes, verdict: 'rejected', warnings: [], cause, ways: [], replays: 0 };
    this.#refused.push(row.key);
    if (this.#refused.length > MOST_REFUSED) this.#entries.delete(this.#refused.shift() ?? '');
    this.#touch({ row, changed: 0, attempts: [], refusal: { moment, record: this.#recordOf(moment) } });
  }

  #recordOf({ at, delivery_id }: RejectedEvent): ExchangeRecord | null {
    const last = this.#last;
    this.#last = null;
    return last?.at === Date.parse(at) && last.deliveryId === delivery_id ? last : null;
  }

  #attempt(moment: AttemptEvent): void {
    const { type, at, target, attempt, status, error, latency_ms, answer, hint, chaos } = moment;
    const state = type === 'forwarded' ? 'delivered' : type === 'failed' ? 'failed' : 'waiting';
    const entry = this.#turn(moment, { state, attempts: attempt, status, error, latency_ms });
    if (entry === null) return;
    this.#note(entry, { kind: 'forward', at, target, attempt, status, error, latency_ms, answer, hint, chaos });
  }

  /** @returns null where the delivery is older than what the book holds. */
  #turn(subject: DeliverySubject & { target: string }, change: Partial<Way>): Entry | null {
    const entry = this.#entries.get(String(subject.inbox_id)) ?? this.#recall(subject.inbox_id);
    if (entry === null) return null;
    const { ways } = entry.row;
    const way = ways.find(({ target }) => target === subject.target) ?? newWay(subject.target);
    if (!ways.includes(way)) ways.push(way);
    Object.assign(way, change);
    this.#touch(entry);
    return entry;
  }

  /** One that an earlier listener left. */
  #recall(inboxId: number): Entry | null {
    if (this.#stored.length >= MOST_KEPT && inboxId < (this.#stored[0] ?? 0)) return null;
    const found = this.#inbox.find(inboxId);
    if (found === null) return null;
    const entry = entryOf(found.entry);
    this.#add(inboxId, entry);
    return entry;
  }

  #add(inboxId: number, entry: Entry): void {
    if (!this.#entries.has(entry.row.key)) {
      this.#stored.push(inboxId);
      if (inboxId < (this.#stored.at(-2) ?? 0)) this.#stored.sort((a, b) => a - b);
    }
    this.#touch(entry);
    if (this.#stored.length > MOST_KEPT) this.#entries.delete(String(this.#stored.shift()));
  }

  #note(entry: Entry, attempt: Attempt): void {
    entry.attempts.push(attempt);
    if (entry.attempts.length > MOST_ATTEMPTS) entry.attempts.shift();
  }

  #touch(entry: Entry): void {
    this.#changes += 1;
    entry.changed = this.#changes;
    this.#entries.delete(entry.row.key);
    this.#entries.set(entry.row.key, entry);
  }
}
