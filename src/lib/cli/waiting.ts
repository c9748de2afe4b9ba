/** Waiting in a command: polls as `api/wait` does, at once when a listener's inbox has news, and shows the state while it lasts. */
import type { Answer } from '../api/answers.ts';
import type { Look, WaitOptions } from '../api/wait.ts';
import { Failure } from '../failure.ts';
import type { Context } from './context.ts';
import { note } from './output/write.ts';
import { startSpinner } from './output/status-line.ts';
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
  const spinner = startSpinner(context, `waiting for ${what}`);
  try {
    return await wait({
      timeoutMs,
      now: context.now,
      signal: context.signal,
      ...(sleep === null ? {} : { sleep }),
      onState: (state) => spinner.setLabel(`waiting for ${what}: ${state}`),
    });
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
    import('./webhooks/endpoints.ts'),
  ]);
  try {
    return pauseUntilNews(lookout(context, session), id);
  } catch {
    return null;
  }
}

/** Waits until an object that was just made has left its unfinished states. Whatever ends the wait, the object is there: its id is told. */
export async function waitForStatus<T extends { status?: string | null | undefined }>(
  awaited: Awaited,
  unfinished: readonly string[],
  read: () => Promise<Answer<T>>,
): Promise<Answer<T>> {
  const { waitUntil } = await import('../api/wait.ts');
  let last = 'not known yet';
  const look = async (): Promise<Look<T>> => {
    const answer = await read();
    last = answer.data.status ?? 'pending';
    return unfinished.includes(last) ? { state: last, last: answer.json } : { done: answer };
  };
  try {
    return await waiting(awaited, (options) => waitUntil(awaited.what, look, options));
  } catch (error) {
    const told = error instanceof Failure && error.kind === 'pending';
    if (!told) note(awaited.context, `no longer waiting for ${awaited.what}: ${last}`);
    throw error;
  }
}
