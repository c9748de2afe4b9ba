/** Recently seen ids, for shell completion. Loads as little as possible and returns nothing rather than an error. */
import { createRequire } from 'node:module';
import { whyNotOurs } from '../files/ownership.ts';

export type IdColumn = 'resource_id' | 'request_id' | 'event_id';

/** How many of the newest rows are searched. */
const LATEST_ROWS = 2000;
const MOST_IDS = 50;

const load = createRequire(import.meta.url);

/**
 * Newest first, only ids with one of the prefixes. An id that was only ever answered with an error does not count as a resource.
 * @param path of the store; it is neither created nor migrated, and a locked one gives no ids
 */
export function recentIds(path: string, column: IdColumn, prefixes: readonly string[]): string[] {
  try {
    if (whyNotOurs(path) !== null) return [];
    const sqlite: typeof import('node:sqlite') = load('node:sqlite');
    const db = new sqlite.DatabaseSync(path, { readOnly: true, timeout: 20 });
    try {
      const rows = db
        .prepare(
          `SELECT id FROM (SELECT ${column} AS id, seq, status FROM journal ORDER BY seq DESC LIMIT ?)
           WHERE id IS NOT NULL ${column === 'resource_id' ? 'AND (status IS NULL OR status < 400)' : ''} GROUP BY id ORDER BY max(seq) DESC`,
        )
        .all(LATEST_ROWS);
      const ids = rows.map(({ id }) => String(id)).filter((id) => /^[A-Za-z0-9_-]{1,64}$/.test(id));
      return ids.filter((id) => prefixes.some((prefix) => id.startsWith(prefix))).slice(0, MOST_IDS);
    } finally {
      db.close();
    }
  } catch {
    return [];
  }
}
