/** One object by its id, or with `-` one for each id on stdin. */
import type { Context } from '../context.ts';
import type { View } from '../output/write.ts';
import { type Column, object, type Result, stream } from '../result.ts';

export interface Reading {
  context: Context;
  view: View;
  columns: readonly Column[];
  /** As in a result that is one object. */
  pence: readonly string[];
  /** @returns the document as the server sent it */
  read(id: string): Promise<unknown>;
  /** Told once, after the last of many: the status of the worst failure. */
  endWith(status: number): void;
}

/** So many reads are under way at once when many are asked for; the pace is the client's business. */
const CONCURRENCY = 4;

/** @throws Failure; among many, what concerns one id is told on stderr and the others go on. A refused credential concerns all. */
export async function eachId(id: string, reading: Reading): Promise<Result> {
  if (id !== '-') return object(await reading.read(id), { pence: reading.pence });
  return stream(many(reading), reading.columns);
}

async function* many({ context, view, read, endWith }: Reading): AsyncGenerator<unknown> {
  const [{ inOrder }, { idsFrom }, { failureOfOne, sayFailure, Troubles }] = await Promise.all([
    import('./in-order.ts'),
    import('./ids.ts'),
    import('./troubles.ts'),
  ]);
  const troubles = new Troubles();
  const readOne = async (one: string): Promise<{ document?: unknown; error?: unknown }> => {
    try {
      return { document: await read(one) };
    } catch (error) {
      return { error };
    }
  };
  for await (const { document, error } of inOrder(idsFrom(context), { concurrency: CONCURRENCY }, readOne)) {
    if (error === undefined) {
      yield document;
      continue;
    }
    const failure = failureOfOne(error);
    if (failure === null || failure.kind === 'auth') throw error;
    troubles.add(failure.kind);
    await sayFailure(context, view, failure);
  }
  if (troubles.status !== 0) endWith(troubles.status);
}
