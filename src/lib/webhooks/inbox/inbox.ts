/**
 * The inbox of a listener: stores each verified delivery on disk before its sender is answered, and the result of each attempt to
 * forward it. Writes in the same turn of the event loop share one commit, and so one disk sync. Pending forwards of an ended listener are
 * claimed by the next one in listener-registry.ts.
 */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { isRecord } from '../../contract/json.ts';
import type { ForwardState } from '../../contract/listener-events.ts';
import { Failure } from '../../failure.ts';
import { diskFull, isDiskFull } from '../../files/full-disk.ts';
import { isDamage, sqliteCode } from '../../store/sqlite-file.ts';
import type { Store } from '../../store/store.ts';
import { FORWARDS_PER_DELIVERY } from './inbox-tables.ts';

export interface InboxOptions {
  store: Store;
  scope: string;
  /** Id of the listener that owns the stored deliveries. */
  owner: number;
  /** False stores and forwards the same event id for the same target again. */
  dedupe?: boolean;
}

/** A verified delivery to be stored. */
export interface NewDelivery extends EventFacts {
  receivedAt: number;
  deliveryId: string | null;
  method: string;
  /** Header names and values alternating, unchanged. */
  headers: readonly string[];
  body: Uint8Array;
  /** `valid`, `unverified`, or `valid` with the warnings after a colon. */
  verdict: string;
}

/** A delivery to one target, as stored. */
export interface StoredForward {
  id: number;
  target: string;
  state: 'waiting' | 'duplicate';
  /** For a duplicate: the state of the earlier delivery. */
  earlier: 'waiting' | 'delivered' | null;
}

export interface StoredDelivery {
  id: number;
  forwards: StoredForward[];
}

/** The result of an attempt, as stored for a forward. */
export interface AttemptResult {
  state: ForwardState;
  attempts: number;
  at: number;
  status: number | null;
  latencyMs: number | null;
  error: string | null;
  answer: string | null;
  /** The signature header that was sent; null when nothing was. */
  signature: string | null;
}

interface Waiting {
  delivery: NewDelivery;
  targets: readonly string[];
  resolve: (stored: StoredDelivery) => void;
  reject: (error: unknown) => void;
}

/** Number of deliveries between two checks of the file's size. */
const TRIM_EVERY = 100;
const RETRY_MS = 100;
const DELAY_MS = 1;
const RESULT_MS = 5;

export class Inbox {
  readonly #store: Store;
  readonly #writer: Writer;
  readonly #read: StatementSync;
  readonly #state: StatementSync;
  #arrivals: Waiting[] = [];
  #results: [number, AttemptResult][] = [];
  /** Committed, and not yet known to be safe from a power cut. */
  readonly #unsafe = new Set<Unsafe>();
  /** Deliveries that were refused after their commit: they go with the next one. */
  #refused: number[] = [];
  #due: NodeJS.Immediate | null = null;
  #delay: NodeJS.Timeout | null = null;
  #resultsTimer: NodeJS.Timeout | undefined;
  #untrimmed = 0;

  constructor(options: InboxOptions) {
    const { db } = options.store;
    this.#store = options.store;
    this.#writer = createWriter(db, options);
    this.#read = db.prepare('SELECT headers, body FROM inbox_deliveries WHERE id = ?');
    this.#state = db.prepare('SELECT state FROM inbox_forwards WHERE id = ?');
  }

  /**
   * Stores a delivery and its forwards. Resolves when they are on disk, safe from a power cut.
   * @throws Failure `unavailable` (`inbox_full`, `inbox_unwritable`): the sender must retry
   */
  store(delivery: NewDelivery, targets: readonly string[]): Promise<StoredDelivery> {
    return new Promise((resolve, reject) => {
      this.#arrivals.push({ delivery, targets, resolve, reject });
      this.#scheduleSoon();
    });
  }

  /** Stores the result of an attempt with the next commit, within milliseconds. */
  saveAttempt(forward: number, result: AttemptResult): void {
    this.#results.push([forward, result]);
    this.#scheduleIn(RESULT_MS);
  }

  /** Whether a forward is still to be delivered: another process may have settled it, or it was deleted. */
  isWaiting(forward: number): boolean {
    return this.#store.db.isOpen && this.#state.get(forward)?.['state'] === 'waiting';
  }

  /** Headers and body of a stored delivery; null when it was deleted. */
  content(delivery: number): { headers: string[]; body: Uint8Array } | null {
    const row = this.#store.db.isOpen ? this.#read.get(delivery) : undefined;
    if (row === undefined || !(row['body'] instanceof Uint8Array)) return null;
    return { headers: readHeaders(row['headers']), body: row['body'] };
  }

  /** One short step towards the size that the file should have. */
  trim(): void {
    try {
      if (this.#store.db.isOpen) this.#store.trim();
    } catch {
      // Busy or damaged: the next commit tells.
    }
  }

  /** Commits everything that is buffered. */
  flush(): void {
    if (this.#due !== null) clearImmediate(this.#due);
    this.#due = null;
    clearTimeout(this.#resultsTimer);
    this.#resultsTimer = undefined;
    const group = { arrivals: this.#arrivals, results: this.#results, refused: this.#refused };
    this.#arrivals = [];
    this.#results = [];
    this.#refused = [];
    if (group.arrivals.length + group.results.length + group.refused.length === 0) return;
    if (group.arrivals.length > 0) this.#delayNext();
    const stored = commitGroup(this.#store, this.#writer, group);
    if (stored === null) {
      // Attempt results are written with a later commit. New deliveries were rejected, and their senders will retry.
      this.#results = [...group.results, ...this.#results];
      this.#refused = [...group.refused, ...this.#refused];
      this.#scheduleIn(RETRY_MS);
    } else if (stored.length > 0) {
      void this.#releaseWhenSafe({ arrivals: group.arrivals, stored });
    }
    this.#untrimmed += group.arrivals.length;
    if (this.#untrimmed < TRIM_EVERY) return;
    this.#untrimmed = 0;
    this.trim();
  }

  /**
   * Waits until the commit is safe from a power cut, then resolves the arrivals. When the disk fails, everything that is not yet safe is
   * refused and its rows go: a row that stayed would make a duplicate of the sender's repeat, and nobody would forward either.
   */
  async #releaseWhenSafe(group: Unsafe): Promise<void> {
    this.#unsafe.add(group);
    try {
      await this.#store.sync();
    } catch (error) {
      const failure = asFailure(error, this.#store);
      for (const { arrivals, stored } of this.#unsafe) {
        this.#refused.push(...stored.map(({ id }) => id));
        for (const waiting of arrivals) waiting.reject(failure);
      }
      this.#unsafe.clear();
      return this.#scheduleSoon();
    }
    // False when it was refused with an earlier one.
    if (!this.#unsafe.delete(group)) return;
    for (const [index, waiting] of group.arrivals.entries()) {
      const one = group.stored[index];
      if (one !== undefined) waiting.resolve(one);
    }
  }

  #scheduleSoon(): void {
    if (this.#store.db.isOpen && this.#delay === null) this.#due ??= setImmediate(() => this.flush());
  }

  #scheduleIn(ms: number): void {
    if (this.#store.db.isOpen) this.#resultsTimer ??= setTimeout(() => this.flush(), ms);
  }

  /** Delays the next commit slightly, so that a busy listener makes few large commits instead of many small ones. */
  #delayNext(): void {
    this.#delay ??= setTimeout(() => {
      this.#delay = null;
      if (this.#arrivals.length > 0) this.flush();
    }, DELAY_MS);
  }
}

/** The names and values of a stored delivery's `headers`. */
export function readHeaders(text: unknown): string[] {
  const value: unknown = JSON.parse(String(text));
  return Array.isArray(value) ? value.map(String) : [];
}

interface Group {
  arrivals: Waiting[];
  results: [number, AttemptResult][];
  refused: number[];
}

interface Unsafe {
  arrivals: Waiting[];
  stored: StoredDelivery[];
}

/** @returns what was stored; null when the commit failed, and the arrivals were rejected. */
function commitGroup(store: Store, writer: Writer, group: Group): StoredDelivery[] | null {
  const { db } = store;
  try {
    // The file was replaced or deleted by another process, so nothing written to it would be delivered.
    if (store.isStale()) throw failureOf('damaged');
    db.exec('BEGIN IMMEDIATE');
    // First: a repeat of one of them may be among the arrivals.
    for (const delivery of group.refused) writer.remove(delivery);
    for (const [forward, result] of group.results) writer.saveAttempt(forward, result);
    const stored = group.arrivals.map(({ delivery, targets }) => writer.add(delivery, targets));
    db.exec('COMMIT');
    return stored;
  } catch (error) {
    if (db.isOpen && db.isTransaction) db.exec('ROLLBACK');
    const failure = asFailure(error, store);
    for (const waiting of group.arrivals) waiting.reject(failure);
    return null;
  }
}

const MESSAGES = {
  full: { code: 'inbox_full', message: 'the inbox is full of deliveries that are waiting to be forwarded' },
  damaged: {
    code: 'inbox_unwritable',
    message: 'the inbox file is damaged or missing; restart the listener: it renames the file and creates a new one',
  },
  other: { code: 'inbox_unwritable', message: 'the inbox cannot be written' },
};

function asFailure(error: unknown, store: Store): Failure {
  if (error instanceof Failure) return error;
  if (isDiskFull(error, store.path)) return diskFull(store.path, error);
  if (isDamage(error, store.path)) store.condemn();
  const code = sqliteCode(error);
  return failureOf(code === 'full' || code === 'damaged' ? code : 'other', error);
}

function failureOf(trouble: keyof typeof MESSAGES, error?: unknown): Failure {
  const { message, ...facts } = MESSAGES[trouble];
  return new Failure('unavailable', message, facts, error);
}

/** What makes two deliveries the same event: its id, else the delivery's own (webhooks.md#conflicts). */
function identityOf({ eventId, deliveryId }: { eventId: string | null; deliveryId: string | null }): string | null {
  return eventId ?? (deliveryId === null ? null : `delivery:${deliveryId}`);
}

/** The prepared statements that fill the inbox. They run inside a transaction of `commitGroup`. */
interface Writer {
  add(delivery: NewDelivery, targets: readonly string[]): StoredDelivery;
  saveAttempt(forward: number, result: AttemptResult): void;
  remove(delivery: number): void;
}

function createWriter(db: DatabaseSync, options: { scope: string; owner: number; dedupe?: boolean }): Writer {
  const { scope, owner } = options;
  const addDelivery = db.prepare(
    `INSERT INTO inbox_deliveries (scope, received_at, delivery_id, event_id, event_type, resource_id, order_key, created, method, headers, body, verdict)
     VALUES ($scope, $receivedAt, $deliveryId, $eventId, $eventType, $resourceId, $orderKey, $created, $method, $headers, $body, $verdict)`,
  );
  const addForward = db.prepare(
    'INSERT INTO inbox_forwards (id, scope, event_id, target, state, owner, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?)',
  );
  const earlier = db.prepare(
    `SELECT state FROM inbox_forwards WHERE event_id = ? AND target = ? AND state IN ('waiting', 'delivered') AND scope = ?
     ORDER BY state LIMIT 1`,
  );
  const update = db.prepare(
    `UPDATE inbox_forwards SET state = ?, attempts = ?, updated_at = ?, status = ?, latency_ms = ?, error = ?, answer = ?, signature = coalesce(?, signature)
     WHERE id = ? AND (state = 'waiting' OR ? = 'delivered')`,
  );
  const remove = db.prepare('DELETE FROM inbox_deliveries WHERE id = ?');
  return {
    add(d, targets) {
      const { lastInsertRowid } = addDelivery.run({ ...d, scope, headers: JSON.stringify(d.headers) });
      const id = Number(lastInsertRowid);
      const same = identityOf(d);
      const forwards = targets.map((target, place): StoredForward => {
        const twin = options.dedupe === false || same === null ? null : earlier.get(same, target, scope);
        const state = twin === null || twin === undefined ? 'waiting' : 'duplicate';
        const twinState = twin?.['state'] === 'delivered' ? 'delivered' : 'waiting';
        const forward = id * FORWARDS_PER_DELIVERY + place;
        addForward.run(forward, scope, same, target, state, owner, d.receivedAt);
        return { id: forward, target, state, earlier: state === 'duplicate' ? twinState : null };
      });
      return { id, forwards };
    },
    saveAttempt(id, s) {
      // What was settled elsewhere while an attempt was under way stays settled.
      update.run(s.state, s.attempts, s.at, s.status, s.latencyMs, s.error, s.answer, s.signature, id, s.state);
    },
    remove(delivery) {
      remove.run(delivery);
    },
  };
}

/** The members of a delivery's body that a listener needs to deduplicate, route and order it (webhooks.md#event-envelope). */
export interface EventFacts {
  eventId: string | null;
  eventType: string | null;
  /** The id of the resource the event is about. */
  resourceId: string | null;
  /** Events with the same key are kept in order: the application if the event has one, else the resource. */
  orderKey: string | null;
  /** `created` in milliseconds since the epoch; 0 when it is absent or unreadable. */
  created: number;
}

const NOTHING: EventFacts = { eventId: null, eventType: null, resourceId: null, orderKey: null, created: 0 };

/** Facts of a body; null members when it is not an event. */
export function eventFacts(body: Uint8Array): EventFacts {
  const event = parseBody(body);
  if (!isRecord(event)) return NOTHING;
  const data = isRecord(event['data']) ? event['data'] : {};
  const object = isRecord(data['object']) ? data['object'] : {};
  const eventType = text(event['type']);
  const resourceId = resourceOf(eventType, data, object);
  return {
    eventId: text(event['id']),
    eventType,
    resourceId,
    orderKey: text(data['application_id']) ?? text(object['application_id']) ?? resourceId,
    created: instant(event['created'] ?? event['created_at']),
  };
}

/** The member of `data` with the resource id, for each family (webhooks.md#event-catalogue). */
const FLAT_KEYS: Record<string, string> = {
  application: 'application_id',
  decision: 'decision_id',
  payment: 'payment_id',
  account: 'account_id',
  identity: 'identity_check_id',
};

/** Id from the flat key, else `data.object.<same>`, else `data.object.id`. */
function resourceOf(
  type: string | null,
  data: Record<string, unknown>,
  object: Record<string, unknown>,
): string | null {
  const flat = FLAT_KEYS[type?.split('.', 1)[0] ?? ''];
  const named = flat === undefined ? null : (text(data[flat]) ?? text(object[flat]));
  return named ?? text(object['id']);
}

/** Accepts ISO 8601 and epoch seconds (webhooks.md#conflicts). */
function instant(value: unknown): number {
  if (typeof value === 'number') return Number.isFinite(value) ? value * 1000 : 0;
  return typeof value === 'string' ? Date.parse(value) || 0 : 0;
}

/** Ids and types are short; longer text is ignored, so that it does not enlarge the index. */
function text(value: unknown): string | null {
  return typeof value === 'string' && value !== '' && value.length <= 255 ? value : null;
}

function parseBody(body: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8'));
  } catch {
    return null;
  }
}
