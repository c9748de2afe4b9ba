/**
 * The story of a listener, as moments: the door opens, the endpoint is registered, a self-test comes through, deliveries come
 * in and go on, and whatever happens, the way out is tidy. Prints nothing; terminal, `--json`, page and tests read the same.
 */
import { usage } from '../failure.ts';
import { aborted } from './exposure.ts';
import { assemble, close, open } from './listener.ts';
import type { ListenOptions } from './listen-options.ts';
import { enrol } from './listeners.ts';
import { MomentQueue } from './moment-queue.ts';
import type { ListenerEvent } from '../contract/listener-events.ts';

export type { ListenOptions } from './listen-options.ts';

const HEARTBEAT_MS = 5000;

/**
 * Listens until the signal is aborted or the reader stops reading; tidies up either way.
 * @throws Failure when it cannot become ready: port taken, registration refused, self-test lost.
 */
export async function* listen(options: ListenOptions): AsyncGenerator<ListenerEvent, void, undefined> {
  const queue = new MomentQueue();
  const leave = new AbortController();
  const say = (moment: ListenerEvent): void => {
    options.hear?.(moment);
    queue.say(moment);
  };
  const story = tell(options, AbortSignal.any([options.signal, leave.signal]), say).finally(() => queue.end());
  // Awaited below; until then a failure must not count as unhandled.
  story.catch(() => {});
  try {
    for (let moment = await queue.next(); moment !== null; moment = await queue.next()) yield moment;
    await story;
  } finally {
    leave.abort();
    await story.catch(() => {});
  }
}

async function tell(options: ListenOptions, signal: AbortSignal, say: (moment: ListenerEvent) => void): Promise<void> {
  if (options.skipVerify === true && options.environment === 'live') {
    throw usage('signatures are always checked on live', {
      code: 'skip_verify_live',
      param: '--skip-verify',
      next: 'leave out --skip-verify; webhooks verify explains a signature that fails',
    });
  }
  const { store, scope, now } = options;
  const enrolment = enrol({ store, scope, pid: options.pid, isAlive: options.isAlive, now });
  const heartbeat = setInterval(enrolment.seen, HEARTBEAT_MS).unref();
  const parts = assemble(options, enrolment, say);
  let ready = false;
  try {
    const leftovers = await open(options, enrolment, parts, signal);
    ready = true;
    for (const leftover of leftovers) parts.reception.resume(leftover);
    await aborted(signal);
  } finally {
    clearInterval(heartbeat);
    const closed = await close(options, enrolment, parts);
    if (ready) say(closed);
  }
}
