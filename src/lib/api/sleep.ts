/** A wait that ends early when the program is asked to stop. */
import { setTimeout as wait } from 'node:timers/promises';
import { Failure } from '../failure.ts';

/** @param ms milliseconds @throws Failure `interrupted` when the signal is aborted. */
export async function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  try {
    await wait(ms, undefined, signal ? { signal } : {});
  } catch {
    throw new Failure('interrupted', 'stopped while waiting');
  }
}
