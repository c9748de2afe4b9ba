/**
 * Many writes from a sheet. Everything is checked before anything is sent. Each row's idempotency key is made from what the row
 * asks for, so that the same file run again finishes what is left and makes nothing twice (docs/decisions/bulk.md).
 */
import { createHash } from 'node:crypto';
import { writeJson } from '../../contract/json.ts';
import { type Failure, usage } from '../../failure.ts';
import { note } from '../output/write.ts';
import { type Result, stream } from '../result.ts';
import type { Bulk, Job } from './plan.ts';
import { type Checked, checkRows, sayOf } from './row-values.ts';
import { parseSheet, readSource, type Sheet } from './sheet.ts';

/** @throws Failure `usage` with every mistake in the sheet, line by line, before anything is sent */
export async function bulk(plan: Bulk): Promise<Result> {
  const sheet = parseSheet(await readSource(plan.context, plan.choices.from));
  const jobs = await jobsOf(plan, sheet);
  if (sheet.mistakes.length > 0) throw mistaken(plan, sheet);
  const { planned } = plan;
  if (planned)
    return stream(each(jobs, planned), [{ path: 'method' }, { path: 'url' }, { path: 'headers.Idempotency-Key' }]);
  await plan.confirm(plan.summary(jobs.length));
  const { runJobs, rowLine, ROW_COLUMNS } = await import('./bulk-run.ts');
  return stream(runJobs(plan, sheet, jobs), ROW_COLUMNS, rowLine);
}

async function jobsOf(plan: Bulk, sheet: Sheet): Promise<Job[]> {
  const checked = await checkRows(sheet, plan.columns, plan.command);
  const brought = broughtKeys(sheet, checked);
  const times = new Map<string, number>();
  const jobs: Job[] = [];
  for (const { row, values, key } of checked) {
    try {
      const body = plan.bodyOf(values);
      const text = writeJson(body);
      let time = (times.get(text) ?? 0) + 1;
      if (key === null) while (brought.has(keyOf(plan, text, time))) time += 1;
      times.set(text, time);
      jobs.push({ row, body, key: key ?? keyOf(plan, text, time) });
    } catch (error) {
      const message = sayOf(error);
      if (!sheet.mistakes.some(({ line }) => line === row.line)) sheet.mistakes.push({ line: row.line, message });
    }
  }
  return jobs;
}

/** The line of each key that a row brings along. No other row may have it: it would be answered with what was made of the first. */
function broughtKeys(sheet: Sheet, rows: readonly Checked[]): Map<string, number> {
  const lines = new Map<string, number>();
  for (const { row, key } of rows) {
    if (key === null) continue;
    const line = lines.get(key);
    if (line !== undefined)
      sheet.mistakes.push({ line: row.line, message: `the idempotency-key stands in line ${line} already` });
    lines.set(key, row.line);
  }
  return lines;
}

/** Equal rows are told apart by how many stand above them. */
function keyOf({ endpoint, run }: Bulk, body: string, time: number): string {
  return `row_${createHash('sha256')
    .update(JSON.stringify([endpoint, run, body, time]))
    .digest('base64url')}`;
}

const MOST_SHOWN = 100;

function mistaken({ context, view, choices }: Bulk, sheet: Sheet): Failure {
  const mistakes = sheet.mistakes.sort((a, b) => a.line - b.line);
  const shown = mistakes.slice(0, MOST_SHOWN);
  const name = choices.from === '-' ? 'stdin' : choices.from;
  // One to a line for people; under --json they are in the document.
  if (!view.json) for (const { line, message } of shown) note(context, `line ${line}: ${message}`);
  const many = mistakes.length === 1 ? 'one mistake' : `${mistakes.length} mistakes`;
  return usage(`${name} has ${many}; nothing was sent`, {
    code: 'bad_rows',
    param: '--from',
    next:
      mistakes.length > MOST_SHOWN
        ? `correct them (the first ${MOST_SHOWN} are shown) and run it again`
        : 'correct it and run it again',
    ...(view.json ? { details: shown.map(({ line, message }) => ({ param: `line ${line}`, message })) } : {}),
  });
}

async function* each(jobs: readonly Job[], planned: (job: Job) => unknown): AsyncGenerator<unknown> {
  for (const job of jobs) yield planned(job);
}
