/** Idempotent writes (partner-api.md#idempotency): the same key gives the same answer, byte for byte, for 24 h of sandbox time. */
import { hash } from 'node:crypto';
import * as z from 'zod/mini';
import type { SandboxAnswer, SandboxCall, ProjectName } from '../http/call.ts';
import { described } from '../http/fields.ts';
import { refuse } from '../http/refusal.ts';
import type { KeptAnswer } from './objects.ts';

const RETENTION = 86_400_000;
const HEADER = 'Idempotency-Key';
/** A payload up to this length is stored as it is, a longer one as a digest. */
const SHORT = 48;

export interface Claim {
  /** Keeps the answer, unless it is one that is never kept; either way the key is free again. */
  settle(answer: SandboxAnswer | null, resourceIds: readonly string[]): void;
}

/** The kept body as text. */
export function bodyOf({ body, render }: KeptAnswer): string {
  return typeof body === 'string' ? body : (render?.(body) ?? '');
}

const KEY_SAID = '1 to 255 printable ASCII characters without spaces';

export const idempotencyKey = described(z.string().check(z.regex(/^[!-~]{1,255}$/)), KEY_SAID);

/** Reads the header. @throws Refusal 400 `parameter_invalid` */
export function readKey(call: SandboxCall): string | null {
  const key = call.request.headers['idempotency-key'];
  if (key === undefined) return null;
  if (!idempotencyKey.safeParse(key).success) {
    throw refuse('parameter_invalid', `Idempotency-Key must be ${KEY_SAID}.`, HEADER);
  }
  return key;
}

/** A key counts per project, method and path. */
export function nameOf(project: ProjectName, method: string, path: string, key: string): string {
  return [project, method, path, key].join(' ');
}

export interface AnswerObserver {
  kept(name: string, answer: KeptAnswer): void;
  gone(name: string): void;
}

export class Idempotency {
  /** By name, in order of arrival. */
  readonly kept = new Map<string, KeptAnswer>();
  readonly #running = new Set<string>();
  readonly #observer: AnswerObserver;

  constructor(observer: AnswerObserver) {
    this.#observer = observer;
  }

  /**
   * Claims the key of a write. Returns the stored answer of an earlier call, or a claim to be settled with the answer of this one.
   * @throws Refusal 409 `idempotency_conflict`, `idempotency_key_in_progress`
   */
  claim(name: string, body: Uint8Array | null, now: number): { kept: KeptAnswer } | { claim: Claim } {
    this.#forgetOld(now);
    const before = this.kept.get(name);
    if (before) {
      if (samePayload(before.payload, body)) return { kept: before };
      throw refuse('idempotency_conflict', 'This Idempotency-Key was used before with another payload.', HEADER);
    }
    if (this.#running.has(name)) throw stillRunning();
    this.#running.add(name);
    return {
      claim: {
        settle: (answer, resourceIds) => {
          this.#running.delete(name);
          if (answer !== null && isKept(answer.status)) this.#keep(name, record(answer, resourceIds, body, now));
        },
      },
    };
  }

  clear(): void {
    this.kept.clear();
  }

  #keep(name: string, answer: KeptAnswer): void {
    this.kept.set(name, answer);
    this.#observer.kept(name, answer);
  }

  #forgetOld(now: number): void {
    // In order of arrival, so the walk ends at the first young one.
    for (const [name, answer] of this.kept) {
      if (now - answer.at < RETENTION) return;
      this.kept.delete(name);
      this.#observer.gone(name);
    }
  }
}

function stillRunning(): Error {
  return refuse('idempotency_key_in_progress', 'The first call with this key is still running.', HEADER, {
    headers: { 'Retry-After': '1' },
  });
}

function record(answer: SandboxAnswer, ids: readonly string[], body: Uint8Array | null, now: number): KeptAnswer {
  return {
    payload: short(body),
    status: answer.status,
    body: answer.again?.resource ?? answer.body,
    render: answer.again?.render ?? null,
    resourceIds: ids.length === 1 ? (ids[0] ?? '') : ids.join(' '),
    at: now,
  };
}

function isKept(status: number): boolean {
  return status < 500 && status !== 401 && status !== 403 && status !== 429;
}

/** What is stored of a payload: the text itself, or the digest of its canonical form. */
function short(body: Uint8Array | null): string {
  const text = textOf(body);
  return text.length <= SHORT ? text : digest(canonical(text));
}

function samePayload(kept: string, body: Uint8Array | null): boolean {
  const meaning = canonical(textOf(body));
  return kept === digest(meaning) || canonical(kept) === meaning;
}

/** Parsed JSON with sorted keys, the text itself when it is not JSON. */
function canonical(text: string): string {
  try {
    return JSON.stringify(sorted(JSON.parse(text)));
  } catch {
    return text;
  }
}

/** The members of each object in order of their names; `__proto__` is a name like any other. */
function sorted(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(sorted);
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, member]) => [key, sorted(member)]));
}

function textOf(body: Uint8Array | null): string {
  return body === null ? '' : Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8');
}

function digest(text: string): string {
  return hash('sha256', text, 'base64url');
}
