/** Sets one variable of an `.env` file with an atomic write; every other byte, the file's mode and a symbolic link to it stay as they are. */
import { readFile, realpath, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { usage } from '../../failure.ts';
import { replaceFile } from '../../files/private-files.ts';
import type { Context } from '../context.ts';

/** A new file is for this user alone. @returns the file's whole path. @throws Failure `usage` when it cannot be written. */
export async function writeVariable(context: Context, given: string, name: string, value: string): Promise<string> {
  const path = await realpath(resolve(context.cwd, given)).catch(() => resolve(context.cwd, given));
  try {
    const before = await readFile(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return null;
      throw error;
    });
    const mode = before === null ? 0o600 : (await stat(path)).mode & 0o777;
    // Bytes that are no UTF-8 must survive as well.
    const text = setVariable((before ?? Buffer.alloc(0)).toString('latin1'), name, value);
    replaceFile(path, Buffer.from(text, 'latin1'), mode);
  } catch (error) {
    throw usage(`the file cannot be written: ${given}`, { param: '--dotenv' }, error);
  }
  return path;
}

/**
 * Sets `name=value`: in place where the name stands (in all places, if it stands there more than once), else as a new last line.
 * An `export ` before it, the spaces around `=` and the file's line ends are kept.
 */
export function setVariable(text: string, name: string, value: string): string {
  const written = /^[A-Za-z0-9_./+:=-]*$/.test(value) ? value : quoted(value);
  const line = new RegExp(`^([ \\t]*(?:export[ \\t]+)?${name}[ \\t]*=[ \\t]*)[^\\r\\n]*`, 'gm');
  if (line.test(text)) return text.replace(line, (_whole, start: string) => start + written);
  const lineEnd = text.includes('\r\n') ? '\r\n' : '\n';
  const gap = text === '' || text.endsWith('\n') ? '' : lineEnd;
  return `${text}${gap}${name}=${written}${lineEnd}`;
}

/** The value of a variable, its quotes taken off; null when the text does not set it. Where it stands more than once the last one counts. */
export function variableIn(text: string, name: string): string | null {
  const line = new RegExp(`^[ \\t]*(?:export[ \\t]+)?${name}[ \\t]*=[ \\t]*([^\\r\\n]*)`, 'gm');
  const written = [...text.matchAll(line)].at(-1)?.[1]?.trim();
  if (written === undefined) return null;
  const [, quote, inner] = /^(["'])(.*)\1$/.exec(written) ?? [];
  if (inner === undefined) return written;
  return quote === '"' ? inner.replaceAll(/\\(["\\$])/g, '$1') : inner;
}

/** Single quotes keep everything but a single quote itself; double quotes need three characters escaped. */
function quoted(value: string): string {
  return value.includes("'") ? `"${value.replaceAll(/["\\$]/g, '\\$&')}"` : `'${value}'`;
}
