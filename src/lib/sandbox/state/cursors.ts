/** Pages (partner-api.md#pagination): newest first, stable under inserts, and a cursor that cannot be made up (sandbox.md#determinism). */
import { createHmac } from 'node:crypto';
import * as z from 'zod/mini';
import { described, type Field, validateQuery } from '../http/fields.ts';
import { refuse } from '../http/refusal.ts';
import { positionAfter } from './collection.ts';

export interface PageRequest {
  limit: number;
  /** Records with a number below this one come next; Infinity for the first page. */
  before: number;
}

const wholeText = z.pipe(z.string().check(z.regex(/^\d{1,3}$/)), z.transform(Number));
const limitType = described(
  z._default(z.pipe(wholeText, z.int().check(z.gte(1), z.lte(100))), 25),
  'a whole number from 1 to 100',
);

export const PAGE_QUERY: readonly Field[] = [
  { path: 'limit', type: limitType },
  { path: 'cursor', type: described(z.string(), 'the next_cursor of the page before') },
];

/** Checks the query against its rows, and reads `limit` and `cursor`. @throws Refusal 400 `parameter_invalid` */
export function readPageQuery(
  search: URLSearchParams,
  seed: string,
  listPath: string,
  fields: readonly Field[] = PAGE_QUERY,
): PageRequest {
  validateQuery(search, fields);
  const limit = limitType.parse(search.get('limit') ?? undefined);
  const cursor = search.get('cursor');
  if (cursor === null) return { limit, before: Infinity };
  const n = readCursor(cursor, seed, listPath);
  if (n === null) throw refuse('parameter_invalid', 'cursor was not issued by this list.', 'cursor');
  return { limit, before: n };
}

export interface PageBody<R> {
  data: R[];
  has_more: boolean;
  next_cursor: string | null;
}

/** Takes one page from an ascending list, from its end backwards, so that the cost depends on the page and not on the list. */
export function cutPage<T extends { n: number }, R>(
  list: readonly T[],
  page: PageRequest,
  seed: string,
  listPath: string,
  show: (record: T) => R,
  accept: (record: T) => boolean = () => true,
): PageBody<R> {
  const data: R[] = [];
  let last = 0;
  let more = false;
  for (let at = page.before === Infinity ? list.length - 1 : positionAfter(list, page.before - 1) - 1; at >= 0; at--) {
    const record = list[at];
    if (record === undefined || !accept(record)) continue;
    if (data.length === page.limit) {
      more = true;
      break;
    }
    data.push(show(record));
    last = record.n;
  }
  return { data, has_more: more, next_cursor: more ? writeCursor(last, seed, listPath) : null };
}

function writeCursor(n: number, seed: string, listPath: string): string {
  return Buffer.from(`v1:${n}:${mac(n, seed, listPath)}`).toString('base64url');
}

function readCursor(cursor: string, seed: string, listPath: string): number | null {
  const n = Number(/^v1:(\d{1,15}):/.exec(Buffer.from(cursor, 'base64url').toString('latin1'))?.[1]);
  return Number.isNaN(n) || writeCursor(n, seed, listPath) !== cursor ? null : n;
}

function mac(n: number, seed: string, listPath: string): string {
  return createHmac('sha256', seed).update(`cursor:${listPath}:${n}`).digest('hex').slice(0, 16);
}
