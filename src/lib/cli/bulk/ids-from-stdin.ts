/** Reads one object for each id on stdin: `apps list --all --json | credicorp decisions get -`. */
import { isRecord } from '../../contract/json.ts';
import { Failure, usage } from '../../failure.ts';
import type { Context } from '../context.ts';
import { checkedId } from '../flags.ts';
import type { View } from '../output/write.ts';
import { linesOf } from '../stdin.ts';
import { itemFailure, mapConcurrently, WorstFailure, writeFailure } from './concurrent-items.ts';

/** How many reads run at once; how fast they go is limited by the client's pace. */
const CONCURRENCY = 4;

/**
 * The documents, in the order of the ids. What fails for one id is written to stderr and the others go on; the worst of it becomes the
 * exit status.
 * @param read one document as the server sent it
 * @param endWith called once at the end if there were failures
 * @throws Failure `auth`, since a refused credential concerns all ids; `usage` when stdin is a terminal or a line is no id
 */
export async function* eachFromStdin(
  { context, view, endWith }: { context: Context; view: View; endWith: (status: number) => void },
  read: (id: string) => Promise<unknown>,
): AsyncGenerator<unknown> {
  const worst = new WorstFailure();
  const readOne = async (id: string): Promise<{ document?: unknown; error?: unknown }> => {
    try {
      return { document: await read(id) };
    } catch (error) {
      return { error };
    }
  };
  for await (const { document, error } of mapConcurrently(idsFrom(context), { concurrency: CONCURRENCY }, readOne)) {
    if (error === undefined) {
      yield document;
      continue;
    }
    const failure = itemFailure(error);
    if (failure === null || failure.kind === 'auth') throw error;
    worst.add(failure.kind);
    await writeFailure(context, view, failure);
  }
  if (worst.status !== 0) endWith(worst.status);
}

/** One id per line, or one JSON object per line with an `id`. Empty lines are skipped. */
async function* idsFrom(context: Context): AsyncGenerator<string, void, undefined> {
  if (context.stdin.isTTY === true) {
    throw usage('- reads ids from stdin, but stdin is a terminal', {
      next: 'pipe them in: credicorp apps list --quiet | credicorp apps get -',
    });
  }
  let number = 0;
  for await (const line of linesOf(context.stdin, context.signal)) {
    number += 1;
    if (line.trim() !== '') yield idIn(line.trim(), number);
  }
}

function idIn(line: string, number: number): string {
  try {
    return checkedId(line.startsWith('{') ? idMember(line) : line);
  } catch (error) {
    const message = error instanceof Error ? error.message : 'not an id';
    throw usage(`line ${number} of stdin: ${message}`, error instanceof Failure ? error.facts : {});
  }
}

function idMember(line: string): string {
  let document: unknown;
  try {
    document = JSON.parse(line);
  } catch {
    throw usage('not a JSON object', { next: 'one object per line: credicorp apps list --all --json' });
  }
  const id = isRecord(document) ? document['id'] : undefined;
  if (typeof id === 'string') return id;
  throw usage('the object has no id', { next: 'each object needs an "id" that is a string' });
}
