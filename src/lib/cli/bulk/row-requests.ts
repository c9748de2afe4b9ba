/** From the rows of a file to requests: names and cells are checked as the flags they are named after, and each row gets its idempotency key. */
import { createHash } from 'node:crypto';
import { writeJson } from '../../contract/json.ts';
import { Failure, usage } from '../../failure.ts';
import { type CommandHost, type FlagParser, parseWithFlag } from '../ask/prompt.ts';
import type { Pair } from '../flags.ts';
import { suggest } from '../suggest.ts';
import { KEY_COLUMN } from './rejects-file.ts';
import { flagName, type Row, type RowsFile } from './rows-file.ts';

/** The flags that can be columns, by name. */
export type Columns = Readonly<Record<string, FlagParser<unknown>>>;

/** How a command makes a request from a row. */
export interface RowMapping {
  command: CommandHost;
  /** Part of each key: `applications.create`. */
  endpoint: string;
  columns: Columns;
  /** Flags given on the command line: they fill in what a row leaves out. */
  flags: Readonly<Record<string, unknown>>;
  /** The request body of a row. @throws Failure `usage` */
  bodyOf(values: Readonly<Record<string, unknown>>): Record<string, unknown>;
  /** `--idempotency-key`: another value gives all rows other keys. */
  run: string | null;
}

export interface RowRequest {
  row: Row;
  body: Record<string, unknown>;
  idempotencyKey: string;
}

/** A row whose cells were read as flag values. */
interface CheckedRow {
  row: Row;
  /** Values by flag name. */
  values: Record<string, unknown>;
  /** The row's own idempotency key, from its column. */
  ownKey: string | null;
}

const METADATA = 'metadata';

/**
 * The requests of all rows; whatever is wrong is added to the file's mistakes. The key is made from what the row asks for, so that the same
 * file run again finishes what is left and creates nothing twice (docs/decisions/bulk.md).
 */
export async function rowRequests(file: RowsFile, mapping: RowMapping): Promise<RowRequest[]> {
  const checked = await checkRows(file, mapping.columns, mapping.command);
  const ownKeys = ownKeysOf(file, checked);
  const times = new Map<string, number>();
  const requests: RowRequest[] = [];
  for (const { row, values, ownKey } of checked) {
    try {
      const body = mapping.bodyOf(valuesOverFlags(mapping, values));
      const text = writeJson(body);
      let time = (times.get(text) ?? 0) + 1;
      if (ownKey === null) while (ownKeys.has(keyOf(mapping, text, time))) time += 1;
      times.set(text, time);
      requests.push({ row, body, idempotencyKey: ownKey ?? keyOf(mapping, text, time) });
    } catch (error) {
      const message = mistakeText(error);
      if (!file.mistakes.some(({ line }) => line === row.line)) file.mistakes.push({ line: row.line, message });
    }
  }
  return requests;
}

/** Lines by the key their row has of its own. No other row may have it: it would be answered with what was created for the first. */
function ownKeysOf(file: RowsFile, rows: readonly CheckedRow[]): Map<string, number> {
  const lines = new Map<string, number>();
  for (const { row, ownKey } of rows) {
    if (ownKey === null) continue;
    const line = lines.get(ownKey);
    if (line !== undefined)
      file.mistakes.push({ line: row.line, message: `the idempotency-key is already used in line ${line}` });
    lines.set(ownKey, row.line);
  }
  return lines;
}

/** @param time 1 for the first row with this body, 2 for the next: equal rows get different keys */
function keyOf({ endpoint, run }: RowMapping, body: string, time: number): string {
  return `row_${createHash('sha256')
    .update(JSON.stringify([endpoint, run, body, time]))
    .digest('base64url')}`;
}

/** Values of a row over those of flags; of pounds and pence, whichever the row has. */
function valuesOverFlags(
  { columns, flags }: RowMapping,
  values: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const base = Object.fromEntries(Object.keys(columns).map((column) => [column, flags[column]]));
  if ('amount' in values || 'amount-pence' in values) {
    delete base['amount'];
    delete base['amount-pence'];
  }
  const pairs = [base[METADATA], values[METADATA]].flatMap((some) => (Array.isArray(some) ? (some as Pair[]) : []));
  return { ...base, ...values, [METADATA]: pairs };
}

/** The amount of a row in pence. @throws Failure `usage` when it is given in pounds and in pence */
export function rowAmount(row: {
  amount?: number | undefined;
  'amount-pence'?: number | undefined;
}): number | undefined {
  if (row.amount !== undefined && row['amount-pence'] !== undefined) {
    throw usage('the row has both amount and amount-pence', { next: 'give one of them' });
  }
  return row['amount-pence'] ?? row.amount;
}

/** @throws Failure `usage` naming the column */
export function requiredCell<T>(value: T | undefined, column: string): T {
  if (value === undefined) throw usage(`${column} is missing`);
  return value;
}

function mistakeText(error: unknown): string {
  if (!(error instanceof Failure) || error.kind !== 'usage') throw error;
  return error.facts.next === undefined ? error.message : `${error.message}; ${error.facts.next}`;
}

/** Checks column names first, then each cell; all mistakes of all rows are collected. */
async function checkRows(file: RowsFile, columns: Columns, command: CommandHost): Promise<CheckedRow[]> {
  const known = new Map<string, boolean>();
  if (file.header) checkHeader(file, columns, known);
  const checked: CheckedRow[] = [];
  for (const row of file.rows) {
    const values: Record<string, unknown> = {};
    for (const [name, text] of row.cells) {
      if (!isColumn(name, columns, known, (message) => file.mistakes.push({ line: row.line, message }))) continue;
      try {
        await addValue(values, name, text, columns, command);
      } catch (error) {
        file.mistakes.push({ line: row.line, message: `${name}: ${mistakeText(error)}` });
      }
    }
    checked.push({ row, values, ownKey: row.cells.get(KEY_COLUMN) ?? null });
  }
  return checked;
}

function checkHeader(file: RowsFile, columns: Columns, known: Map<string, boolean>): void {
  const seen = new Set<string>();
  const report = (message: string): unknown => file.mistakes.push({ line: 1, message });
  for (const column of file.header ?? []) {
    const flag = flagName(column);
    isColumn(flag, columns, known, report);
    if (seen.has(flag)) report(`column ${JSON.stringify(column)} is there twice`);
    seen.add(flag);
  }
}

/** Whether the column is to be read. An unknown name is reported once, however many rows have it. */
function isColumn(
  name: string,
  columns: Columns,
  known: Map<string, boolean>,
  report: (message: string) => unknown,
): boolean {
  const already = known.get(name);
  if (already !== undefined) return already;
  if (name.startsWith('#') || name === KEY_COLUMN) {
    known.set(name, !name.startsWith('#'));
    return !name.startsWith('#');
  }
  const plain = Object.hasOwn(columns, name) && name !== METADATA;
  const found = plain || (name.startsWith(`${METADATA}.`) && name.length > METADATA.length + 1);
  known.set(name, found);
  if (found) return true;
  const names = Object.keys(columns).map((column) => (column === METADATA ? `${METADATA}.<key>` : column));
  const guess = suggest(name, names);
  report(
    `unknown column ${JSON.stringify(name)}; ${guess === null ? `known columns: ${names.join(', ')}` : `did you mean ${guess}`}`,
  );
  return false;
}

async function addValue(
  values: Record<string, unknown>,
  name: string,
  text: string,
  columns: Columns,
  command: CommandHost,
): Promise<void> {
  if (name === KEY_COLUMN) {
    if (!/^[!-~]{1,255}$/.test(text)) throw usage('not 1 to 255 printable characters without spaces');
    return;
  }
  if (name.startsWith(`${METADATA}.`)) {
    const pairs = (values[METADATA] ??= []) as Pair[];
    pairs.push({ key: name.slice(METADATA.length + 1), value: text });
    return;
  }
  const flag = columns[name];
  if (flag) values[name] = await parseWithFlag(flag, command, text);
}
