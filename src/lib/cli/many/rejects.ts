/** Rows that were not done, in the form they came in, ready to be run again. */
import { createWriteStream, statSync, type WriteStream } from 'node:fs';
import { parseJson, writeJson } from '../../contract/json.ts';
import { usage } from '../../failure.ts';
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

  /**
   * @param from the file that the rows come from
   * @throws Failure `usage` when the file cannot be written, which is better known before the first row than after the last, or is the one
   * that is read: a run that is killed would have lost the rows
   */
  static async open(path: string, from: string, sheet: Sheet): Promise<Rejects> {
    if (sameFile(path, from)) {
      throw usage('--rejects names the file that is read', { param: '--rejects', next: `for example: ${path}.2` });
    }
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

function sameFile(one: string, other: string): boolean {
  const [a, b] = [one, other].map((path) => statSync(path, { throwIfNoEntry: false, bigint: true }));
  return a !== undefined && b !== undefined && a.isFile() && a.dev === b.dev && a.ino === b.ino;
}
