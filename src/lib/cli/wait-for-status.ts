/** `--wait`: polls like `api/wait`, and at once when a listener received a delivery about the object; a spinner shows the status. */
import type { Answer } from '../api/answers.ts';
import type { Look, WaitOptions } from '../api/wait.ts';
import { Failure } from '../failure.ts';
import type { Context } from './context.ts';
import { note } from './output/write.ts';
import { startSpinner } from './output/status-line.ts';
import type { Session } from './session.ts';

export interface Awaited {
  context: Context;
  session: Session;
  /** For the spinner and for errors: "the decision on app_1". */
  what: string;
  /** The id that deliveries about it have. */
  id: string;
  timeoutMs: number;
}

/**
 * Polls with a spinner until the wait ends.
 * @param wait one of the waits of `api/wait`, given its options
 * @throws Failure `pending` with the last state when the time is up
 */
export async function waitWithSpinner<T>(
  { context, session, what, id, timeoutMs }: Awaited,
  wait: (options: WaitOptions) => Promise<Answer<T>>,
): Promise<Answer<T>> {
  const sleep = await sleepUntilDelivery(context, session, id);
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

/** A sleep that a delivery to a listener of this profile ends early. null where there is no store to look into: then it only polls. */
async function sleepUntilDelivery(
  context: Context,
  session: Session,
  id: string,
): Promise<NonNullable<WaitOptions['sleep']> | null> {
  const [{ pauseUntilDelivery }, { registryOptions }] = await Promise.all([
    import('../webhooks/inbox/inbox-watcher.ts'),
    import('./webhooks/manage-endpoints.ts'),
  ]);
  try {
    return pauseUntilDelivery(registryOptions(context, session), id);
  } catch {
    return null;
  }
}

/** Waits until an object that was just created has left its unfinished statuses. However the wait ends, the object exists: its id is in a note or in the error. */
export async function waitForStatus<T extends { status?: string | null | undefined }>(
  awaited: Awaited,
  unfinished: readonly string[],
  read: () => Promise<Answer<T>>,
): Promise<Answer<T>> {
  const { waitUntil } = await import('../api/wait.ts');
  let last = 'status unknown';
  const look = async (): Promise<Look<T>> => {
    const answer = await read();
    last = answer.data.status ?? 'pending';
    return unfinished.includes(last) ? { state: last, last: answer.json } : { done: answer };
  };
  try {
    return await waitWithSpinner(awaited, (options) => waitUntil(awaited.what, look, options));
  } catch (error) {
    const hasId = error instanceof Failure && error.kind === 'pending';
    if (!hasId) note(awaited.context, `stopped waiting for ${awaited.what}: ${last}`);
    throw error;
  }
}
