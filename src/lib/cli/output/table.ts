/** Tables for a terminal, drawn by cli-table3 without borders: it pads and cuts the cells by their display width. */
import Table, { type HorizontalAlignment } from 'cli-table3';
import type { Column } from '../result.ts';
import { humanValues } from './format.ts';
import { displayWidth } from './terminal-text.ts';

const GAP = 2;
const BORDERS =
  'top top-mid top-left top-right bottom bottom-mid bottom-left bottom-right left left-mid mid mid-mid right right-mid'.split(
    ' ',
  );
const BORDERLESS = {
  chars: { ...Object.fromEntries(BORDERS.map((name) => [name, ''])), middle: ' '.repeat(GAP) },
  style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [] },
};

/**
 * Draws rows under their heads. What is wider than its column is cut, with `…` at the end.
 * @param widths of the columns, in terminal columns; without them each is as wide as its widest cell
 */
export function drawTable(
  heads: readonly string[],
  rows: readonly (readonly string[])[],
  { widths, aligns }: { widths?: readonly number[]; aligns?: readonly HorizontalAlignment[] } = {},
): string {
  const table = new Table({
    ...BORDERLESS,
    head: [...heads],
    ...(widths === undefined ? {} : { colWidths: [...widths] }),
    ...(aligns === undefined ? {} : { colAligns: [...aligns] }),
  });
  table.push(...rows.map((row) => [...row]));
  return trimmed(table);
}

/** A list as a table that fits `width` columns. Where even cut cells would not fit, the items stand one below another. */
export function itemTable(
  items: readonly unknown[],
  columns: readonly Column[],
  width: number,
  paint: (text: string) => string,
): string {
  const heads = columns.map(({ path, title }) => (title ?? path).toUpperCase());
  const rows = items.map((item) => columns.map(({ path }) => humanValues(item, path)));
  const natural = heads.map((head, n) => Math.max(head.length, ...rows.map((row) => displayWidth(row[n] ?? ''))));
  const keepWhole = columns.map(({ path }) => KEPT_WHOLE.test(path));
  const widths = fitWidths(natural, keepWhole, width - GAP * (columns.length - 1));
  if (widths === null) return rows.map((row) => itemFields(heads, row, paint)).join('\n');
  return drawTable(heads.map(paint), rows, { widths });
}

/** One item as a vertical table: a line for each column. */
function itemFields(heads: readonly string[], row: readonly string[], paint: (text: string) => string): string {
  const table = new Table(BORDERLESS);
  table.push(...heads.map((head, n) => ({ [paint(head)]: row[n] ?? '' })));
  return trimmed(table);
}

function trimmed(table: Table.Table): string {
  const lines = table.toString().split('\n');
  return `${lines.map((line) => line.trimEnd()).join('\n')}\n`;
}

/** A column narrower than this shows nothing useful. */
const NARROWEST = 8;

/** Columns to be cut last: ids are there to be copied, and a part of an amount is another amount. */
const KEPT_WHOLE = /(?:^|[._])id$|_pence$|^amount$/;

/** Widths that add up to `room` at most: the widest columns are narrowed first. null when that leaves too little of them. */
function fitWidths(natural: readonly number[], keepWhole: readonly boolean[], room: number): number[] | null {
  const widths = [...natural];
  const total = (): number => widths.reduce((sum, width) => sum + width, 0);
  const widest = (among: (n: number) => boolean): number =>
    widths.reduce((best, width, n) => (among(n) && width > Math.max(NARROWEST, widths[best] ?? 0) ? n : best), -1);
  while (total() > room) {
    const loose = widest((n) => keepWhole[n] !== true);
    const narrowed = loose === -1 ? widest(() => true) : loose;
    if (narrowed === -1) return null;
    widths[narrowed] = (widths[narrowed] ?? 0) - 1;
  }
  return widths;
}
