/**
 * The request log (sandbox.md#request-log-and-stream): the last 1000 requests, and a feed of what happens for those who watch.
 */
import type { WriteDown } from '../contract/exchange.ts';
import { redactText } from '../contract/secrets.ts';
import type { Attempted } from './courier.ts';
import type { Call, Outgoing } from './exchange.ts';
import { deliveryRecord, exchangeRecord } from './journal-record.ts';
import { LoggedExchange } from './log-entry.ts';
import type { World } from './world.ts';

const RING = 1000;

export type MessageKind = 'request' | 'webhook_event' | 'delivery' | 'clock';

export interface Message {
  id: number;
  kind: MessageKind;
  /** One line of JSON. */
  text(): string;
}

export interface RequestLog {
  write(call: Call, outgoing: Outgoing, startedAt: number): void;
  writeAttempt(attempt: Attempted): void;
  /** Oldest first. */
  entries(): readonly LoggedExchange[];
  /** Says something to those who watch. */
  say(kind: MessageKind, text: () => string): void;
  /** Messages the ring still holds, oldest first. */
  messages(): readonly Message[];
  /** The number of the last message. */
  last(): number;
  /** Whose numbers these are: another one counts anew. */
  readonly instance: string;
  /** Told of each message as it is said, and null at the end; returns the way to stop. */
  watch(hear: (message: Message | null) => void): () => void;
  clear(): void;
  /** Sends those who watch away. */
  close(): void;
}

export function createRequestLog(world: World, record: WriteDown | undefined): RequestLog {
  const entries = new Ring<LoggedExchange>(RING);
  const feed = new Ring<Message>(RING);
  const listeners = new Set<(message: Message | null) => void>();
  let seq = 0;
  world.watchers.add({
    event: ({ resource }) => say('webhook_event', () => redactText(JSON.stringify(resource))),
    delivery: ({ resource }) => {
      const text = JSON.stringify(resource);
      say('delivery', () => redactText(text));
    },
  });
  const publish = (message: Message): void => {
    feed.push(message);
    for (const hear of listeners) hear(message);
  };
  const say = (kind: MessageKind, text: () => string): void => publish({ id: ++seq, kind, text });
  return {
    say,
    write(call, outgoing, startedAt) {
      const durationMs = Math.max(0, Math.round(world.settings.now() - startedAt));
      const entry = new LoggedExchange(call, outgoing, { seq: ++seq, at: world.clock.now(), durationMs });
      entries.push(entry);
      publish(entry);
      record?.(exchangeRecord(world.settings.baseUrl, entry, startedAt));
    },
    writeAttempt: (attempt) => record?.(deliveryRecord(attempt)),
    entries: () => entries.all(),
    messages: () => feed.all(),
    watch(hear) {
      listeners.add(hear);
      return () => listeners.delete(hear);
    },
    last: () => seq,
    // No two sandboxes come to stand on one port within a millisecond.
    instance: world.settings.now().toString(36),
    clear: () => entries.clear(),
    close() {
      for (const hear of listeners) hear(null);
    },
  };
}

/** The last so many of something. */
class Ring<T> {
  readonly #size: number;
  #items: T[] = [];
  /** Where the next one goes once the ring is full, and the oldest one stands. */
  #at = 0;

  constructor(size: number) {
    this.#size = size;
  }

  push(item: T): void {
    if (this.#items.length < this.#size) {
      this.#items.push(item);
      return;
    }
    this.#items[this.#at] = item;
    this.#at = (this.#at + 1) % this.#size;
  }

  all(): T[] {
    return [...this.#items.slice(this.#at), ...this.#items.slice(0, this.#at)];
  }

  clear(): void {
    this.#items = [];
    this.#at = 0;
  }
}
