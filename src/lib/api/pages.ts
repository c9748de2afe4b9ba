/** Walks a list page by page, holding one page at a time (partner-api.md#pagination). */
import type { Page } from '../contract/resources.ts';
import { Failure } from '../failure.ts';
import type { Answer } from './answers.ts';
import type { ItemOf, ListName } from './endpoints.ts';
import type { Client, Operation } from './client.ts';

export interface Walk extends Pick<Operation, 'headers' | 'signal'> {
  query?: Operation['query'];
  /** Items on a page, 1–100. */
  limit?: number;
  /** Where to begin: the `next_cursor` of an earlier page. */
  cursor?: string;
}

/** A million items at the largest page; a server that never ends a list is not followed further. */
const MOST_PAGES = 10_000;

/**
 * The pages of a list, one after another, until the last or until the reader stops.
 * @throws Failure with `facts.cursor`, from which the walk can be resumed.
 */
export async function* pages<N extends ListName>(
  client: Client,
  name: N,
  walk: Walk = {},
): AsyncGenerator<Answer<Page<ItemOf<N>>>, void, undefined> {
  const { query, limit, cursor: first, ...rest } = walk;
  let cursor = first;
  for (let count = 0; count < MOST_PAGES; count += 1) {
    const read = () => client.call(name, { ...rest, query: { ...query, limit, cursor } });
    const answer = (await from(cursor, read)) as Answer<Page<ItemOf<N>>>;
    yield answer;
    const { has_more: more, next_cursor: next } = answer.data;
    if (more === false || next === null || next === undefined) return;
    if (next === cursor) throw stuck(cursor, 'the list gave the same cursor twice', answer.requestId);
    cursor = next;
  }
  throw stuck(cursor, `the list has more than ${MOST_PAGES} pages`, null);
}

async function from<T>(cursor: string | undefined, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    // A cursor that was refused itself is none to resume from.
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
