/** Whether a file named by `--data` may be used (sandbox.md#persistence): it is new, or ours by its application id. Nobody else's is touched. */
import { chmodSync, closeSync, lstatSync, openSync, readlinkSync, readSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { Failure } from '../../failure.ts';
import { diskFull, isDiskFull } from '../../files/full-disk.ts';

/** `cred` in ASCII: distinguishes our files from other databases. */
export const APPLICATION_ID = 0x63726564;
/** Its offset in an SQLite file (sqlite.org/fileformat2.html#application_id); readable even when other parts are damaged. */
const APPLICATION_ID_AT = 68;

/**
 * Makes the file (mode 0600) where there is none, and closes ours to other users. An empty one is free to use.
 * @returns the file's own path, behind a symbolic link in the same folder
 * @throws Failure `unavailable` (`data_not_ours`) for anything else, which stays as it is; (`data_unusable`) where the place cannot be used
 */
export function claimDataFile(named: string): string {
  try {
    const path = behindLinks(named);
    const found = lstatSync(path, { throwIfNoEntry: false });
    if (found === undefined) closeSync(openSync(path, 'wx', 0o600));
    else if (!found.isFile()) throw notOurs(named, 'it is not a file');
    else if (found.size > 0 && applicationId(path) !== APPLICATION_ID) {
      throw notOurs(named, 'it was not written by this program');
    } else if ((found.mode & 0o077) !== 0) chmodSync(path, 0o600);
    return path;
  } catch (error) {
    if (error instanceof Failure) throw error;
    if (isDiskFull(error)) throw diskFull(named, error);
    const next = 'name a file in a directory you may write to';
    throw new Failure(
      'unavailable',
      `the data file ${named} cannot be written`,
      { code: 'data_unusable', next },
      error,
    );
  }
}

/** A link that leads to another folder is refused: who made it may have meant somebody else's file. */
function behindLinks(named: string): string {
  let path = named;
  for (let links = 0; lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true; links += 1) {
    const target = resolve(dirname(path), readlinkSync(path));
    if (dirname(target) !== dirname(named) || links > 8) {
      throw notOurs(named, `it is a symbolic link to ${target}`, `name that file itself: --data ${target}`);
    }
    path = target;
  }
  return path;
}

function applicationId(path: string): number | null {
  const file = openSync(path, 'r');
  try {
    const bytes = Buffer.alloc(4);
    return readSync(file, bytes, 0, 4, APPLICATION_ID_AT) === 4 ? bytes.readUInt32BE() : null;
  } finally {
    closeSync(file);
  }
}

function notOurs(
  path: string,
  why: string,
  next = 'name another file with --data; one that does not exist is made',
): Failure {
  return new Failure('unavailable', `the data file ${path} is not used: ${why}; it was left as it is`, {
    code: 'data_not_ours',
    next,
  });
}
