/** The store and the journal of a session: opened when first needed, and opened anew when the file turns out to be damaged. */
import type { WriteDown } from '../contract/exchange.ts';
import { createJournal, type Journal } from '../journal/record.ts';
import { Failure } from '../failure.ts';
import { isDamage } from '../store/damage.ts';
import type { Store } from '../store/store.ts';
import type { Context } from './context.ts';
import { openLocalStore } from './local-store.ts';
import { note } from './output/write.ts';

export class Records {
  readonly #context: Context;
  readonly #secrets: () => readonly string[];
  #store: Store | undefined;
  /** Somebody may still read there. */
  readonly #stale: Store[] = [];
  #journal: Journal | undefined;

  /** @param secrets live secret values, asked for with each record */
  constructor(context: Context, secrets: () => readonly string[]) {
    this.#context = context;
    this.#secrets = secrets;
  }

  /** Opened anew when the file was set aside or taken away meanwhile. @throws Failure `usage` when the state folder cannot be used */
  store(): Store {
    if (this.#store?.isStale()) {
      this.#stale.push(this.#store);
      this.#store = undefined;
    }
    this.#store ??= openLocalStore(this.#context);
    return this.#store;
  }

  writeDown(): WriteDown {
    this.#journal ??= createJournal({
      open: () => this.store(),
      now: this.#context.now,
      secrets: this.#secrets,
      onTrouble: (error) => {
        const words = error instanceof Error ? error.message : 'unknown';
        note(this.#context, `warning: the journal cannot be written: ${words}`);
      },
    });
    return this.#journal.write;
  }

  close(): void {
    this.#journal?.close();
    for (const store of [...this.#stale, this.#store]) store?.close();
  }
}

/** An error, in words where a reader met damage: then the file is set aside by whoever opens it next. */
export function withDamageTold(error: unknown, store: () => Store): unknown {
  if (!isDamage(error)) return error;
  store().condemn();
  return new Failure(
    'unavailable',
    'the local store is damaged',
    { code: 'state_damaged', next: 'run the command again: the damaged file is set aside then, and a new one begun' },
    error,
  );
}
