/** What `credicorp api` shows of an answer, and how it walks a list whose shape it does not know. */
import type { Answer } from '../../api/answers.ts';
import type { Client, ClientCall } from '../../api/client.ts';
import type { Provider } from '../../auth/providers/shape.ts';
import { isRecord, writeJson } from '../../contract/json.ts';
import { Failure, usage } from '../../failure.ts';
import { nothing, object, type Result, text } from '../result.ts';

/** @param include status line and headers come first */
export function apiResult(answer: Answer<unknown>, include: boolean): Result {
  const { status, headers, json } = answer;
  if (include) {
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\n`);
    const body = typeof json === 'string' ? json : json === null ? '' : writeJson(json, 2);
    return text(`HTTP ${status}\n${lines.join('')}\n${body}`, { status, headers, body: json });
  }
  if (answer.text === '') return nothing;
  if (typeof json === 'string') return text(json.replace(/\n$/, ''), json);
  return object(json);
}

/** One call; a route that a second provider does not document is told in its own words. */
export async function callOnce(client: Client, call: ClientCall, { name, title }: Provider): Promise<Answer<unknown>> {
  try {
    return await client.call(call);
  } catch (error) {
    if (error instanceof Failure && error.facts.code === 'not_offered' && name !== 'credicorp')
      error.facts.next = `check the path in the documentation of ${title}, and the base: credicorp whoami`;
    throw error;
  }
}

/** More pages than this nobody means to read. */
const MOST_PAGES = 10_000;

/**
 * The items of every page, by `next_cursor` (partner-api.md#pagination).
 * @throws Failure `usage` when the answer is no page; any failure carries the cursor it can be resumed from.
 */
export async function* everyItem(client: Client, call: ClientCall): AsyncGenerator<unknown> {
  let cursor: string | null = null;
  for (let count = 0; count < MOST_PAGES; count += 1) {
    const answer: Answer<unknown> = await pageFrom(client, call, cursor);
    const { json } = answer;
    if (Array.isArray(json)) return void (yield* json);
    if (!isRecord(json) || !Array.isArray(json['data'])) {
      throw usage('the answer is not a page of a list', { param: '--paginate', next: 'leave --paginate out' });
    }
    yield* json['data'];
    const next = json['next_cursor'];
    if (json['has_more'] === false || typeof next !== 'string' || next === '') return;
    if (next === cursor) throw endless(cursor, 'the list gave the same cursor twice');
    cursor = next;
  }
  throw endless(cursor, `the list has more than ${MOST_PAGES} pages`);
}

async function pageFrom(client: Client, call: ClientCall, cursor: string | null): Promise<Answer<unknown>> {
  try {
    return await client.call(cursor === null ? call : { ...call, query: { ...call.query, cursor } });
  } catch (error) {
    if (error instanceof Failure && cursor !== null) error.facts.cursor = cursor;
    throw error;
  }
}

function endless(cursor: string | null, message: string): Failure {
  return new Failure('unavailable', message, { code: 'endless_list', ...(cursor === null ? {} : { cursor }) });
}
