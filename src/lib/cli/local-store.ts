/** The store of this user, with what the rooms above it keep there. */
import { join } from 'node:path';
import { JOURNAL } from '../journal/entries.ts';
import { openStore, type Store } from '../store/store.ts';
import { inboxTables } from '../webhooks/inbox-tables.ts';
import type { Context } from './context.ts';
import { note } from './output/write.ts';

const TABLES = [JOURNAL, inboxTables];

/** Says so when a damaged file was set aside. Whoever opens it closes it. @throws Failure `usage`, `unavailable` */
export function openLocalStore(context: Context): Store {
  const { now, paths } = context;
  const store = openStore({ path: join(paths.state, 'store.db'), now, tables: TABLES });
  if (store.setAside !== null) {
    const aside = `the local store was damaged; it was set aside as ${store.setAside} and a new one begun`;
    note(context, `warning: ${aside}`);
  }
  return store;
}
