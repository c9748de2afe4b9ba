/** A token as it rests in the vault: with its end, and with what it was minted for, so that it is used for nothing else. */

import { createHash } from 'node:crypto';
import type { Identity } from './identity.ts';
import type { Provider } from './providers/shape.ts';

export interface TokenEntry {
  token: string;
  /** Where it was minted. */
  tokenUrl: string;
  base: string;
  clientId: string;
  /** What was asked for; empty for whatever the client is granted. */
  scopes: string[];
  /** What was granted, when the server said so. */
  granted: string | null;
  /** Milliseconds since the epoch, by this machine's clock: minted, used no longer, and dead. */
  mintedAt: number;
  useUntil: number;
  expiresAt: number;
}

/** The account a token is kept under: one for the plain set of scopes, one for each narrowed set. */
export function tokenAccount(identity: Identity): string {
  const scopes = [...identity.scopes.value].sort();
  if (scopes.length === 0) return `${identity.account}/access_token`;
  return `${identity.account}/access_token/${createHash('sha256').update(scopes.join(' ')).digest('hex').slice(0, 12)}`;
}

/** True while the entry may be used for this identity: same base, same client, same scopes, no other token URL, not near its end. */
export function isGood(entry: TokenEntry, identity: Identity, now: number): boolean {
  return (
    entry.base === identity.base.value &&
    entry.clientId === identity.clientId?.value &&
    [...entry.scopes].sort().join(' ') === [...identity.scopes.value].sort().join(' ') &&
    (identity.tokenUrl === null || identity.tokenUrl.value === entry.tokenUrl) &&
    now < entry.useUntil &&
    // A clock that was set back would otherwise keep a dead token alive.
    now >= entry.mintedAt - 60_000
  );
}

/**
 * For how many milliseconds a fresh token is used: until shortly before its end (partner-api.md#oauth-tokens), half its life where the provider's
 * margin would leave nothing of it (AcountPay).
 */
export function usefulLife(expiresIn: number, { earlySeconds, halveUpTo }: NonNullable<Provider['token']>): number {
  const seconds = expiresIn <= halveUpTo ? expiresIn / 2 : expiresIn - earlySeconds;
  return Math.max(0, seconds * 1000);
}

/** One line for the vault. */
export function writeEntry(entry: TokenEntry): string {
  return JSON.stringify(entry);
}

/** Reads what `writeEntry` wrote; anything else counts as nothing. */
export function readEntry(text: string | null): TokenEntry | null {
  if (text === null) return null;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  return isEntry(value) ? value : null;
}

function isEntry(value: unknown): value is TokenEntry {
  if (typeof value !== 'object' || value === null) return false;
  const entry = value as Partial<Record<keyof TokenEntry, unknown>>;
  const { token, tokenUrl, base, clientId, scopes, granted, mintedAt, useUntil, expiresAt } = entry;
  return (
    [token, tokenUrl, base, clientId].every((text) => typeof text === 'string') &&
    Array.isArray(scopes) &&
    scopes.every((scope) => typeof scope === 'string') &&
    (granted === null || typeof granted === 'string') &&
    [mintedAt, useUntil, expiresAt].every((time) => Number.isFinite(time))
  );
}
