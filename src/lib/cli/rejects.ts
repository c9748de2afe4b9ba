/** Rows that were not done, in the form they came in, ready to be run again. */
import { createWriteStream, type WriteStream } from 'node:fs';
import { parseJson, writeJson } from '../contract/json.ts';
import { usage } from '../failure.ts';
import { csvLine } from './csv.ts';
import type { Row, Sheet } from './sheet.ts';

/** Columns that this program adds; `#error` is for people and is passed over when the file is read again. */
export const KEY_COLUMN = 'idempotency-key';
const ERROR_COLUMN = '#error';

export class Rejects {
  readonly #sheet: Sheet;
  readonly #header: readonly string[];
  readonly #file: WriteStream;
  #count = 0;

  private constructor(sheet: Sheet, file: WriteStream) {
    this.#sheet = sheet;
    this.#file = file;
    const own = (sheet.header ?? []).filter((name) => name !== KEY_COLUMN && name !== ERROR_COLUMN);
    this.#header = [...own, KEY_COLUMN, ERROR_COLUMN];
    if (sheet.header !== null) file.write(csvLine(this.#header));
  }

  /** @throws Failure `usage` when the file cannot be written: better before the first row than after the last */
  static async open(path: string, sheet: Sheet): Promise<Rejects> {
    const file = createWriteStream(path, { mode: 0o600 });
    await new Promise<void>((resolve, reject) => {
      file.once('open', () => resolve());
      file.once('error', (error: NodeJS.ErrnoException) =>
        reject(usage(`${path} cannot be written: ${error.code ?? 'unknown'}`, { param: '--rejects' }, error)),
      );
    });
    return new Rejects(sheet, file);
  }

  get count(): number {
    return this.#count;
  }

  /** @param key the key to send again; null where a new try needs a new one */
  add(row: Row, key: string | null, error: string): void {
    this.#count += 1;
    this.#file.write(
      typeof row.source === 'string' ? this.#object(row.source, key, error) : this.#record(row.source, key, error),
    );
  }

  close(): Promise<void> {
    return new Promise((resolve) => this.#file.end(() => resolve()));
  }

  #record(cells: readonly string[], key: string | null, error: string): string {
    const { header } = this.#sheet;
    return csvLine(
      this.#header.map((name) => {
        if (name === KEY_COLUMN) return key ?? '';
        return name === ERROR_COLUMN ? error : (cells[header?.indexOf(name) ?? -1] ?? '');
      }),
    );
  }

  #object(line: string, key: string | null, error: string): string {
    const members = parseJson(line) as Record<string, unknown>;
    return `${writeJson({ ...members, [KEY_COLUMN]: key, [ERROR_COLUMN]: error })}\n`;
  }
}
