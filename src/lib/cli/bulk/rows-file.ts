/** Reads the rows of a CSV (RFC 4180) or NDJSON file, or of stdin: cells named like flags, with the line each row began on. */
import { createReadStream } from 'node:fs';
import { isRecord, parseJson, scalarText } from '../../contract/json.ts';
import { usage } from '../../failure.ts';
import type { Context } from '../context.ts';

export interface Row {
  /** Counted from 1. */
  number: number;
  /** Of the file, counted from 1. */
  line: number;
  /** Text by flag name; empty cells are left out. */
  cells: Map<string, string>;
  /** As it was read, to be written to the rejects file: cells of the record, or the line. */
  source: readonly string[] | string;
}

export interface RowsFile {
  format: 'csv' | 'ndjson';
  /** Column names as written; null for NDJSON. */
  header: readonly string[] | null;
  rows: Row[];
  mistakes: RowMistake[];
}

export interface RowMistake {
  line: number;
  message: string;
}

/** Larger files are not read: rows are checked before the first is sent, so they are held in memory. */
const MAX_BYTES = 64 * 1024 * 1024;

/** The text of a file, or of stdin for `-`. @throws Failure `usage` */
export async function readSource(context: Context, from: string): Promise<string> {
  if (from === '-' && context.stdin.isTTY === true) {
    throw usage('--from - reads stdin, but stdin is a terminal', { next: 'pipe rows in, or name a file' });
  }
  const source = from === '-' ? context.stdin : createReadStream(from);
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of source) {
      const piece = Buffer.isBuffer(chunk) ? chunk : Buffer.from(String(chunk));
      bytes += piece.length;
      if (bytes > MAX_BYTES) throw usage('the rows are larger than 64 MiB', { next: 'split the file' });
      chunks.push(piece);
    }
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks));
  } catch (error) {
    throw unreadable(error, from);
  }
}

/** @throws Failure `usage` when the text is neither CSV nor NDJSON; mistakes in single lines are collected instead */
export function parseRows(text: string): RowsFile {
  const file = /^\uFEFF?\s*\{/.test(text) ? ndjsonRows(text) : csvRows(text);
  if (file.rows.length === 0 && file.mistakes.length === 0) {
    throw usage('the file has no rows', {
      next: 'a CSV file begins with its column names; NDJSON is one object per line',
    });
  }
  return file;
}

function csvRows(text: string): RowsFile {
  const [head, ...records] = parseCsv(text);
  const header = (head?.cells ?? []).map((name) => name.trim());
  if (header.length === 1 && /[;\t]/.test(header[0] ?? '')) {
    throw usage('the cells are separated by semicolons or tabs', {
      next: 'separate them with commas, or write NDJSON',
    });
  }
  const mistakes: RowMistake[] = [];
  const rows = records.map(({ line, cells }, index): Row => {
    if (cells.length !== header.length) {
      mistakes.push({ line, message: `${cells.length} cells, but ${header.length} columns` });
    }
    const named = header.map((name, at): [string, string] => [flagName(name), (cells[at] ?? '').trim()]);
    return { number: index + 1, line, cells: new Map(named.filter(([, cell]) => cell !== '')), source: cells };
  });
  return { format: 'csv', header, rows, mistakes };
}

function ndjsonRows(text: string): RowsFile {
  const rows: Row[] = [];
  const mistakes: RowMistake[] = [];
  text
    .replace(/^\uFEFF/, '')
    .split('\n')
    .forEach((source, index) => {
      if (source.trim() === '') return;
      const line = index + 1;
      try {
        rows.push({ number: rows.length + 1, line, cells: cellsOf(parseJson(source)), source: source.trim() });
      } catch (error) {
        mistakes.push({ line, message: error instanceof SyntaxError ? 'not a JSON object' : String(error) });
      }
    });
  return { format: 'ndjson', header: null, rows, mistakes };
}

/** Members of `metadata` become `metadata.key`. */
function cellsOf(document: unknown): Map<string, string> {
  if (!isRecord(document)) throw new SyntaxError('not an object');
  const cells = new Map<string, string>();
  for (const [name, value] of Object.entries(document)) {
    if (isRecord(value)) {
      for (const [key, inner] of Object.entries(value)) cells.set(`${flagName(name)}.${key}`, scalarText(inner));
    } else if (value !== null && value !== '') cells.set(flagName(name), scalarText(value));
  }
  return cells;
}

/** `amount_pence` and `amount-pence` are one name. */
export function flagName(column: string): string {
  const [name = '', ...rest] = column.split('.');
  return [name.replaceAll('_', '-').toLowerCase(), ...rest].join('.');
}

function unreadable(error: unknown, from: string): unknown {
  if (error instanceof TypeError) return usage(`${from === '-' ? 'stdin' : from} is not UTF-8 text`);
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (!/^E[A-Z]+$/.test(code)) return error;
  const why = code === 'ENOENT' ? 'no such file' : code === 'EISDIR' ? 'is a directory' : code;
  return usage(`cannot read ${from}: ${why}`, { param: '--from' }, error);
}

export interface CsvRecord {
  /** Counted from 1; a quoted cell may hold line ends. */
  line: number;
  cells: string[];
}

/** A cell in quotes, or everything up to the next comma or line end; then what ends it. */
const CELL = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n|\n|\r|$)/y;

/** Records in order; empty lines are skipped, a byte order mark is dropped. @throws Failure `usage` naming the line */
export function parseCsv(text: string): CsvRecord[] {
  const records: CsvRecord[] = [];
  let cells: string[] = [];
  let line = 1;
  let began = 1;
  CELL.lastIndex = text.startsWith('\uFEFF') ? 1 : 0;
  while (CELL.lastIndex < text.length || cells.length > 0) {
    const match = CELL.exec(text);
    if (match === null) throw usage(`line ${line}: a quote is in the wrong place or never closed`);
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

/** One record with its line end; cells are quoted where they have to be. */
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
