/**
 * Whether other users of this machine could have written a file. Nothing is loaded or believed from such a place: neither prepared code,
 * nor configuration, nor a directory pin. Root counts as ours, because root can do everything anyway.
 */
import { lstatSync, mkdirSync, readdirSync, readlinkSync, type Stats } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';

/** Bits of a mode. */
const GROUP_WRITES = 0o020;
const OTHERS_WRITE = 0o002;
const STICKY = 0o1000;
/** More than a path of real links has; a circle of links ends here. */
const MAX_LINKS = 40;

export interface NotOurs {
  /** The file or folder that is at fault. */
  path: string;
  fault: 'owner' | 'mode' | 'link';
  /** What is wrong, beginning with the path. */
  words: string;
}

/**
 * Why a path cannot be trusted: it, or a folder above it up to the home folder or the root, belongs to another user, or can be written by
 * the group or by others. Each symbolic link is looked at, and the place it leads to. What does not exist yet is judged by the folders above it.
 * @returns null when only this user and root can write there
 */
export function whyNotOurs(path: string): NotOurs | null {
  const uid = process.geteuid?.();
  // Windows: owners and rights are lists that Node does not show, and the profile folder is closed to other users by default.
  if (uid === undefined) return null;
  return walk(resolve(path), uid, resolve(homedir()), 0);
}

function walk(path: string, uid: number, home: string, links: number): NotOurs | null {
  let isLeaf = true;
  for (let here = path; ; here = dirname(here), isLeaf = false) {
    const facts = lstatSync(here, { throwIfNoEntry: false });
    const why = facts === undefined ? null : whyNot(here, facts, uid, isLeaf);
    if (why !== null) return why;
    if (facts?.isSymbolicLink() === true) {
      if (links === MAX_LINKS) return { path: here, fault: 'link', words: `${here} is a link that leads in a circle` };
      const behind = walk(resolve(dirname(here), readlinkSync(here)), uid, home, links + 1);
      if (behind !== null) return behind;
    }
    if (here === home || dirname(here) === here) return null;
  }
}

function whyNot(path: string, { uid, gid, mode }: Stats, own: number, isLeaf: boolean): NotOurs | null {
  if (uid !== own && uid !== 0) {
    return { path, fault: 'owner', words: `${path} belongs to another user (number ${uid})` };
  }
  const isLink = (mode & 0o170_000) === 0o120_000;
  // Nobody can write to a link; and in a sticky folder (/tmp) nobody can replace what belongs to us.
  if (isLink || (!isLeaf && (mode & STICKY) !== 0)) return null;
  // Many systems give each user a group of the same number and let it write by default.
  const privateGroup = own !== 0 && gid === own;
  if ((mode & OTHERS_WRITE) !== 0 || ((mode & GROUP_WRITES) !== 0 && !privateGroup)) {
    const words = `${path} can be written by other users (mode ${(mode & 0o7777).toString(8)})`;
    return { path, fault: 'mode', words };
  }
  return null;
}

/** Where Linux and macOS keep home folders. */
const HOMES = ['/home', '/Users'];
const FIRST_PERSON = 500;
const NOBODY = 65_534;

/** Whether another person has a home folder on this machine: "this machine only" then does not mean "this user only". */
export function hasOtherUsers(places: readonly string[] = HOMES): boolean {
  const own = process.geteuid?.();
  const owners = places.flatMap((place) => {
    try {
      return readdirSync(place).map((name) => lstatSync(join(place, name)).uid);
    } catch {
      return [];
    }
  });
  return owners.some((uid) => uid >= FIRST_PERSON && uid !== own && uid !== NOBODY);
}

/** Makes a folder of mode 0700, and those above it, whatever the umask says. @returns whether it can be trusted */
export function makeOwnFolder(path: string): boolean {
  try {
    if (lstatSync(path, { throwIfNoEntry: false }) === undefined) mkdirSync(path, { recursive: true, mode: 0o700 });
    return whyNotOurs(path) === null;
  } catch {
    return false;
  }
}
