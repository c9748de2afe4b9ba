/**
 * Open pages, told what changes as server-sent events. A page is a number: that of the last change it was told. One that reads slowly
 * is told less often, never owed more than one message, and one that was away gets what changed meanwhile.
 */
import type { ServerResponse } from 'node:http';
import type { Book } from './book.ts';
import type { Row } from './rows.ts';

export interface ReadersOptions {
  book: Book;
  /** Tells this listener's numbers from those of another one at the same address. */
  boot: string;
  /** What stands above the list, as JSON; sent when it changes. */
  facts: () => object;
  clean: (row: Row) => Row;
  /** Pages open at once. */
  most: number;
  /** Between two messages, so that a burst is told in few; in milliseconds. */
  pauseMs?: number;
  /** Between comment lines that keep the connection, and show that it is there. */
  beatMs?: number;
}

interface Reader {
  response: ServerResponse;
  /** Number of the last change it was told. */
  told: number;
  facts: string;
  /** Since when it has not taken what it was sent, in beats; null while it does. */
  stuck: number | null;
}

const ROWS_PER_MESSAGE = 50;
const MOST_STUCK_BEATS = 3;

export class Readers {
  readonly #options: ReadersOptions;
  readonly #readers = new Set<Reader>();
  #due: NodeJS.Timeout | null = null;
  #beat: NodeJS.Timeout | null = null;

  constructor(options: ReadersOptions) {
    this.#options = options;
  }

  get full(): boolean {
    return this.#readers.size >= this.#options.most;
  }

  /** @param lastId what the page was told last, as it was told then; null for a new one */
  add(response: ServerResponse, lastId: string | null): void {
    const told = this.#numberOf(lastId);
    const reader: Reader = { response, told: told ?? 0, facts: '', stuck: null };
    response.on('drain', () => {
      reader.stuck = null;
      this.#tell(reader);
    });
    response.on('close', () => this.#readers.delete(reader));
    response.on('error', () => response.destroy());
    this.#readers.add(reader);
    this.#beat ??= setInterval(() => this.#keep(), this.#options.beatMs ?? 10_000).unref();
    const { boot } = this.#options;
    response.write(`id: ${boot}.${reader.told}\nevent: hello\ndata: ${JSON.stringify({ fresh: told === null })}\n\n`);
    this.#tell(reader);
  }

  /** Something changed. */
  stir(): void {
    if (this.#readers.size === 0) return;
    this.#due ??= setTimeout(() => {
      this.#due = null;
      for (const reader of this.#readers) this.#tell(reader);
    }, this.#options.pauseMs ?? 100);
  }

  /** Tells what is left and says goodbye. */
  end(): void {
    if (this.#due !== null) clearTimeout(this.#due);
    if (this.#beat !== null) clearInterval(this.#beat);
    for (const reader of this.#readers) {
      this.#tell(reader);
      reader.response.end('event: end\ndata: {}\n\n');
    }
  }

  #numberOf(lastId: string | null): number | null {
    const { boot } = this.#options;
    if (lastId === null || !lastId.startsWith(`${boot}.`)) return null;
    const number = Number(lastId.slice(boot.length + 1));
    return Number.isSafeInteger(number) && number >= 0 ? number : null;
  }

  #tell(reader: Reader): void {
    const { book, boot, clean } = this.#options;
    const { response } = reader;
    const facts = JSON.stringify(this.#options.facts());
    if (reader.stuck === null && facts !== reader.facts) {
      reader.facts = facts;
      this.#write(reader, `event: facts\ndata: ${facts}\n\n`);
    }
    while (reader.stuck === null && response.writable) {
      const entries = book.since(reader.told, ROWS_PER_MESSAGE);
      const last = entries.at(-1);
      if (last === undefined) return;
      reader.told = last.changed;
      const rows = JSON.stringify(entries.map(({ row }) => clean(row)));
      this.#write(reader, `id: ${boot}.${last.changed}\nevent: rows\ndata: ${rows}\n\n`);
    }
  }

  #write(reader: Reader, text: string): void {
    if (!reader.response.write(text)) reader.stuck ??= 0;
  }

  #keep(): void {
    for (const reader of this.#readers) {
      if (reader.stuck === null) reader.response.write(': still here\n\n');
      else if ((reader.stuck += 1) > MOST_STUCK_BEATS) reader.response.destroy();
    }
  }
}
