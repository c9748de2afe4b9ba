/** Many objects to be made, as a file or stdin names them: one row each, with cells named like flags. */
import { createReadStream } from 'node:fs';
import { isRecord, parseJson, scalarText } from '../../contract/json.ts';
import { usage } from '../../failure.ts';
import type { Context } from '../context.ts';
import { parseCsv } from './csv.ts';

export interface Row {
  /** Counted from 1. */
  number: number;
  /** Of the file, counted from 1. */
  line: number;
  /** Text by flag name; empty cells are left out. */
  cells: Map<string, string>;
  /** As it came, to be written out again: cells of the record, or the line. */
  source: readonly string[] | string;
}

export interface Sheet {
  format: 'csv' | 'ndjson';
  /** Column names as they came; null for NDJSON. */
  header: readonly string[] | null;
  rows: Row[];
  mistakes: Mistake[];
}

export interface Mistake {
  line: number;
  message: string;
}

/** More than this is not read: rows are checked before the first is sent, so they are held in memory. */
const MOST_BYTES = 64 * 1024 * 1024;

/** The text of a file, or of stdin for `-`. @throws Failure `usage` */
export async function readSource(context: Context, from: string): Promise<string> {
  if (from === '-' && context.stdin.isTTY === true) {
    throw usage('--from - reads stdin, and stdin is a terminal', { next: 'pipe rows in, or name a file' });
  }
  const source = from === '-' ? context.stdin : createReadStream(from);
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of source) {
      const piece = Buffer.isBuffer(chunk) ? chunk : Buffer.from(String(chunk));
      bytes += piece.length;
      if (bytes > MOST_BYTES) throw usage('more than 64 MiB of rows', { next: 'split the file' });
      chunks.push(piece);
    }
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks));
  } catch (error) {
    throw unreadable(error, from);
  }
}

/** @throws Failure `usage` when the text is neither CSV nor NDJSON; mistakes in single lines are collected instead */
export function parseSheet(text: string): Sheet {
  const sheet = /^\uFEFF?\s*\{/.test(text) ? ndjson(text) : csv(text);
  if (sheet.rows.length === 0 && sheet.mistakes.length === 0) {
    throw usage('there are no rows', {
      next: 'a CSV file begins with its column names; NDJSON is one object per line',
    });
  }
  return sheet;
}

function csv(text: string): Sheet {
  const [head, ...records] = parseCsv(text);
  const header = (head?.cells ?? []).map((name) => name.trim());
  if (header.length === 1 && /[;\t]/.test(header[0] ?? '')) {
    throw usage('the cells are separated by semicolons or tabs', {
      next: 'separate them with commas, or write NDJSON',
    });
  }
  const mistakes: Mistake[] = [];
  const rows = records.map(({ line, cells }, index): Row => {
    if (cells.length !== header.length) {
      mistakes.push({ line, message: `${cells.length} cells under ${header.length} column names` });
    }
    const named = header.map((name, at): [string, string] => [flagName(name), (cells[at] ?? '').trim()]);
    return { number: index + 1, line, cells: new Map(named.filter(([, cell]) => cell !== '')), source: cells };
  });
  return { format: 'csv', header, rows, mistakes };
}

function ndjson(text: string): Sheet {
  const rows: Row[] = [];
  const mistakes: Mistake[] = [];
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
  const why = code === 'ENOENT' ? 'it is not there' : code === 'EISDIR' ? 'it is a folder' : code;
  return usage(`${from} cannot be read: ${why}`, { param: '--from' }, error);
}
