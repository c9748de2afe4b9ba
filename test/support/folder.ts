/** Folders of a test's own, which end with its process. */
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const made: string[] = [];

/** A new empty folder below the temporary one. */
export function freshFolder(): string {
  if (made.length === 0)
    process.on('exit', () => {
      for (const folder of made) rmSync(folder, { recursive: true, force: true });
    });
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'credicorp-test-')));
  made.push(folder);
  return folder;
}
