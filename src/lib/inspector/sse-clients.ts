/**
 * The open pages, updated with server-sent events. For each page only the number of the last change sent is kept: a slow page is sent
 * fewer messages and never has more than one queued, and a page that reconnects gets what has changed since.
 */
import type { ServerResponse } from 'node:http';
import { responseSink, ServerEventWriter } from '../http-server/server-event-writer.ts';
import type { DeliveryList, ListRow } from './delivery-list.ts';

export interface SseClientsOptions {
  list: DeliveryList;
  /** Distinguishes this listener's change numbers from those of another listener at the same address. */
  boot: string;
  /** The data shown above the list, as JSON; sent when it changes. */
  facts: () => object;
  /** Redacts a row. */
  clean: (row: ListRow) => ListRow;
  /** How many pages may be open at once. */
  maxPages: number;
  /** Milliseconds between two messages, so that a burst is sent in few. Default 100. */
  pauseMs?: number;
  /** Milliseconds between two comments that keep the connection open. Default 10,000. */
  beatMs?: number;
}

interface SseClient {
  writer: ServerEventWriter;
  response: ServerResponse;
  /** Number of the last change it was sent. */
  sent: number;
  facts: string;
}

const ROWS_PER_MESSAGE = 50;
const MAX_STUCK_BEATS = 3;

export class SseClients {
  readonly #options: SseClientsOptions;
  readonly #clients = new Set<SseClient>();
  #due: NodeJS.Timeout | null = null;

  constructor(options: SseClientsOptions) {
    this.#options = options;
  }

  get isFull(): boolean {
    return this.#clients.size >= this.#options.maxPages;
  }

  /** @param lastId the id of the last message the page received; null for a new page */
  add(response: ServerResponse, lastId: string | null): void {
    const { boot, beatMs = 10_000 } = this.#options;
    const sent = this.#numberOf(lastId);
    const writer = new ServerEventWriter(responseSink(response), { beatMs, maxStuckBeats: MAX_STUCK_BEATS });
    const client: SseClient = { writer, response, sent: sent ?? 0, facts: '' };
    response.on('drain', () => this.#update(client));
    response.on('close', () => {
      writer.stop();
      this.#clients.delete(client);
    });
    response.on('error', () => response.destroy());
    this.#clients.add(client);
    writer.send({ id: `${boot}.${client.sent}`, event: 'hello', data: JSON.stringify({ fresh: sent === null }) });
    this.#update(client);
  }

  /** The delivery list changed: every page gets the change within `pauseMs`. */
  changed(): void {
    if (this.#clients.size === 0) return;
    this.#due ??= setTimeout(() => {
      this.#due = null;
      for (const client of this.#clients) this.#update(client);
    }, this.#options.pauseMs ?? 100);
  }

  /** Sends the remaining changes and ends the streams. */
  end(): void {
    if (this.#due !== null) clearTimeout(this.#due);
    for (const client of this.#clients) {
      this.#update(client);
      client.writer.send({ event: 'end', data: '{}' });
      client.writer.end();
    }
  }

  #numberOf(lastId: string | null): number | null {
    const { boot } = this.#options;
    if (lastId === null || !lastId.startsWith(`${boot}.`)) return null;
    const number = Number(lastId.slice(boot.length + 1));
    return Number.isSafeInteger(number) && number >= 0 ? number : null;
  }

  /** Sends the changes until the page falls behind; the rest follows when it has caught up. */
  #update(client: SseClient): void {
    const { list, boot, clean } = this.#options;
    const { writer, response } = client;
    const facts = JSON.stringify(this.#options.facts());
    if (!writer.isBehind && facts !== client.facts) {
      client.facts = facts;
      writer.send({ event: 'facts', data: facts });
    }
    while (!writer.isBehind && response.writable) {
      const entries = list.since(client.sent, ROWS_PER_MESSAGE);
      const last = entries.at(-1);
      if (last === undefined) return;
      client.sent = last.changed;
      const rows = JSON.stringify(entries.map(({ row }) => clean(row)));
      writer.send({ id: `${boot}.${last.changed}`, event: 'rows', data: rows });
    }
  }
}
