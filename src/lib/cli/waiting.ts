/** Waiting in a command: polls as `api/wait` does, at once when a listener's inbox has news, and shows the state while it lasts. */
import type { Answer } from '../api/answers.ts';
import type { Look, WaitOptions } from '../api/wait.ts';
import { Failure } from '../failure.ts';
import type { Context } from './context.ts';
import { note } from './output.ts';
import { progress } from './progress.ts';
import type { Session } from './session.ts';

/** `--wait` alone. */
export const USUAL_WAIT = '2m';

export interface Awaited {
  context: Context;
  session: Session;
  /** For the spinner and for errors: "the decision on app_1". */
  what: string;
  /** What deliveries about it name. */
  id: string;
  timeoutMs: number;
}

/**
 * @param wait one of the waits of `api/wait`, given its options
 * @throws Failure `pending` with the last state when the time is up
 */
export async function waiting<T>(
  { context, session, what, id, timeoutMs }: Awaited,
  wait: (options: WaitOptions) => Promise<Answer<T>>,
): Promise<Answer<T>> {
  const sleep = await newsOr(context, session, id);
  const spinner = progress(context, `waiting for ${what}`);
  let last = 'not known yet';
  try {
    return await wait({
      timeoutMs,
      now: context.now,
      signal: context.signal,
      ...(sleep === null ? {} : { sleep }),
      onState: (state) => {
        last = state;
        spinner.say(`waiting for ${what}: ${state}`);
      },
    });
  } catch (error) {
    // Whatever ends the wait, the object is there, and its id must not be lost with it.
    spinner.stop();
    if (!(error instanceof Failure && error.kind === 'pending'))
      note(context, `no longer waiting for ${what}: ${last}`);
    throw error;
  } finally {
    spinner.stop();
  }
}

/** A listener of this profile hears sooner than a poll. null without a store to look into: then it is polled and nothing else. */
async function newsOr(
  context: Context,
  session: Session,
  id: string,
): Promise<NonNullable<WaitOptions['sleep']> | null> {
  const [{ pauseUntilNews }, { lookout }] = await Promise.all([
    import('../webhooks/news.ts'),
    import('./endpoints.ts'),
  ]);
  try {
    return pauseUntilNews(lookout(context, session), id);
  } catch {
    return null;
  }
}

/** Waits until an object that is read again and again has left its unfinished states. */
export async function waitForStatus<T extends { status?: string | null | undefined }>(
  awaited: Awaited,
  unfinished: readonly string[],
  read: () => Promise<Answer<T>>,
): Promise<Answer<T>> {
  const { waitUntil } = await import('../api/wait.ts');
  const look = async (): Promise<Look<T>> => {
    const answer = await read();
    const status = answer.data.status ?? 'pending';
    return unfinished.includes(status) ? { state: status, last: answer.json } : { done: answer };
  };
  return waiting(awaited, (options) => waitUntil(awaited.what, look, options));
}
