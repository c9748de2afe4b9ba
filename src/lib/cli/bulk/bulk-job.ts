/**
 * A bulk job: creates one object for each row of a file. Everything is checked before anything is sent; then the rows are sent, a few at a
 * time, and each gives one line of the result (docs/decisions/bulk.md).
 */
import { type Answer, waitAdvice } from '../../api/answers.ts';
import { WAIT_TOO_LONG } from '../../api/rate-limit.ts';
import { isReplay } from '../../contract/error-answer.ts';
import { isRecord, scalarText } from '../../contract/json.ts';
import { Failure, type FailureKind, usage } from '../../failure.ts';
import type { Context } from '../context.ts';
import { errorDocument } from '../explain.ts';
import { startProgressBar } from '../output/status-line.ts';
import { plainLine } from '../output/terminal-text.ts';
import { note, type View } from '../output/write.ts';
import { type Column, idOf, type Result, stream } from '../result.ts';
import type { BulkOptions } from './bulk-flags.ts';
import { itemFailure, mapConcurrently, WorstFailure } from './concurrent-items.ts';
import { RejectsFile } from './rejects-file.ts';
import { type RowMapping, type RowRequest, rowRequests } from './row-requests.ts';
import { parseRows, readSource, type RowsFile } from './rows-file.ts';

export interface BulkJob extends RowMapping {
  context: Context;
  view: View;
  options: BulkOptions;
  /** The run ends when the API asks to wait longer, in milliseconds. */
  maxWaitMs: number;
  /** What will happen, for the question on live: "create 12 applications". */
  summary(count: number): string;
  confirm(summary: string): Promise<void>;
  /** What `--dry-run` prints of a row; null when the rows are to be sent. */
  dryRun: ((request: RowRequest) => unknown) | null;
  send(request: RowRequest): Promise<Answer<unknown>>;
  /** Called once, at the end: the exit status of the worst row. */
  endWith(status: number): void;
}

/** One line of the result. */
interface RowResult {
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

/** @throws Failure `usage` with every mistake in the file, line by line, before anything is sent */
export async function runBulkJob(job: BulkJob): Promise<Result> {
  const file = parseRows(await readSource(job.context, job.options.from));
  const requests = await rowRequests(file, job);
  if (file.mistakes.length > 0) throw badRows(job, file);
  const { dryRun } = job;
  if (dryRun) return stream(eachRow(requests, dryRun), DRY_RUN_COLUMNS);
  await job.confirm(job.summary(requests.length));
  return stream(sendRows(job, file, requests), ROW_COLUMNS, rowLine);
}

const DRY_RUN_COLUMNS: readonly Column[] = [{ path: 'method' }, { path: 'url' }, { path: 'headers.Idempotency-Key' }];

const ROW_COLUMNS: readonly Column[] = [
  { path: 'line' },
  { path: 'id' },
  { path: 'result.status' },
  { path: 'error.kind' },
  { path: 'error.code' },
  { path: 'error.message' },
];

/** For a terminal: `line 3  app_8Kd2c9Qm  created`. */
function rowLine(item: unknown): string {
  const { line, id, ok, replayed, result, error } = item as RowResult;
  const place = `line ${line}`.padEnd(10);
  if (!ok) return plainLine(`${place}${String(error?.['kind'])}: ${String(error?.['message'])}`);
  const status = isRecord(result) ? scalarText(result['status']) : '';
  return plainLine(`${place}${id ?? ''}  ${status}${replayed ? '  (already created)' : ''}`);
}

async function* eachRow(
  requests: readonly RowRequest[],
  dryRun: (request: RowRequest) => unknown,
): AsyncGenerator<unknown> {
  for (const request of requests) yield dryRun(request);
}

const MAX_SHOWN = 100;

function badRows({ context, view, options }: BulkJob, file: RowsFile): Failure {
  const mistakes = file.mistakes.sort((a, b) => a.line - b.line);
  const shown = mistakes.slice(0, MAX_SHOWN);
  const name = options.from === '-' ? 'stdin' : options.from;
  // One to a line for people; under --json they are in the document.
  if (!view.json) for (const { line, message } of shown) note(context, `line ${line}: ${message}`);
  const many = mistakes.length === 1 ? 'one mistake' : `${mistakes.length} mistakes`;
  return usage(`${name} has ${many}; nothing was sent`, {
    code: 'bad_rows',
    param: '--from',
    next:
      mistakes.length > MAX_SHOWN
        ? `correct them (the first ${MAX_SHOWN} are shown) and run it again`
        : 'correct it and run it again',
    ...(view.json ? { details: shown.map(({ line, message }) => ({ param: `line ${line}`, message })) } : {}),
  });
}

const CONCURRENCY = 5;
/** After this number of rows in succession that could not be sent at all, the rest is not tried. */
const GIVE_UP_AFTER = 10;

async function* sendRows(
  job: BulkJob,
  file: RowsFile,
  requests: readonly RowRequest[],
): AsyncGenerator<RowResult, void, undefined> {
  const { context, options } = job;
  const rejects = options.rejects === undefined ? null : await RejectsFile.open(options.rejects, options.from, file);
  const bar = startProgressBar(context, requests.length);
  const tally = new Tally(job, requests, rejects);
  try {
    const how = { concurrency: options.concurrency ?? CONCURRENCY, ordered: options.unordered !== true };
    const send = async (request: RowRequest): Promise<RowOutcome> => {
      const outcome = await sendRow(job, request);
      // At once, and not in the order of the rows: the next row must not be sent.
      if (outcome.failure) tally.endIfTooLong(outcome.failure);
      return outcome;
    };
    for await (const outcome of mapConcurrently(tally.toSend(), how, send)) {
      const result = tally.count(outcome);
      if (result === null) continue;
      bar.step(!result.ok);
      yield result;
    }
  } finally {
    bar.stop();
    await tally.close();
    job.endWith(tally.status);
  }
}

interface RowOutcome {
  request: RowRequest;
  created?: { json: unknown; replayed: boolean };
  failure?: Failure;
}

async function sendRow(job: BulkJob, request: RowRequest): Promise<RowOutcome> {
  try {
    const { json, headers } = await job.send(request);
    return { request, created: { json, replayed: isReplay(headers) } };
  } catch (error) {
    const failure = itemFailure(error);
    if (failure !== null) return { request, failure };
    // The program is being stopped: the outcome of this row is unknown.
    if (error instanceof Failure && error.kind === 'interrupted') return { request };
    throw error;
  }
}

/** Counts outcomes, writes rejects, and decides whether to go on. */
class Tally {
  readonly #job: BulkJob;
  readonly #requests: readonly RowRequest[];
  readonly #rejects: RejectsFile | null;
  readonly #worst = new WorstFailure();
  readonly #settled = new Set<RowRequest>();
  #done = 0;
  #replayed = 0;
  #failed = 0;
  #failedInSuccession = 0;
  #gaveUp = false;
  /** Why the run ended early: the API asked to wait too long. */
  #advice: string | null = null;

  constructor(job: BulkJob, requests: readonly RowRequest[], rejects: RejectsFile | null) {
    this.#job = job;
    this.#requests = requests;
    this.#rejects = rejects;
  }

  get status(): number {
    return this.#worst.status;
  }

  *toSend(): Generator<RowRequest> {
    for (const request of this.#requests) {
      if (this.#gaveUp || this.#job.context.signal.aborted) return;
      yield request;
    }
  }

  /** null for a row that was interrupted: its outcome is unknown. */
  count({ request, created, failure }: RowOutcome): RowResult | null {
    const { row, idempotencyKey } = request;
    const shown = { row: row.number, line: row.line, idempotency_key: idempotencyKey };
    if (created) {
      this.#settled.add(request);
      this.#done += 1;
      this.#failedInSuccession = 0;
      if (created.replayed) this.#replayed += 1;
      return { ...shown, ok: true, id: idOf(created.json), replayed: created.replayed, result: created.json };
    }
    if (failure === undefined) return null;
    if (failure.facts.code === WAIT_TOO_LONG) return null;
    this.#settled.add(request);
    this.#failed += 1;
    this.#worst.add(failure.kind);
    this.#failedInSuccession = isFinal(failure.kind) ? 0 : this.#failedInSuccession + 1;
    if (failure.kind === 'auth' || this.#failedInSuccession >= GIVE_UP_AFTER) this.#gaveUp = true;
    const { error } = errorDocument(failure);
    const reason = `${failure.kind}: ${plainLine(failure.message)}`;
    this.#rejects?.add(row, isFinal(failure.kind) ? null : idempotencyKey, reason);
    return { ...shown, ok: false, id: null, replayed: false, error };
  }

  /** A wait that a single call would not wait for ends the run; what is left is done by the next. */
  endIfTooLong({ kind, facts }: Failure): void {
    const advice = waitAdvice((facts.retryAfter ?? 0) * 1000, this.#job.maxWaitMs);
    if (advice === null || this.#advice !== null) return;
    this.#gaveUp = true;
    this.#advice = advice;
    this.#worst.add(kind);
  }

  /** Writes the rows that are left to the rejects file, and the summary to stderr. */
  async close(): Promise<void> {
    const left = this.#requests.filter((request) => !this.#settled.has(request));
    for (const { row, idempotencyKey } of left)
      this.#rejects?.add(row, idempotencyKey, 'not sent, or the outcome is unknown');
    await this.#rejects?.close();
    if (this.#advice !== null) note(this.#job.context, this.#advice);
    note(this.#job.context, this.#summary(left.length));
  }

  #summary(left: number): string {
    const parts = [`${this.#done} of ${this.#requests.length} created`];
    if (this.#replayed > 0) parts.push(`${this.#replayed} of them by an earlier run`);
    if (this.#failed > 0) parts.push(`${this.#failed} failed`);
    if (left > 0) parts.push(`${left} not finished: run the same command again`);
    const rejected = this.#rejects?.count ?? 0;
    if (rejected > 0)
      parts.push(`${rejected} ${rejected === 1 ? 'row' : 'rows'} written to ${this.#job.options.rejects}`);
    return parts.join('; ');
  }
}

/** The server rejected the row itself, and would give the same answer to the same key again (partner-api.md#idempotency). */
function isFinal(kind: FailureKind): boolean {
  return kind === 'refused' || kind === 'not_found';
}
