/**
 * Writes of the last 24 hours that may have happened, so that the same command typed again repeats them with the same idempotency key
 * (command-line.md#writes-that-may-have-happened). Each is a file of its own in the state folder, named after what it asks for.
 */
import { createHash } from 'node:crypto';
import { readdirSync, rmdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { HttpRequest } from '../../contract/exchange.ts';
import { isRecord, parseJson, writeJson } from '../../contract/json.ts';
import { Failure } from '../../failure.ts';
import { readPrivate, writePrivate } from '../../files/private-files.ts';

/** Where and whose they are. */
export interface UnfinishedWrites {
  folder: string;
  /** Project and environment. */
  scope: string;
  /** Milliseconds since the epoch. */
  now: () => number;
  /** Members of the body that differ whenever the same command is typed, such as an instant counted from now. */
  volatile: readonly string[];
}

export interface UnfinishedWrite {
  key: string;
  /** When it was sent, in milliseconds since the epoch. */
  at: number;
  /** What was sent, where the same command would send something else now. */
  body?: string;
}

/** For so long the API keeps keys (partner-api.md#idempotency). */
const RETENTION_MS = 86_400_000;

export function findUnfinished(writes: UnfinishedWrites, request: HttpRequest): UnfinishedWrite | null {
  try {
    const kept: unknown = JSON.parse(readPrivate(pathOf(writes, request)) ?? 'null');
    if (!isRecord(kept)) return null;
    const { key, at, body } = kept;
    const isKept = typeof key === 'string' && typeof at === 'number' && Math.abs(writes.now() - at) < RETENTION_MS;
    return isKept ? { key, at, ...(typeof body === 'string' ? { body } : {}) } : null;
  } catch {
    // A file that cannot be read remembers nothing.
    return null;
  }
}

/** Remembers a write that has an idempotency key. @returns false when that is not possible: a full disk, a folder of somebody else */
export function keepUnfinished(writes: UnfinishedWrites, request: HttpRequest): boolean {
  const { volatile, now, folder } = writes;
  const key = request.headers['idempotency-key'];
  const body = volatile.length > 0 && typeof request.body === 'string' ? { body: request.body } : {};
  const before = findUnfinished(writes, request);
  // The API counts from the first try.
  const write = { key, at: before?.key === key ? before?.at : now(), ...body };
  try {
    forgetOld(folder, now());
    writePrivate(pathOf(writes, request), JSON.stringify(write));
    return true;
  } catch (error) {
    if (error instanceof Failure) return false;
    throw error;
  }
}

export function forgetUnfinished(writes: UnfinishedWrites, request: HttpRequest): void {
  try {
    rmSync(pathOf(writes, request), { force: true });
    // An empty folder goes, so that the next write need not look into it; one that is not empty stays.
    rmdirSync(writes.folder);
  } catch {
    // Another write is remembered there.
  }
}

function forgetOld(folder: string, now: number): void {
  try {
    for (const name of readdirSync(folder)) {
      const path = join(folder, name);
      if (now - statSync(path).mtimeMs > RETENTION_MS) rmSync(path, { force: true });
    }
  } catch {
    // There is no folder yet, or another process was faster.
  }
}

function pathOf({ folder, scope, volatile }: UnfinishedWrites, { method, url, body }: HttpRequest): string {
  const name = createHash('sha256').update(JSON.stringify([scope, method, url]));
  if (body !== undefined) name.update(typeof body === 'string' ? canonical(body, volatile) : body);
  return join(folder, `${name.digest('base64url')}.json`);
}

/** The same text for the same content: members sorted, without those that are volatile. */
function canonical(text: string, volatile: readonly string[]): string {
  try {
    const document = parseJson(text);
    if (!isRecord(document)) return text;
    return writeJson(sorted(Object.fromEntries(Object.entries(document).filter(([name]) => !volatile.includes(name)))));
  } catch {
    return text;
  }
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isRecord(value)) return value;
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(members.map(([name, member]) => [name, sorted(member)]));
}
