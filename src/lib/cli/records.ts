/** The store and the journal of a session: opened when first needed, and opened anew when the file turns out to be damaged. */
import type { WriteDown } from '../contract/exchange.ts';
import { createJournal, type Journal } from '../journal/record.ts';
import { isDamage } from '../store/damage.ts';
import type { Store } from '../store/store.ts';
import type { Context } from './context.ts';
import { openLocalStore } from './local-store.ts';
import { note } from './output.ts';

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
    this.#store ??= openLocalStore(this.#context);
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
