/**
 * Gets an access token: from the vault while it is valid, else minted with client credentials (RFC 6749 §4.4), by one process
 * at a time, and stored for the next. Cached per token URL, client and scopes (partner-api.md#oauth-tokens).
 */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { Send } from '../../contract/exchange.ts';
import { waitText } from '../../contract/time.ts';
import { Failure } from '../../failure.ts';
import { withLock } from '../../files/lock.ts';
import { readPrivate, writePrivate, makePrivateFolder } from '../../files/private-files.ts';
import type { Identity } from '../credentials/client-identity.ts';
import type { Vault } from '../vaults/vault.ts';
import { mint, type Minted } from './mint.ts';

export interface TokenOptions {
  identity: Identity;
  /** The vault of kind `identity.vault`. */
  vault: Vault;
  send: Send;
  /** Milliseconds since the epoch. */
  now: () => number;
  /** Folder of the locks. */
  lockFolder: string;
  /** Receives warnings: a discovery document that is not followed, a clock that is wrong. */
  notice: (text: string) => void;
  signal?: AbortSignal;
  /** Limit of a call, in milliseconds: no longer is another process's mint waited for. */
  timeoutMs?: number;
}

export interface TokenSource {
  /**
   * Returns a bearer token. `refused` is one that the server just refused: then a newer one, or the same again when there is none (a
   * secret key). @throws Failure `auth`, `rate_limited`, `unavailable`, `interrupted`.
   */
  get(ask: { refused: string | null }): Promise<string>;
  /** The token that `get` would return, with its expiry; null with a secret key. */
  current(): Promise<TokenEntry | null>;
  /** Starts to fetch token and secret from the vault, both in one request. */
  prefetch(): void;
}

/** Waits for other processes at most twice, then mints without the lock. */
const ROUNDS = 3;
/** How long to wait for the lock, in milliseconds: enough for another process's discovery and mint. */
const PATIENCE_MS = 20_000;

export function tokenSource(options: TokenOptions): TokenSource {
  const { identity } = options;
  if (identity.mode === 'headers') {
    throw new Failure('bug', `${identity.provider.title} has no tokens`, { code: 'no_tokens' });
  }
  const holder = new CachedToken(options);
  return {
    get: async ({ refused }) =>
      identity.mode === 'secret_key' ? readClientSecret(identity, options.vault) : (await holder.get(refused)).token,
    current: async () => (identity.mode === 'secret_key' ? null : holder.get(null)),
    prefetch: () => {
      const { secret } = identity;
      const accounts = identity.mode === 'oauth' ? [tokenAccount(identity)] : [];
      if (secret.where === 'vault') accounts.push(secret.account);
      if (identity.mode === 'oauth') holder.notePrefetch();
      if (accounts.length > 0) options.vault.prefetch(accounts);
    },
  };
}

/** The token of this process. Calls are queued, so that many requests at once cause one mint. */
class CachedToken {
  readonly #options: TokenOptions;
  #held: TokenEntry | null = null;
  /** The stamp at the time when the prefetch from the vault started. */
  #stampAtPrefetch: string | null = null;
  #queue: Promise<unknown> = Promise.resolve();

  constructor(options: TokenOptions) {
    this.#options = options;
  }

  /** Remembers the stamp before a prefetch: if another process mints before the fetched token is used, that token is out of date. */
  notePrefetch(): void {
    if (this.#options.vault.kind !== 'memory') this.#stampAtPrefetch = this.#stamp();
  }

  get(refused: string | null): Promise<TokenEntry> {
    const turn = this.#queue.then(() => this.#obtain(refused));
    this.#queue = turn.catch(() => undefined);
    return turn;
  }

  async #obtain(refused: string | null): Promise<TokenEntry> {
    const { identity, now } = this.#options;
    const serves = (entry: TokenEntry | null): entry is TokenEntry =>
      entry !== null && entry.token !== refused && isGood(entry, identity, now());
    if (serves(this.#held)) return this.#held;
    for (let round = 1; ; round += 1) {
      const stamp = this.#stampAtPrefetch ?? this.#stamp();
      this.#stampAtPrefetch = null;
      const found = await this.#read(round > 1 || refused !== null);
      if (serves(found)) return (this.#held = found);
      const minted = await this.#mintUnderLock(round < ROUNDS ? stamp : null);
      if (minted !== null) return minted;
    }
  }

  /** Mints under the lock; null when another process has minted since `stamp`, so that the vault has to be read again. */
  async #mintUnderLock(stamp: string | null): Promise<TokenEntry | null> {
    const { lockFolder, signal, vault, notice, timeoutMs = PATIENCE_MS } = this.#options;
    // No other process shares our memory, so no lock is needed.
    if (vault.kind === 'memory') return this.#mintAndStore();
    undefinedOnFailure(() => makePrivateFolder(lockFolder));
    const patienceMs = Math.min(PATIENCE_MS, timeoutMs);
    const onLongWait = (): void =>
      notice(`another credicorp process is getting an access token; waiting for it, up to ${waitText(patienceMs)}`);
    const options = { patienceMs, onLongWait, ...(signal === undefined ? {} : { signal }) };
    return withLock(`${this.#lockName()}.lock`, options, async () => {
      if (stamp !== null && this.#stamp() !== stamp) return null;
      return this.#mintAndStore();
    });
  }

  async #mintAndStore(): Promise<TokenEntry> {
    const entry = await this.#mint();
    const kept = await this.#store(entry);
    if (kept && this.#options.vault.kind !== 'memory') this.#putStamp(entry);
    return entry;
  }

  async #mint(): Promise<TokenEntry> {
    const { identity, vault, now } = this.#options;
    const secret = await readClientSecret(identity, vault);
    const minted: Minted = await mint({ ...this.#options, secret });
    this.#held = {
      ...minted,
      base: identity.base.value,
      clientId: identity.clientId?.value ?? '',
      scopes: [...identity.scopes.value],
      mintedAt: now(),
    };
    return this.#held;
  }

  async #read(fresh: boolean): Promise<TokenEntry | null> {
    const { identity, vault } = this.#options;
    try {
      return readEntry(await vault.get(tokenAccount(identity), { fresh }));
    } catch (error) {
      // The secret is in the same vault, so reading it would fail too.
      if (identity.secret.where === 'vault' || !(error instanceof Failure)) throw error;
      return null;
    }
  }

  /** Stores the token; false when that failed: then each process mints its own, which is slower but correct. */
  async #store(entry: TokenEntry): Promise<boolean> {
    const { identity, vault, notice } = this.#options;
    try {
      await vault.set(tokenAccount(identity), writeEntry(entry));
      return true;
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      notice(`the access token could not be stored for the next command: ${error.message}`);
      return false;
    }
  }

  /** A text that changes whenever a process mints for this account. */
  #stamp(): string {
    return undefinedOnFailure(() => readPrivate(`${this.#lockName()}.stamp`)) ?? '';
  }

  #putStamp({ token, mintedAt }: TokenEntry): void {
    const stamp = createHash('sha256').update(`${mintedAt}\n${token}`).digest('hex').slice(0, 24);
    undefinedOnFailure(() => writePrivate(`${this.#lockName()}.stamp`, stamp));
  }

  #lockName(): string {
    const { identity, lockFolder, vault } = this.#options;
    const name = createHash('sha256')
      .update(`${vault.kind}\n${tokenAccount(identity)}`)
      .digest('hex')
      .slice(0, 16);
    return join(lockFolder, `mint-${name}`);
  }
}

/** Runs a file operation for lock or stamp; undefined when it fails. Without them each process mints its own token, which is slower but correct. */
function undefinedOnFailure<T>(touch: () => T): T | undefined {
  try {
    return touch();
  } catch (error) {
    if (error instanceof Failure) return undefined;
    throw error;
  }
}

export interface TokenEntry extends Minted {
  base: string;
  clientId: string;
  /** The requested scopes; empty for all that the client is granted. */
  scopes: string[];
  /** Milliseconds since the epoch, by this machine's clock. */
  mintedAt: number;
}

/** The vault account of a token: one for the default scopes, one for each narrowed set. */
export function tokenAccount(identity: Identity): string {
  const scopes = [...identity.scopes.value].sort();
  if (scopes.length === 0) return `${identity.account}/access_token`;
  return `${identity.account}/access_token/${createHash('sha256').update(scopes.join(' ')).digest('hex').slice(0, 12)}`;
}

/** True while the entry can be used for this identity: same base, client, scopes and token URL, and not about to expire. */
function isGood(entry: TokenEntry, identity: Identity, now: number): boolean {
  return (
    entry.base === identity.base.value &&
    entry.clientId === identity.clientId?.value &&
    [...entry.scopes].sort().join(' ') === [...identity.scopes.value].sort().join(' ') &&
    (identity.tokenUrl === null || identity.tokenUrl.value === entry.tokenUrl) &&
    now < entry.useUntil &&
    // If the clock was set back, an expired token would look valid.
    now >= entry.mintedAt - 60_000
  );
}

/** Serialises an entry for the vault. */
export function writeEntry(entry: TokenEntry): string {
  return JSON.stringify(entry);
}

/** Parses the text of `writeEntry`; null for anything else. */
function readEntry(text: string | null): TokenEntry | null {
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

/** The client's secret. @throws Failure `auth`: `nothing_stored`, or why the vault could not be opened. */
export async function readClientSecret(identity: Identity, vault: Vault): Promise<string> {
  const { secret } = identity;
  if (secret.where !== 'vault') return secret.secret.reveal();
  const found = await vault.get(secret.account);
  if (found !== null) return found;
  const profile = identity.profile?.value ?? identity.account;
  const where = { os: 'the keychain', file: 'the encrypted file', local: 'the file of the sandbox', memory: 'memory' };
  throw new Failure('auth', `nothing is stored in ${where[vault.kind]} for profile ${profile}`, {
    code: 'nothing_stored',
    next: `sign in again: credicorp login --profile ${profile}`,
  });
}
