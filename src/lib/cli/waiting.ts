/** Waiting in a command: polls as `api/wait` does, and shows the state while it lasts. */
import type { Answer } from '../api/answers.ts';
import type { Look, WaitOptions } from '../api/wait.ts';
import type { Context } from './context.ts';
import { progress } from './progress.ts';

/** `--wait` alone. */
export const USUAL_WAIT = '2m';

/**
 * @param what for the spinner and the error: "the decision on app_1"
 * @param wait one of the waits of `api/wait`, given its options
 * @throws Failure `pending` with the last state when the time is up
 */
export async function waiting<T>(
  context: Context,
  what: string,
  timeoutMs: number,
  wait: (options: WaitOptions) => Promise<Answer<T>>,
): Promise<Answer<T>> {
  const spinner = progress(context, `waiting for ${what}`);
  try {
    return await wait({
      timeoutMs,
      now: context.now,
      signal: context.signal,
      onState: (state) => spinner.say(`waiting for ${what}: ${state}`),
    });
  } finally {
    spinner.stop();
  }
}

/** Waits until an object that is read again and again has left its unfinished states. */
export async function waitForStatus<T extends { status?: string | null | undefined }>(
  context: Context,
  what: string,
  timeoutMs: number,
  unfinished: readonly string[],
  read: () => Promise<Answer<T>>,
): Promise<Answer<T>> {
  const { waitUntil } = await import('../api/wait.ts');
  const look = async (): Promise<Look<T>> => {
    const answer = await read();
    const status = answer.data.status ?? 'pending';
    return unfinished.includes(status) ? { state: status, last: answer.json } : { done: answer };
  };
  return waiting(context, what, timeoutMs, (options) => waitUntil(what, look, options));
}
