/** Sends the rows of a sheet, a few at a time, and tells how each went. */
import { isRecord, scalarText } from '../../contract/json.ts';
import { Failure, type FailureKind } from '../../failure.ts';
import type { Bulk, Job } from './plan.ts';
import { errorDocument } from '../explain.ts';
import { inOrder } from './in-order.ts';
import { note } from '../output/write.ts';
import { startProgressBar } from '../output/status-line.ts';
import { Rejects } from './rejects.ts';
import { type Column, idOf } from '../result.ts';
import type { Sheet } from './sheet.ts';
import { plainLine } from '../output/terminal-text.ts';
import { failureOfOne, Troubles } from './troubles.ts';

/** One line of the result. */
export interface RowResult {
  row: number;
  line: number;
  ok: boolean;
  id: string | null;
  /** The server had this row already: it answered with what it kept. */
  replayed: boolean;
  idempotency_key: string;
  /** The object as the server sent it. */
  result?: unknown;
  /** As the error document of a single call. */
  error?: Record<string, unknown>;
}

export const ROW_COLUMNS: readonly Column[] = [
  { path: 'line' },
  { path: 'id' },
  { path: 'result.status' },
  { path: 'error.kind' },
  { path: 'error.code' },
  { path: 'error.message' },
];

/** For people: `line 3  app_8Kd2c9Qm  created`. */
export function rowLine(item: unknown): string {
  const { line, id, ok, replayed, result, error } = item as RowResult;
  const place = `line ${line}`.padEnd(10);
  if (!ok) return plainLine(`${place}${String(error?.['kind'])}: ${String(error?.['message'])}`);
  const status = isRecord(result) ? scalarText(result['status']) : '';
  return plainLine(`${place}${id ?? ''}  ${status}${replayed ? '  (was there already)' : ''}`);
}

const CONCURRENCY = 5;
/** When so many rows in a row could not be sent at all, the rest is not tried. */
const GIVE_UP_AFTER = 10;

export async function* runJobs(
  plan: Bulk,
  sheet: Sheet,
  jobs: readonly Job[],
): AsyncGenerator<RowResult, void, undefined> {
  const { context, choices } = plan;
  const rejects = choices.rejects === undefined ? null : await Rejects.open(choices.rejects, choices.from, sheet);
  const bar = startProgressBar(context, jobs.length);
  const tally = new Tally(plan, jobs, rejects);
  try {
    const lanes = { concurrency: choices.concurrency ?? CONCURRENCY, ordered: choices.unordered !== true };
    for await (const sent of inOrder(tally.toSend(), lanes, (job) => attempt(plan, job))) {
      const result = tally.count(sent);
      if (result === null) continue;
      bar.step(!result.ok);
      yield result;
    }
  } finally {
    bar.stop();
    await tally.close();
    plan.endWith(tally.status);
  }
}

interface Sent {
  job: Job;
  result?: { json: unknown; replayed: boolean };
  failure?: Failure;
}

async function attempt(plan: Bulk, job: Job): Promise<Sent> {
  try {
    const { json, headers } = await plan.send(job);
    return { job, result: { json, replayed: headers['idempotency-replayed'] === 'true' } };
  } catch (error) {
    const failure = failureOfOne(error);
    if (failure !== null) return { job, failure };
    // The program is being stopped: nobody knows how this row went.
    if (error instanceof Failure && error.kind === 'interrupted') return { job };
    throw error;
  }
}

/** Who was sent, who was done, and whether to go on. */
class Tally {
  readonly #plan: Bulk;
  readonly #jobs: readonly Job[];
  readonly #rejects: Rejects | null;
  readonly #troubles = new Troubles();
  readonly #settled = new Set<Job>();
  #done = 0;
  #replayed = 0;
  #failed = 0;
  #inVain = 0;
  #stopped: FailureKind | null = null;

  constructor(plan: Bulk, jobs: readonly Job[], rejects: Rejects | null) {
    this.#plan = plan;
    this.#jobs = jobs;
    this.#rejects = rejects;
  }

  get status(): number {
    return this.#troubles.status;
  }

  *toSend(): Generator<Job> {
    for (const job of this.#jobs) {
      if (this.#stopped !== null || this.#plan.context.signal.aborted) return;
      yield job;
    }
  }

  /** null for a row that was interrupted: nobody knows how it went. */
  count({ job, result, failure }: Sent): RowResult | null {
    const { row, key } = job;
    const shown = { row: row.number, line: row.line, idempotency_key: key };
    if (result) {
      this.#settled.add(job);
      this.#done += 1;
      this.#inVain = 0;
      if (result.replayed) this.#replayed += 1;
      return { ...shown, ok: true, id: idOf(result.json), replayed: result.replayed, result: result.json };
    }
    if (failure === undefined) return null;
    this.#settled.add(job);
    this.#failed += 1;
    this.#troubles.add(failure.kind);
    this.#giveUpOn(failure.kind);
    const { error } = errorDocument(failure);
    this.#rejects?.add(row, isAnswer(failure.kind) ? null : key, `${failure.kind}: ${plainLine(failure.message)}`);
    return { ...shown, ok: false, id: null, replayed: false, error };
  }

  async close(): Promise<void> {
    const left = this.#jobs.filter((job) => !this.#settled.has(job));
    for (const { row, key } of left) this.#rejects?.add(row, key, 'not sent, or not known how it went');
    await this.#rejects?.close();
    note(this.#plan.context, this.#summary(left.length));
  }

  #giveUpOn(kind: FailureKind): void {
    this.#inVain = isAnswer(kind) ? 0 : this.#inVain + 1;
    if (kind === 'auth' || this.#inVain >= GIVE_UP_AFTER) this.#stopped = kind;
  }

  #summary(left: number): string {
    const parts = [`${this.#done} of ${this.#jobs.length} done`];
    if (this.#replayed > 0) parts.push(`${this.#replayed} of them were there already`);
    if (this.#failed > 0) parts.push(`${this.#failed} failed`);
    if (left > 0) parts.push(`${left} left: run the same command again to finish`);
    const rejected = this.#rejects?.count ?? 0;
    if (rejected > 0) parts.push(`${rejected} ${rejected === 1 ? 'row' : 'rows'} in ${this.#plan.choices.rejects}`);
    return parts.join('; ');
  }
}

/** The server judged the row, and would give the same answer to the same key again (partner-api.md#idempotency). */
function isAnswer(kind: FailureKind): boolean {
  return kind === 'refused' || kind === 'not_found';
}
