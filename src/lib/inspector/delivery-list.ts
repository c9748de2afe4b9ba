/**
 * The delivery list of the page, in memory and bounded: one entry for each delivery, updated by every listener event. Each change gets
 * the next number, so only the number of the last change sent is kept for an open page: after a reconnect it gets all later changes.
 */
import type { ExchangeRecord } from '../contract/exchange.ts';
import type {
  AttemptEvent,
  DeliverySubject,
  ForwardState,
  InboxEntry,
  ListenerEvent,
  ReadyEvent,
  ReceivedEvent,
  RejectedEvent,
  TunnelEvent,
} from '../contract/listener-events.ts';

/** How the page reads the inbox. */
export interface InboxReader {
  /** Newest first. */
  recent(limit: number): readonly InboxEntry[];
  /** With its bytes; null when it was deleted. `headers` are names and values in turn. */
  find(inboxId: number): { entry: InboxEntry; headers: readonly string[]; body: Uint8Array } | null;
}

/** The result of sending a delivery again. */
export interface ReplayResult {
  delivery_id: string;
  target: string;
  status: number | null;
  latency_ms: number | null;
  error: string | null;
  answer: string | null;
  hint: string | null;
}

export interface TargetState {
  target: string;
  state: ForwardState;
  attempts: number;
  status: number | null;
  error: string | null;
  latency_ms: number | null;
}

/** A row of the list. */
export interface ListRow extends Omit<DeliverySubject, 'inbox_id'> {
  /** The number in the inbox; `r1`, `r2`, … for rejected deliveries, which are not stored in the inbox. */
  key: string;
  at: string;
  bytes: number;
  verdict: 'valid' | 'unverified' | 'rejected';
  warnings: readonly string[];
  /** Why it was rejected; null when it was not. */
  cause: string | null;
  targets: TargetState[];
  replays: number;
}

export interface AttemptRow {
  kind: 'forward' | 'replay' | 'earlier';
  at: string;
  target: string;
  attempt: number;
  status: number | null;
  error: string | null;
  latency_ms: number | null;
  answer: string | null;
  hint: string | null;
  chaos: string | null;
}

export interface ListEntry {
  row: ListRow;
  /** Number of its last change. */
  changed: number;
  /** The latest attempts, oldest first. */
  attempts: AttemptRow[];
  /** Why it was rejected, with its bytes if they are still known; null for a delivery in the inbox. */
  refusal: { event: RejectedEvent; record: ExchangeRecord | null } | null;
}

/** The state of the listener, shown above the list. */
export interface ListHeader {
  ready: ReadyEvent | null;
  /** A tunnel that is not up: `ssh down`. */
  tunnel: string | null;
}

/** Entries kept. Rejected deliveries have their own limit: anybody can cause them, and they must not displace genuine ones. */
export const MAX_STORED = 500;
export const MAX_REJECTED = 100;

/** Attempts kept of one delivery. */
const MAX_ATTEMPTS = 10;

export class DeliveryList {
  readonly #inbox: InboxReader;
  readonly #changed: () => void;
  /** In the order of their last change. */
  readonly #entries = new Map<string, ListEntry>();
  /** Inbox numbers of the stored deliveries, ascending; keys of the rejected ones, oldest first. */
  readonly #storedIds: number[] = [];
  readonly #rejectedKeys: string[] = [];
  /** The delivery received last: if it is rejected, its event follows immediately. */
  #lastBody: ExchangeRecord | null = null;
  #changeCount = 0;
  #rejections = 0;
  header: ListHeader = { ready: null, tunnel: null };

  /** @param changed called after every change; must not throw and must not wait */
  constructor(inbox: InboxReader, changed: () => void) {
    this.#inbox = inbox;
    this.#changed = changed;
    for (const kept of [...inbox.recent(MAX_STORED)].reverse()) this.#add(kept.inbox_id, entryOf(kept));
  }

  get(key: string): ListEntry | undefined {
    return this.#entries.get(key);
  }

  /** At most `most` entries that changed after this number, oldest change first. */
  since(change: number, most: number): ListEntry[] {
    const found: ListEntry[] = [];
    for (const entry of this.#entries.values()) {
      if (entry.changed > change) found.push(entry);
      if (found.length === most) break;
    }
    return found;
  }

  onEvent(event: ListenerEvent): void {
    if (event.type === 'received') this.#received(event);
    else if (event.type === 'rejected') this.#rejected(event);
    else if (event.type === 'duplicate') this.#updateTarget(event, { state: 'duplicate' });
    else if (event.type === 'ready') this.header = { ...this.header, ready: event };
    else if (event.type === 'tunnel') this.#tunnelChanged(event);
    else if (event.type !== 'closed' && event.type !== 'skipped') this.#attempted(event);
    this.#changed();
  }

  /** Remembers the bytes of a delivery that may be rejected next: its event has none. */
  keepBody(record: ExchangeRecord): void {
    this.#lastBody = record;
  }

  replayed(key: string, at: string, sent: ReplayResult): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    entry.row.replays += 1;
    const { target, status, error, latency_ms, answer, hint } = sent;
    this.#addAttempt(entry, {
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
    const settled = entry.row.targets.find((one) => one.target === target);
    if (settled !== undefined && settled.state !== 'duplicate' && status !== null && status >= 200 && status < 300) {
      Object.assign(settled, { state: 'delivered', status, error, latency_ms });
    }
    this.#markChanged(entry);
    this.#changed();
  }

  #tunnelChanged({ via, state }: TunnelEvent): void {
    if (state !== 'woke') this.header = { ...this.header, tunnel: state === 'up' ? null : `${via} ${state}` };
  }

  #received(event: ReceivedEvent): void {
    const { at, bytes, warnings } = event;
    const verdict = this.header.ready?.unverified === true ? 'unverified' : 'valid';
    const targets = event.targets.map((target) => newTargetState(target));
    const row: ListRow = { ...subjectOf(event), at, bytes, verdict, warnings, cause: null, targets, replays: 0 };
    this.#add(event.inbox_id, { row, changed: 0, attempts: [], refusal: null });
  }

  #rejected(event: RejectedEvent): void {
    this.#rejections += 1;
    const { at, bytes, delivery_id, cause } = event;
    const ids = { key: `r${this.#rejections}`, event_id: null, event_type: null, delivery_id, resource_id: null };
    const row: ListRow = { ...ids, at, bytes, verdict: 'rejected', warnings: [], cause, targets: [], replays: 0 };
    this.#rejectedKeys.push(row.key);
    if (this.#rejectedKeys.length > MAX_REJECTED) this.#entries.delete(this.#rejectedKeys.shift() ?? '');
    this.#markChanged({ row, changed: 0, attempts: [], refusal: { event, record: this.#bodyOf(event) } });
  }

  #bodyOf({ at, delivery_id }: RejectedEvent): ExchangeRecord | null {
    const last = this.#lastBody;
    this.#lastBody = null;
    return last?.at === Date.parse(at) && last.deliveryId === delivery_id ? last : null;
  }

  #attempted(event: AttemptEvent): void {
    const { type, at, target, attempt, status, error, latency_ms, answer, hint, chaos } = event;
    const state = STATES[type];
    const entry = this.#updateTarget(event, { state, attempts: attempt, status, error, latency_ms });
    if (entry === null) return;
    this.#addAttempt(entry, { kind: 'forward', at, target, attempt, status, error, latency_ms, answer, hint, chaos });
  }

  /** @returns null when the delivery is older than the list */
  #updateTarget(subject: DeliverySubject & { target: string }, change: Partial<TargetState>): ListEntry | null {
    const entry = this.#entries.get(String(subject.inbox_id)) ?? this.#load(subject.inbox_id);
    if (entry === null) return null;
    const { targets } = entry.row;
    const state = targets.find(({ target }) => target === subject.target) ?? newTargetState(subject.target);
    if (!targets.includes(state)) targets.push(state);
    Object.assign(state, change);
    this.#markChanged(entry);
    return entry;
  }

  /** Reads a delivery from the inbox that was received before this listener started. */
  #load(inboxId: number): ListEntry | null {
    if (this.#storedIds.length >= MAX_STORED && inboxId < (this.#storedIds[0] ?? 0)) return null;
    const found = this.#inbox.find(inboxId);
    if (found === null) return null;
    const entry = entryOf(found.entry);
    this.#add(inboxId, entry);
    return entry;
  }

  #add(inboxId: number, entry: ListEntry): void {
    if (!this.#entries.has(entry.row.key)) {
      this.#storedIds.push(inboxId);
      if (inboxId < (this.#storedIds.at(-2) ?? 0)) this.#storedIds.sort((a, b) => a - b);
    }
    this.#markChanged(entry);
    if (this.#storedIds.length > MAX_STORED) this.#entries.delete(String(this.#storedIds.shift()));
  }

  #addAttempt(entry: ListEntry, attempt: AttemptRow): void {
    entry.attempts.push(attempt);
    if (entry.attempts.length > MAX_ATTEMPTS) entry.attempts.shift();
  }

  #markChanged(entry: ListEntry): void {
    this.#changeCount += 1;
    entry.changed = this.#changeCount;
    this.#entries.delete(entry.row.key);
    this.#entries.set(entry.row.key, entry);
  }
}

const STATES = { forwarded: 'delivered', failed: 'failed', parked: 'parked', retrying: 'waiting' } as const;

function newTargetState(target: string): TargetState {
  return { target, state: 'waiting', attempts: 0, status: null, error: null, latency_ms: null };
}

function subjectOf({ inbox_id, event_id, event_type, delivery_id, resource_id }: DeliverySubject) {
  return { key: String(inbox_id), event_id, event_type, delivery_id, resource_id };
}

/** A delivery of the inbox, which keeps the last attempt at each target only. */
function entryOf(kept: InboxEntry): ListEntry {
  const [verdict, ...warnings] = kept.verdict.split(':');
  const attempts = kept.forwards
    .filter((forward) => forward.attempts > 0)
    .map(({ target, updated_at: at, attempts: attempt, status, error, latency_ms, answer }): AttemptRow => {
      return { kind: 'earlier', at, target, attempt, status, error, latency_ms, answer, hint: null, chaos: null };
    });
  const row: ListRow = {
    ...subjectOf(kept),
    ...{ at: kept.received_at, bytes: kept.bytes, verdict: verdict === 'unverified' ? 'unverified' : 'valid' },
    ...{ warnings, cause: null, replays: 0 },
    targets: kept.forwards.map(({ target, state, attempts: tries, status, error, latency_ms }) => {
      return { target, state, attempts: tries, status, error, latency_ms };
    }),
  };
  return { row, changed: 0, attempts: attempts.slice(-MAX_ATTEMPTS), refusal: null };
}
