/** The store and the journal of a session: opened when first needed, and opened anew when the file turns out to be damaged. */
import { join } from 'node:path';
import type { WriteDown } from '../contract/exchange.ts';
import { JOURNAL } from '../journal/entries.ts';
import { createJournal, type Journal } from '../journal/record.ts';
import { isDamage } from '../store/damage.ts';
import { openStore, type Store } from '../store/store.ts';
import { inboxTables } from '../webhooks/inbox-tables.ts';
import type { Context } from './context.ts';
import { note } from './output.ts';

/** What the rooms above the store keep in it. */
const TABLES = [JOURNAL, inboxTables];

export class Records {
  readonly #context: Context;
  readonly #secrets: () => readonly string[];
  #store: Store | undefined;
  #journal: Journal | undefined;

  /** @param secrets live secret values, asked for with each record */
  constructor(context: Context, secrets: () => readonly string[]) {
    this.#context = context;
    this.#secrets = secrets;
  }

  /** @throws Failure `usage` when the state folder cannot be used */
  store(): Store {
    if (this.#store) return this.#store;
    const { now, paths } = this.#context;
    this.#store = openStore({ path: join(paths.state, 'store.db'), now, tables: TABLES });
    const aside = this.#store.setAside;
    if (aside !== null) {
      note(this.#context, `warning: the local store was damaged; it was set aside as ${aside} and a new one begun`);
    }
    return this.#store;
  }

  writeDown(): WriteDown {
    this.#journal ??= createJournal({
      open: () => this.store(),
      now: this.#context.now,
      secrets: this.#secrets,
      onTrouble: (error) => this.#onTrouble(error),
    });
    return this.#journal.write;
  }

  close(): void {
    this.#journal?.close();
    this.#store?.close();
  }

  /** A file that was damaged while it was open is let go: whoever asks next opens anew, which sets it aside. */
  #onTrouble(error: unknown): void {
    const words = error instanceof Error ? error.message : 'unknown';
    note(this.#context, `warning: the journal cannot be written: ${words}`);
    if (!isDamage(error)) return;
    const damaged = this.#store;
    this.#store = undefined;
    try {
      damaged?.close();
    } catch {
      // It could not be read; that it cannot be closed either is no news.
    }
  }
}
