/** Ids from a pipe: `apps list --all --json | credicorp decisions get -`. */
import { isRecord } from '../../contract/json.ts';
import { Failure, usage } from '../../failure.ts';
import type { Context } from '../context.ts';
import { checkedId } from '../flags.ts';
import { linesOf } from '../stdin.ts';

/**
 * One id per line, or one JSON object per line with an `id`. Empty lines are passed over.
 * @throws Failure `usage` when stdin is a terminal or a line is neither
 */
export async function* idsFrom(context: Context): AsyncGenerator<string, void, undefined> {
  if (context.stdin.isTTY === true) {
    throw usage('- stands for ids on stdin, and stdin is a terminal', {
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
    return checkedId(line.startsWith('{') ? memberId(line) : line);
  } catch (error) {
    const message = error instanceof Error ? error.message : 'not an id';
    throw usage(`line ${number} of stdin: ${message}`, error instanceof Failure ? error.facts : {});
  }
}

function memberId(line: string): string {
  let document: unknown;
  try {
    document = JSON.parse(line);
  } catch {
    throw usage('not a JSON object', { next: 'one object per line: credicorp apps list --all --json' });
  }
  const id = isRecord(document) ? document['id'] : undefined;
  if (typeof id === 'string') return id;
  throw usage('the object has no id', { next: 'each object needs a text under "id"' });
}
