/** This user's local store and journal: opened when first needed, and opened anew when the file turns out to be damaged. */
import { join } from 'node:path';
import type { RecordExchange } from '../contract/exchange.ts';
import { Failure } from '../failure.ts';
import { JOURNAL } from '../journal/entries.ts';
import { createJournal, type Journal } from '../journal/record.ts';
import { diskFull, isDiskFull } from '../files/full-disk.ts';
import { fileOf, isDamage, sqliteCode } from '../store/sqlite-file.ts';
import { openStore, type Store } from '../store/store.ts';
import { inboxTables } from '../webhooks/inbox/inbox-tables.ts';
import type { Context } from './context.ts';
import { note } from './output/write.ts';

const TABLES = [JOURNAL, inboxTables];

/** Notes on stderr when a damaged file was set aside. The caller closes it. @throws Failure `usage`, `unavailable` */
export function openLocalStore(context: Context): Store {
  const { now, paths } = context;
  const store = openStore({ path: join(paths.state, 'store.db'), now, tables: TABLES });
  if (store.setAside !== null) {
    const aside = `the local store was damaged; it was set aside as ${store.setAside} and a new one was created`;
    note(context, `warning: ${aside}`);
  }
  return store;
}

/** The store and the journal of a session. */
export class LocalRecords {
  readonly #context: Context;
  readonly #secrets: () => readonly string[];
  #store: Store | undefined;
  /** Files that were replaced; a reader may still use them. */
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

  exchangeRecorder(): RecordExchange {
    this.#journal ??= createJournal({
      open: () => this.store(),
      now: this.#context.now,
      secrets: this.#secrets,
      onTrouble: (error) => {
        const words = isDiskFull(error, fileOf(error))
          ? 'the disk is full'
          : error instanceof Error
            ? error.message
            : 'unknown';
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

/**
 * The same error, or a plain one where SQLite failed. Only an error that came from the store itself marks it as damaged; it is then set
 * aside when it is opened next.
 */
export function explainDamage(error: unknown, open: () => Store): unknown {
  const file = fileOf(error);
  if (isDiskFull(error, file)) return diskFull(file, error);
  if (file === null || sqliteCode(error) !== 'damaged') return error;
  const store = open();
  if (!isDamage(error, store.path)) {
    const next = 'move it away, or restore it from a copy';
    return new Failure('unavailable', `the file ${file} is damaged`, { code: 'file_damaged', next }, error);
  }
  store.condemn();
  return new Failure(
    'unavailable',
    'the local store is damaged',
    { code: 'state_damaged', next: 'run the command again: the damaged file is then set aside and a new one created' },
    error,
  );
}
