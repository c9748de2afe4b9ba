/** Documents as people and pipes read them. Pure but for the lazily loaded table. */
import { isRecord, scalarText, writeJson } from '../../contract/json.ts';
import { formatPounds } from '../../contract/money.ts';
import type { Column } from '../result.ts';
import { cell, cut, plainLine, widthOf } from './text.ts';

/** Leaf values of a document in its own order, under dotted paths; an empty object or list is a leaf. */
function leaves(document: unknown, path = ''): [path: string, value: unknown][] {
  const members: [string, unknown][] = Array.isArray(document)
    ? document.map((value: unknown, index): [string, unknown] => [String(index), value])
    : isRecord(document)
      ? Object.entries(document)
      : [];
  if (members.length === 0) return [[path, document]];
  return members.flatMap(([name, value]) => leaves(value, path === '' ? name : `${path}.${name}`));
}

/**
 * Values at a dotted path. A number steps into a list; a name on a list steps into each of its items; a list at the end is given
 * item by item. Nothing there: an empty list.
 */
export function valuesAt(document: unknown, path: string): unknown[] {
  let found: unknown[] = [document];
  for (const step of path.split('.')) {
    found = found.flatMap((value) => {
      if (Array.isArray(value)) {
        if (/^\d+$/.test(step)) return Number(step) < value.length ? [value[Number(step)]] : [];
        return value.flatMap((item: unknown) => (isRecord(item) && Object.hasOwn(item, step) ? [item[step]] : []));
      }
      return isRecord(value) && Object.hasOwn(value, step) ? [value[step]] : [];
    });
  }
  return found.flatMap((value) => (Array.isArray(value) ? value : [value]));
}

/** `field<TAB>value` lines, as the API sent them. */
export function fieldLines(document: unknown): string {
  return leaves(document)
    .map(([path, value]) => `${cell(path)}\t${cell(leafText(value))}\n`)
    .join('');
}

/** One row without header, nothing cut, as the API sent it. */
export function row(item: unknown, columns: readonly Column[]): string {
  return `${columns.map(({ path }) => cell(valuesAt(item, path).map(leafText).join(','))).join('\t')}\n`;
}

/** Aligned fields for a terminal; what is null or empty is left out. */
export function humanFields(document: unknown, paint: (text: string) => string, pence: readonly string[] = []): string {
  const shown = leaves(document).filter(([, value]) => value !== null && leafText(value) !== '' && !isEmpty(value));
  const width = Math.max(0, ...shown.map(([path]) => path.length));
  const said = ([path, value]: [string, unknown]): string =>
    pence.includes(path) && typeof value === 'number'
      ? `${value} pence = ${formatPounds(value)}`
      : humanValue(path, value);
  return shown.map((leaf) => `${paint(plainLine(leaf[0]).padEnd(width))}  ${said(leaf)}\n`).join('');
}

/** One item of a list that is still coming, for a terminal: as in a table, but no column can wait for the widest. */
export function humanRow(item: unknown, columns: readonly Column[]): string {
  const cells = columns.map(({ path }) =>
    valuesAt(item, path)
      .map((value) => humanValue(path, value))
      .join(', ')
      .padEnd(10),
  );
  return `${cells.join('  ').trimEnd()}\n`;
}

/** A table for a terminal of `width` columns. Where even cut cells do not fit, the items stand one below another. */
export async function humanTable(
  items: readonly unknown[],
  columns: readonly Column[],
  width: number,
  paint: (text: string) => string,
): Promise<string> {
  const heads = columns.map(({ path, title }) => (title ?? path).toUpperCase());
  const rows = items.map((item) =>
    columns.map(({ path }) =>
      valuesAt(item, path)
        .map((value) => humanValue(path, value))
        .join(', '),
    ),
  );
  const natural = heads.map((head, n) => Math.max(head.length, ...rows.map((row) => widthOf(row[n] ?? ''))));
  const firm = columns.map(({ path }) => FIRM.test(path));
  const limits = fitted(natural, firm, width - GAP * (columns.length - 1));
  if (limits === null) return stacked(heads, rows, paint);
  const { default: Table } = await import('cli-table3');
  const table = new Table({
    head: heads.map((head, n) => paint(cut(head, limits[n] ?? 0))),
    chars: Object.fromEntries(BORDERS.map((name) => [name, name === 'middle' ? ' '.repeat(GAP) : ''])),
    style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [] },
  });
  table.push(...rows.map((row) => row.map((value, n) => cut(value, limits[n] ?? 0))));
  return `${table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n')}\n`;
}

const GAP = 2;
/** A cell narrower than this says nothing. */
const NARROWEST = 8;

/** Ids are there to be copied, and half an amount is another amount: they give last. */
const FIRM = /(?:^|[._])id$|_pence$|^amount$/;

/** Widths that add up to `room` at most: the widest columns give first. null when that leaves too little of them. */
function fitted(natural: readonly number[], firm: readonly boolean[], room: number): number[] | null {
  const widths = [...natural];
  const total = (): number => widths.reduce((sum, width) => sum + width, 0);
  const widest = (among: (n: number) => boolean): number =>
    widths.reduce((best, width, n) => (among(n) && width > Math.max(NARROWEST, widths[best] ?? 0) ? n : best), -1);
  while (total() > room) {
    const loose = widest((n) => firm[n] !== true);
    const giving = loose === -1 ? widest(() => true) : loose;
    if (giving === -1) return null;
    widths[giving] = (widths[giving] ?? 0) - 1;
  }
  return widths;
}

function stacked(heads: readonly string[], rows: readonly string[][], paint: (text: string) => string): string {
  const width = Math.max(0, ...heads.map((head) => head.length));
  return rows
    .map((row) => heads.map((head, n) => `${paint(head.padEnd(width))}  ${row[n] ?? ''}\n`).join(''))
    .join('\n');
}

/** Money by its unit, times in local time with their zone; everything else as it came, made safe. */
function humanValue(path: string, value: unknown): string {
  if (typeof value === 'number' && path.endsWith('_pence')) return formatPounds(value);
  if (typeof value === 'string' && /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?Z$/.test(value))
    return localTime(value);
  return plainLine(leafText(value));
}

/** `2026-06-29 11:14:02 +01:00`. */
export function localTime(instant: string | number): string {
  const at = new Date(instant);
  const offset = -at.getTimezoneOffset();
  const sign = offset < 0 ? '-' : '+';
  const zone = `${sign}${two(Math.floor(Math.abs(offset) / 60))}:${two(Math.abs(offset) % 60)}`;
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())} ${zone}`;
}

const BORDERS =
  'top top-mid top-left top-right bottom bottom-mid bottom-left bottom-right left left-mid mid mid-mid right right-mid middle'.split(
    ' ',
  );

function two(n: number): string {
  return String(n).padStart(2, '0');
}

function leafText(value: unknown): string {
  return isRecord(value) || Array.isArray(value) ? writeJson(value) : scalarText(value);
}

function isEmpty(value: unknown): boolean {
  return Array.isArray(value) ? value.length === 0 : isRecord(value) && Object.keys(value).length === 0;
}
