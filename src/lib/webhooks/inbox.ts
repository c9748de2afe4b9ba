/**
 * The listener's memory. A delivery is on disk before its sender is told so; what is not yet delivered is found again by the
 * next listener, however this one ended. Writes that fall into the same turn of the event loop share one commit, and so one
 * wait for the disk.
 */
import type { StatementSync } from 'node:sqlite';
import { Failure } from '../failure.ts';
import { sqliteCode } from '../store/damage.ts';
import type { Store } from '../store/store.ts';
import { createWriter, type NewDelivery, type Settlement, type Stored, type Writer } from './inbox-writer.ts';

export interface InboxOptions {
  store: Store;
  scope: string;
  /** Id of the listener that owns what is stored. */
  owner: number;
  /** False stores and forwards the same event id for the same target again. */
  dedupe?: boolean;
}

interface Waiting {
  delivery: NewDelivery;
  targets: readonly string[];
  resolve: (stored: Stored) => void;
  reject: (error: unknown) => void;
}

/** How often, in deliveries, the size of the file is looked at. */
const TRIM_EVERY = 100;
const RETRY_MS = 100;
const REST_MS = 1;
const SETTLE_MS = 5;

export class Inbox {
  readonly #store: Store;
  readonly #writer: Writer;
  readonly #read: StatementSync;
  #arrivals: Waiting[] = [];
  #settlements: [number, Settlement][] = [];
  #due: NodeJS.Immediate | null = null;
  #resting: NodeJS.Timeout | null = null;
  #settling: NodeJS.Timeout | undefined;
  #untrimmed = 0;

  constructor(options: InboxOptions) {
    const { db } = options.store;
    this.#store = options.store;
    this.#writer = createWriter(db, options);
    this.#read = db.prepare('SELECT headers, body FROM inbox_deliveries WHERE id = ?');
  }

  /**
   * Resolves once the delivery and its forwards are on disk, safe from a power cut.
   * @throws Failure `unavailable` (`inbox_full`, `inbox_unwritable`): the sender must be told to come again.
   */
  store(delivery: NewDelivery, targets: readonly string[]): Promise<Stored> {
    return new Promise((resolve, reject) => {
      this.#arrivals.push({ delivery, targets, resolve, reject });
      this.#soon();
    });
  }

  /** Written with the next commit, which follows within milliseconds. */
  settle(forward: number, settlement: Settlement): void {
    this.#settlements.push([forward, settlement]);
    this.#later(SETTLE_MS);
  }

  /** The bytes of a stored delivery; null when it is gone. */
  content(delivery: number): { headers: string[]; body: Uint8Array } | null {
    const row = this.#store.db.isOpen ? this.#read.get(delivery) : undefined;
    if (row === undefined || !(row['body'] instanceof Uint8Array)) return null;
    return { headers: readHeaders(row['headers']), body: row['body'] };
  }

  /** Commits what has not been committed. */
  flush(): void {
    if (this.#due !== null) clearImmediate(this.#due);
    this.#due = null;
    clearTimeout(this.#settling);
    this.#settling = undefined;
    const group = { arrivals: this.#arrivals, settlements: this.#settlements };
    this.#arrivals = [];
    this.#settlements = [];
    if (group.arrivals.length + group.settlements.length === 0) return;
    if (group.arrivals.length > 0) this.#rest();
    const stored = commitGroup(this.#store, this.#writer, group);
    if (stored === null) {
      // The outcomes are still true; they go with a later commit. Arrivals were refused, and their senders come again.
      this.#settlements = [...group.settlements, ...this.#settlements];
      this.#later(RETRY_MS);
    } else if (stored.length > 0) {
      void releaseWhenSafe(group.arrivals, stored, this.#store);
    }
    this.#untrimmed += group.arrivals.length;
    if (this.#untrimmed < TRIM_EVERY || !this.#store.db.isOpen) return;
    this.#untrimmed = 0;
    this.#store.trim();
  }

  #soon(): void {
    if (this.#store.db.isOpen && this.#resting === null) this.#due ??= setImmediate(() => this.flush());
  }

  #later(ms: number): void {
    if (this.#store.db.isOpen) this.#settling ??= setTimeout(() => this.flush(), ms);
  }

  /** After a commit the next one waits a moment: a busy listener then makes few big commits instead of many small ones. */
  #rest(): void {
    this.#resting ??= setTimeout(() => {
      this.#resting = null;
      if (this.#arrivals.length > 0) this.flush();
    }, REST_MS);
  }
}

/** The names and values of a stored delivery's `headers`. */
export function readHeaders(text: unknown): string[] {
  const value: unknown = JSON.parse(String(text));
  return Array.isArray(value) ? value.map(String) : [];
}

interface Group {
  arrivals: Waiting[];
  settlements: [number, Settlement][];
}

/** @returns what was stored; null when nothing was, and the arrivals were told so. */
function commitGroup(store: Store, writer: Writer, group: Group): Stored[] | null {
  const { db } = store;
  try {
    // Another process met damage first, or the file was deleted: what it takes now, nobody would ever deliver.
    if (store.isStale()) throw inWords('damaged');
    db.exec('BEGIN IMMEDIATE');
    for (const [forward, settlement] of group.settlements) writer.settle(forward, settlement);
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

/** Only now may senders be answered: what was committed is also past a power cut. */
async function releaseWhenSafe(arrivals: Waiting[], stored: Stored[], store: Store): Promise<void> {
  try {
    await store.sync();
  } catch (error) {
    for (const waiting of arrivals) waiting.reject(asFailure(error, store));
    return;
  }
  for (const [index, waiting] of arrivals.entries()) {
    const one = stored[index];
    if (one !== undefined) waiting.resolve(one);
  }
}

const TROUBLE = {
  full: { code: 'inbox_full', message: 'the inbox is full of deliveries that are still to be delivered' },
  damaged: {
    code: 'inbox_unwritable',
    message: 'the inbox file is damaged or gone: it is set aside, and a new one begun, when the listener starts again',
  },
  other: { code: 'inbox_unwritable', message: 'the inbox cannot be written' },
};

function asFailure(error: unknown, store: Store): Failure {
  if (error instanceof Failure) return error;
  const code = sqliteCode(error);
  if (code === 'damaged') store.condemn();
  return inWords(code === 'full' || code === 'damaged' ? code : 'other', error);
}

function inWords(trouble: keyof typeof TROUBLE, error?: unknown): Failure {
  const { message, ...facts } = TROUBLE[trouble];
  return new Failure('unavailable', message, facts, error);
}
