/** Cells of a sheet, checked as the flags they are named after; all mistakes of all rows at once. */
import { Failure, usage } from '../../failure.ts';
import type { Pair } from '../flags.ts';
import { type Host, readText, type Reader } from '../ask/missing.ts';
import { suggest } from '../suggest.ts';
import { KEY_COLUMN } from './rejects.ts';
import { flagName, type Row, type Sheet } from './sheet.ts';

/** The flags that can be columns, by name. */
export type Columns = Readonly<Record<string, Reader<unknown>>>;

export interface Checked {
  row: Row;
  /** Values by flag name. */
  values: Record<string, unknown>;
  /** A key that the row brings along. */
  key: string | null;
}

const METADATA = 'metadata';

/** Checks names first, then each cell; what is wrong is added to the sheet's mistakes. */
export async function checkRows(sheet: Sheet, columns: Columns, command: Host): Promise<Checked[]> {
  const known = new Map<string, boolean>();
  if (sheet.header) checkHeader(sheet, columns, known);
  const checked: Checked[] = [];
  for (const row of sheet.rows) {
    const values: Record<string, unknown> = {};
    for (const [name, text] of row.cells) {
      if (!isColumn(name, columns, known, (message) => sheet.mistakes.push({ line: row.line, message }))) continue;
      try {
        await take(values, name, text, columns, command);
      } catch (error) {
        sheet.mistakes.push({ line: row.line, message: `${name}: ${sayOf(error)}` });
      }
    }
    checked.push({ row, values, key: row.cells.get(KEY_COLUMN) ?? null });
  }
  return checked;
}

/** Cells win over flags; of pounds and pence, whichever the row has. */
export function joined(
  given: Readonly<Record<string, unknown>>,
  values: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const base = { ...given };
  if ('amount' in values || 'amount-pence' in values) {
    delete base['amount'];
    delete base['amount-pence'];
  }
  const pairs = [base[METADATA], values[METADATA]].flatMap((some) => (Array.isArray(some) ? (some as Pair[]) : []));
  return { ...base, ...values, [METADATA]: pairs };
}

/** The amount of a row in pence. @throws Failure `usage` when it is said in pounds and in pence */
export function amountOf(row: {
  amount?: number | undefined;
  'amount-pence'?: number | undefined;
}): number | undefined {
  if (row.amount !== undefined && row['amount-pence'] !== undefined) {
    throw usage('amount and amount-pence stand in one row', { next: 'say it once' });
  }
  return row['amount-pence'] ?? row.amount;
}

/** @throws Failure `usage` naming the column */
export function needed<T>(value: T | undefined, column: string): T {
  if (value === undefined) throw usage(`${column} is missing`);
  return value;
}

/** What is wrong, line by line. */
export function sayOf(error: unknown): string {
  if (!(error instanceof Failure) || error.kind !== 'usage') throw error;
  return error.facts.next === undefined ? error.message : `${error.message}; ${error.facts.next}`;
}

function checkHeader(sheet: Sheet, columns: Columns, known: Map<string, boolean>): void {
  const seen = new Set<string>();
  const say = (message: string): unknown => sheet.mistakes.push({ line: 1, message });
  for (const column of sheet.header ?? []) {
    const flag = flagName(column);
    isColumn(flag, columns, known, say);
    if (seen.has(flag)) say(`column ${JSON.stringify(column)} stands there twice`);
    seen.add(flag);
  }
}

/** A name is complained about once, however many rows have it. */
function isColumn(
  name: string,
  columns: Columns,
  known: Map<string, boolean>,
  say: (message: string) => unknown,
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
  say(
    `there is no column ${JSON.stringify(name)}; ${guess === null ? `known are ${names.join(', ')}` : `did you mean ${guess}`}`,
  );
  return false;
}

async function take(
  values: Record<string, unknown>,
  name: string,
  text: string,
  columns: Columns,
  command: Host,
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
  const reader = columns[name];
  if (reader) values[name] = await readText(reader, command, text);
}
