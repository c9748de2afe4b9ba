/** The rejects file: rows that failed or were not sent, in the format they were read in, ready to be run again. */
import { createWriteStream, statSync, type WriteStream } from 'node:fs';
import { parseJson, writeJson } from '../../contract/json.ts';
import { usage } from '../../failure.ts';
import { csvLine, type Row, type RowsFile } from './rows-file.ts';

/** Columns that this program adds; `#error` is for people and is ignored when the file is read again. */
export const KEY_COLUMN = 'idempotency-key';
const ERROR_COLUMN = '#error';

export class RejectsFile {
  readonly #rows: RowsFile;
  readonly #header: readonly string[];
  readonly #file: WriteStream;
  #count = 0;

  private constructor(rows: RowsFile, file: WriteStream) {
    this.#rows = rows;
    this.#file = file;
    const own = (rows.header ?? []).filter((name) => name !== KEY_COLUMN && name !== ERROR_COLUMN);
    this.#header = [...own, KEY_COLUMN, ERROR_COLUMN];
    if (rows.header !== null) file.write(csvLine(this.#header));
  }

  /**
   * Opens the file for writing before the first row is sent.
   * @param from the file that the rows come from
   * @throws Failure `usage` when the file cannot be written, or is the one that is read: a run that is killed would have lost the rows
   */
  static async open(path: string, from: string, rows: RowsFile): Promise<RejectsFile> {
    if (sameFile(path, from)) {
      throw usage('--rejects is the same file as --from', { param: '--rejects', next: `for example: ${path}.2` });
    }
    const file = createWriteStream(path, { mode: 0o600 });
    await new Promise<void>((resolve, reject) => {
      file.once('open', () => resolve());
      file.once('error', (error: NodeJS.ErrnoException) =>
        reject(usage(`cannot write ${path}: ${error.code ?? 'unknown error'}`, { param: '--rejects' }, error)),
      );
    });
    return new RejectsFile(rows, file);
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
    const { header } = this.#rows;
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
