/** Reads a list page by page, with one page in memory at a time (partner-api.md#pagination). */
import type { Page } from '../contract/resources.ts';
import { Failure } from '../failure.ts';
import type { Answer } from './answers.ts';
import type { ItemOf, ListName } from './endpoints.ts';
import type { Client, Operation } from './client.ts';

export interface Walk extends Pick<Operation, 'headers' | 'signal'> {
  query?: Operation['query'];
  /** Items on a page, 1–100. */
  limit?: number;
  /** Where to start: the `next_cursor` of an earlier page. */
  cursor?: string;
}

/** Most pages that are read, a million items at the largest page size, in case a server never ends a list. */
const MOST_PAGES = 10_000;

/**
 * Yields the pages of a list, one after another.
 * @throws Failure with `facts.cursor`, from which reading can be resumed.
 */
export async function* pages<N extends ListName>(
  client: Client,
  name: N,
  walk: Walk = {},
): AsyncGenerator<Answer<Page<ItemOf<N>>>, void, undefined> {
  const { query, limit, cursor: first, ...rest } = walk;
  let cursor = first;
  for (let count = 0; count < MOST_PAGES; count += 1) {
    const read = () => client.call(name, { ...rest, query: { ...query, limit, cursor }, itemsAsSent: true });
    const answer = (await from(cursor, read)) as Answer<Page<ItemOf<N>>>;
    yield answer;
    const { has_more: more, next_cursor: next } = answer.data;
    if (more === false || next === null || next === undefined) return;
    if (next === cursor) throw stuck(cursor, 'the list returned the same cursor twice', answer.requestId);
    cursor = next;
  }
  throw stuck(cursor, `the list has more than ${MOST_PAGES} pages`, null);
}

async function from<T>(cursor: string | undefined, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    // If the cursor itself was refused, the list cannot be resumed from it.
    if (error instanceof Failure && cursor !== undefined && error.facts.param !== 'cursor') error.facts.cursor = cursor;
    throw error;
  }
}

function stuck(cursor: string | undefined, message: string, requestId: string | null): Failure {
  return new Failure('unavailable', message, {
    code: 'endless_list',
    ...(cursor === undefined ? {} : { cursor }),
    ...(requestId === null ? {} : { requestId }),
    next: 'resume with --cursor',
  });
}
