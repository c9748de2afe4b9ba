/**
 * The directory pin: `.credicorp.json` in the working directory or above it. It contains a profile name and hosts, never a secret. It may
 * come with a cloned repository, so it is not trusted: `resolve-identity` decides whether its hosts may be used.
 */
import { readFileSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { parseBase, parseTokenUrl } from '../../contract/environments.ts';
import { carriesSecret } from '../../contract/secrets.ts';
import { Failure, usage } from '../../failure.ts';
import { replaceFile } from '../../files/private-files.ts';
import { isSimpleName } from '../providers/provider.ts';

const PIN_NAME = '.credicorp.json';

export interface Pin {
  /** The file it was read from. */
  path: string;
  profile?: string;
  base?: string;
  tokenUrl?: string;
}

const MEMBERS = new Set(['profile', 'base', 'token_url', '$schema']);
const LARGEST = 64 * 1024;

/**
 * The nearest pin in `folder` or above it, up to the home folder or the root; null when there is none.
 * @throws Failure `usage` (`pin_refused`) when it is damaged, has unknown members, or contains a secret.
 */
export function findPin(folder: string, home: string): Pin | null {
  const top = resolve(home);
  let here = resolve(folder);
  // A path has fewer parts than characters, so the loop always ends, whatever `dirname` returns on this platform.
  for (let steps = 0; steps <= 4096; steps += 1) {
    const path = join(here, PIN_NAME);
    const text = readPin(path);
    if (text !== null) return parsePin(path, text);
    const above = dirname(here);
    if (here === top || above === here) return null;
    here = above;
  }
  return null;
}

/**
 * Writes a pin into a folder. @returns its path
 * @throws Failure `usage` (`not_writable`)
 */
export function writePin(folder: string, pin: Omit<Pin, 'path'>): string {
  const path = join(resolve(folder), PIN_NAME);
  const { profile, base, tokenUrl } = pin;
  // It is meant to be shared, so it gets the mode of an ordinary file.
  replaceFile(path, `${JSON.stringify({ profile, base, token_url: tokenUrl }, undefined, 2)}\n`, 0o644);
  return path;
}

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

function parsePin(path: string, text: string): Pin {
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
