/** What a command that makes many objects plans for each row. */
import type { Answer } from '../../api/answers.ts';
import type { Context } from '../context.ts';
import type { Host } from '../ask/missing.ts';
import type { View } from '../output/write.ts';
import type { BulkChoices } from './bulk-flags.ts';
import type { Columns } from './row-values.ts';
import type { Row } from './sheet.ts';

export interface Bulk {
  context: Context;
  view: View;
  command: Host;
  choices: BulkChoices;
  /** Names the kind of thing in keys: `applications.create`. */
  endpoint: string;
  columns: Columns;
  /** The request of a row; cells win over flags. @throws Failure `usage` */
  bodyOf(values: Readonly<Record<string, unknown>>): Record<string, unknown>;
  /** `--idempotency-key`: another name for the run gives all rows other keys. */
  run: string | null;
  /** What will happen, for the question on live: "create 12 applications". */
  summary(count: number): string;
  confirm(summary: string): Promise<void>;
  /** What `--dry-run` shows of a row; null when it is to be sent. */
  planned: ((job: Job) => unknown) | null;
  send(job: Job): Promise<Answer<unknown>>;
  /** Told once, at the end: the status of the worst row. */
  endWith(status: number): void;
}

export interface Job {
  row: Row;
  body: Record<string, unknown>;
  key: string;
}
