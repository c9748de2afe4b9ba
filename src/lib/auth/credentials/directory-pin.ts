/**
 * The directory pin: `.credicorp.json` in the working directory or above it. It contains a profile name and hosts, never a secret. It may
 * come with a cloned repository, so it is not trusted: `resolve-identity` decides whether its hosts may be used.
 */
import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { parseBase, parseTokenUrl } from '../../contract/environments.ts';
import { carriesSecret } from '../../contract/secrets.ts';
import { Failure, usage } from '../../failure.ts';
import { whyNotOurs } from '../../files/ownership.ts';
import { readPrivate, replaceFile, writePrivate } from '../../files/private-files.ts';
import { isSimpleName } from '../providers/provider.ts';

const PIN_NAME = '.credicorp.json';

export interface Pin {
  /** The file it was read from. */
  path: string;
  profile?: string;
  base?: string;
  tokenUrl?: string;
  /** The user has looked at this file with these contents and allowed it. */
  allowed: boolean;
  /** SHA-256 of the contents, in hex. */
  hash: string;
}

interface PinPlaces {
  /** Where `allowPin` keeps what was allowed; null: nothing is allowed. */
  state: string | null;
  /** Called once for a pin that is ignored because another user could have written it. */
  onIgnored?: (line: string) => void;
  /** Read it all the same, to allow it. */
  evenOfOthers?: true;
}

const MEMBERS = new Set(['profile', 'base', 'token_url', '$schema']);
const LARGEST = 64 * 1024;

/**
 * The nearest pin in `folder` or above it, up to the home folder or the root; null when there is none, and when another user could have
 * written it and it was not allowed.
 * @throws Failure `usage` (`pin_refused`) when it is damaged, has unknown members, or contains a secret.
 */
export function findPin(folder: string, home: string, places: PinPlaces = { state: null }): Pin | null {
  const top = resolve(home);
  let here = resolve(folder);
  // A path has fewer parts than characters, so the loop always ends, whatever `dirname` returns on this platform.
  for (let steps = 0; steps <= 4096; steps += 1) {
    const path = join(here, PIN_NAME);
    const text = readPin(path);
    if (text !== null) return believedPin(path, text, places);
    const above = dirname(here);
    if (here === top || above === here) return null;
    here = above;
  }
  return null;
}

function believedPin(path: string, text: string, { state, onIgnored, evenOfOthers }: PinPlaces): Pin | null {
  const hash = createHash('sha256').update(text).digest('hex');
  const stranger = whyNotOurs(path);
  // The list is read only where it decides: here, and where a pin raises to live.
  const allowed = (): boolean => state !== null && readAllowed(state)[path] === hash;
  if (stranger !== null && evenOfOthers !== true && !allowed()) {
    onIgnored?.(`note: ${path} is ignored: ${stranger.words}; if it says what you want: credicorp profiles allow`);
    return null;
  }
  const pin = parsePin(path, text);
  return {
    ...pin,
    hash,
    get allowed() {
      return allowed();
    },
  };
}

/**
 * Writes a pin into a folder, and allows it: who writes it knows what it says. @returns its path
 * @throws Failure `usage` (`not_writable`)
 */
export function writePin(folder: string, pin: Pick<Pin, 'profile' | 'base' | 'tokenUrl'>, state: string): string {
  const path = join(resolve(folder), PIN_NAME);
  const { profile, base, tokenUrl } = pin;
  const text = `${JSON.stringify({ profile, base, token_url: tokenUrl }, undefined, 2)}\n`;
  // It is meant to be shared, so it gets the mode of an ordinary file.
  replaceFile(path, text, 0o644);
  allowPin({ path, hash: createHash('sha256').update(text).digest('hex') }, state);
  return path;
}

/**
 * Allows a pin with its present contents: it may choose live, and counts wherever it is (command-line.md#profiles-credentials-and-precedence).
 * @throws Failure `usage` (`not_writable`, `not_ours`)
 */
export function allowPin({ path, hash }: Pick<Pin, 'path' | 'hash'>, state: string): void {
  writePrivate(join(state, ALLOWED), `${JSON.stringify({ ...readAllowed(state), [path]: hash }, undefined, 2)}\n`);
}

/** Hashes by path. A damaged list allows nothing. */
function readAllowed(state: string): Record<string, unknown> {
  try {
    const list: unknown = JSON.parse(readPrivate(join(state, ALLOWED)) ?? '{}');
    return typeof list === 'object' && list !== null ? { ...list } : {};
  } catch (error) {
    if (error instanceof Failure) throw error;
    return {};
  }
}

const ALLOWED = 'allowed-pins.json';

function readPin(path: string): string | null {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) return null;
  // Reading a named pipe would block every command.
  if (!found.isFile()) throw refused(path, 'it is not a file');
  if (found.size > LARGEST) throw refused(path, 'it is larger than 64 KiB');
  try {
    return readFileSync(path, 'utf8');
  } catch {
    throw refused(path, 'it cannot be read');
  }
}

function parsePin(path: string, text: string): Pick<Pin, 'path' | 'profile' | 'base' | 'tokenUrl'> {
  if (carriesSecret(text)) throw secretFound(path);
  let document: unknown;
  try {
    document = JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch {
    // The parser's message quotes the file, which may be a link to a file with secrets.
    throw refused(path, 'it is not JSON');
  }
  if (typeof document !== 'object' || document === null || Array.isArray(document)) {
    throw refused(path, 'it is not an object');
  }
  const members = new Map<string, unknown>(Object.entries(document));
  for (const name of members.keys()) {
    if (/secret|password|passphrase|api_?key|access_?token/i.test(name)) throw secretFound(path);
    if (!MEMBERS.has(name)) throw refused(path, 'it has other members than profile, base and token_url');
  }
  const profile = textOf(path, members, 'profile');
  const base = textOf(path, members, 'base');
  const tokenUrl = textOf(path, members, 'token_url');
  if (profile !== undefined && !isSimpleName(profile)) throw refused(path, '"profile" is not a profile name');
  return {
    path,
    ...(profile === undefined ? {} : { profile }),
    ...(base === undefined ? {} : { base: urlOf(path, 'base', base, parseBase) }),
    ...(tokenUrl === undefined ? {} : { tokenUrl: urlOf(path, 'token_url', tokenUrl, parseTokenUrl) }),
  };
}

function textOf(path: string, members: Map<string, unknown>, name: string): string | undefined {
  const value = members.get(name);
  if (value === undefined || typeof value === 'string') return value;
  throw refused(path, `"${name}" is not text`);
}

function urlOf(path: string, name: string, text: string, parse: (text: string) => string): string {
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    throw refused(path, `"${name}": ${error.message}`);
  }
}

function secretFound(path: string): Failure {
  return usage(`${path} contains a secret, which a pin must not contain`, {
    code: 'pin_refused',
    next: 'remove it, revoke it if the file was shared, and store it with: credicorp login',
  });
}

function refused(path: string, why: string): Failure {
  return usage(`${path} is refused: ${why}`, {
    code: 'pin_refused',
    next: 'correct or remove the file, or write a new one with: credicorp profiles pin',
  });
}
