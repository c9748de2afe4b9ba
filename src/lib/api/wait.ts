/** Polls something that the API finishes later, with growing intervals and a time limit. */
import type { Decision } from '../contract/resources.ts';
import { timerMs } from '../contract/time.ts';
import { Failure } from '../failure.ts';
import type { Answer } from './answers.ts';
import type { Client } from './client.ts';
import { sleep as realSleep } from './retry.ts';

export interface WaitOptions {
  /** Limit of the whole wait, in milliseconds. */
  timeoutMs: number;
  now: () => number;
  /** The pause between polls; may end early when a webhook about the object arrives. */
  sleep?: (ms: number, signal?: AbortSignal) => Promise<void>;
  signal?: AbortSignal;
  /** Called with each state that was read. */
  onState?: (state: string) => void;
}

/** The result of one poll: finished, with the answer, or not yet, with the state. `last` is the document as the server sent it. */
export type Look<T> = { done: Answer<T> } | { state: string; last: unknown };

const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 5000;
/** Time for a last poll after the limit, in milliseconds. */
const LEAST_LOOK_MS = 1000;

/**
 * Polls until the object is finished.
 * @throws Failure `pending` with the last state in `facts.last` when the time is up; also whatever `look` throws.
 */
export async function waitUntil<T>(
  what: string,
  look: (signal: AbortSignal) => Promise<Look<T>>,
  options: WaitOptions,
): Promise<Answer<T>> {
  const deadline = options.now() + options.timeoutMs;
  const sleep = options.sleep ?? realSleep;
  let last: { state: string; last: unknown } = { state: 'unknown', last: null };
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 1.5, LONGEST_PAUSE_MS)) {
    const seen = await lookInTime(what, look, deadline - options.now(), last, options.signal);
    if ('done' in seen) return seen.done;
    last = seen;
    options.onState?.(seen.state);
    const left = deadline - options.now();
    if (left <= 0) throw stillPending(what, seen);
    await sleep(Math.min(pause, left), options.signal);
  }
}

/** One poll, aborted when the time of the whole wait is up. */
async function lookInTime<T>(
  what: string,
  look: (signal: AbortSignal) => Promise<Look<T>>,
  left: number,
  last: { state: string; last: unknown },
  signal: AbortSignal | undefined,
): Promise<Look<T>> {
  const limit = AbortSignal.timeout(timerMs(Math.max(LEAST_LOOK_MS, left)));
  try {
    return await look(signal ? AbortSignal.any([signal, limit]) : limit);
  } catch (error) {
    if (limit.aborted && signal?.aborted !== true && error instanceof Failure && error.kind === 'interrupted') {
      throw stillPending(what, last);
    }
    throw error;
  }
}

function stillPending(what: string, { state, last }: { state: string; last: unknown }): Failure {
  return new Failure('pending', `${what} is still ${state}`, {
    code: 'still_pending',
    last,
    next: 'wait longer with --wait=10m, or receive it as an event: `credicorp webhooks listen`',
  });
}

/**
 * Reads a decision by its own id or its application's. A pending decision is a state, not a failure: any 409 here, or a 200 without
 * `outcome` (partner-api.md#decisions).
 */
export async function lookAtDecision(client: Client, id: string, signal?: AbortSignal): Promise<Look<Decision>> {
  const read = signal ? { id, signal } : { id };
  try {
    return decided(await client.call('decisions.get', read));
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    if (error.facts.status === 409) return { state: 'pending', last: null };
    if (error.kind !== 'not_found' || !id.startsWith('app_')) throw error;
    const query = { application: id };
    const found = await client.call('decisions.list', signal ? { query, signal } : { query });
    const [decision] = found.data.data;
    if (decision === undefined) throw error;
    const json = firstOf(found.json);
    return decided({ ...found, json, text: JSON.stringify(json), data: decision });
  }
}

/**
 * Waits for the decision. By default a referral is not final, because a person still decides (partner-api.md#application-lifecycle); `until` can change that.
 * @throws Failure `pending` when the time is up.
 */
export function waitForDecision(
  client: Client,
  id: string,
  options: WaitOptions & { until?: (decision: Decision) => boolean },
): Promise<Answer<Decision>> {
  const until = options.until ?? ((decision) => decision.outcome !== 'referred');
  const look = async (signal: AbortSignal): Promise<Look<Decision>> => {
    const seen = await lookAtDecision(client, id, signal);
    if ('state' in seen || until(seen.done.data)) return seen;
    return { state: seen.done.data.outcome ?? 'pending', last: seen.done.json };
  };
  return waitUntil(`the decision on ${id}`, look, options);
}

function decided(answer: Answer<Decision>): Look<Decision> {
  return answer.data.outcome ? { done: answer } : { state: 'pending', last: answer.json };
}

function firstOf(json: unknown): unknown {
  if (Array.isArray(json)) return json[0];
  const data: unknown = typeof json === 'object' && json !== null && 'data' in json ? json.data : json;
  return Array.isArray(data) ? data[0] : data;
}
