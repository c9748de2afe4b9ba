/** Comma-separated values (RFC 4180), with the line each record began on. */
import { usage } from '../../failure.ts';

export interface CsvRecord {
  /** Counted from 1; a quoted cell may hold line ends. */
  line: number;
  cells: string[];
}

/** A cell in quotes, or everything up to the next comma or line end; then what ends it. */
const CELL = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n|\n|\r|$)/y;

/** Records in order; empty lines are passed over, a byte order mark is dropped. @throws Failure `usage` naming the line */
export function parseCsv(text: string): CsvRecord[] {
  const records: CsvRecord[] = [];
  let cells: string[] = [];
  let line = 1;
  let began = 1;
  CELL.lastIndex = text.startsWith('\uFEFF') ? 1 : 0;
  while (CELL.lastIndex < text.length || cells.length > 0) {
    const match = CELL.exec(text);
    if (match === null) throw usage(`line ${line}: a quote stands where it cannot, or is never closed`);
    const [whole, quoted, bare = '', end = ''] = match;
    cells.push(quoted === undefined ? bare : quoted.replaceAll('""', '"'));
    line += countLines(whole);
    if (end === ',') continue;
    if (cells.length > 1 || cells[0] !== '' || quoted !== undefined) records.push({ line: began, cells });
    [cells, began] = [[], line];
    if (end === '') break;
  }
  return records;
}

/** One record with its end; cells are quoted where they have to be. */
export function csvLine(cells: readonly string[]): string {
  const written = cells.map((text) => (/[",\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text));
  // A record of one empty cell would read as an empty line.
  return `${written.length === 1 && written[0] === '' ? '""' : written.join(',')}\n`;
}

function countLines(text: string): number {
  let count = 0;
  for (let at = 0; at < text.length; at += 1)
    if (text[at] === '\n' || (text[at] === '\r' && text[at + 1] !== '\n')) count += 1;
  return count;
}
