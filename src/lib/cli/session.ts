/**
 * Where the rooms meet: who we are, a client, a store, a journal, each opened when first asked for. The rooms do not know each
 * other; this file hands one to the other as a function.
 */
import type { Client } from '../api/client.ts';
import type { Transport } from '../api/transport.ts';
import { resolveIdentity } from '../auth/credentials.ts';
import type { Flags, Identity, VaultKind } from '../auth/identity.ts';
import { findPin } from '../auth/pin.ts';
import { readConfig } from '../auth/profiles.ts';
import { findProvider } from '../auth/providers/provider.ts';
import type { TokenEntry } from '../auth/token-entry.ts';
import { type TokenSource, tokenSource } from '../auth/token.ts';
import { openVault, type Vault } from '../auth/vault.ts';
import type { ExchangeRecord, Send, WriteDown } from '../contract/exchange.ts';
import { createJournal, type Journal } from '../journal/record.ts';
import type { Store } from '../store/store.ts';
import { usage } from '../failure.ts';
import type { Context } from './context.ts';
import { openLocalStore } from './local-store.ts';
import { note } from './output.ts';
import { runningSandbox } from './running.ts';
import { traceLines } from './trace-lines.ts';

/** What the global flags say about a session. */
export interface SessionFlags extends Flags {
  timeoutMs: number;
  maxRetries: number;
  debug: boolean;
  mayAsk: boolean;
}

export interface Session {
  /** Who we are. @throws Failure of kind auth when nobody is signed in, usage when sources contradict each other. */
  readonly identity: Identity;
  readonly userAgent: string;
  client(options?: { signal: AbortSignal }): Promise<Client>;
  /** A valid token; `refused` is one the server turned down. */
  token(ask: { refused: string | null }): Promise<string>;
  transport(): Promise<Transport>;
  /** The token with its end, minted if need be; null with a secret key. */
  currentToken(): Promise<TokenEntry | null>;
  /** Where this identity's token and webhook secrets rest. */
  vault(): Vault;
  vaultOfKind(kind: VaultKind): Vault;
  store(): Store;
  writeDown(): WriteDown;
  /** Takes this value out of everything that is written from here on. */
  hide(secret: string): void;
  close(): Promise<void>;
}

/** @param identity who we are, where that is not to be decided from the usual sources (signing in) */
export async function openSession(
  context: Context,
  flags: SessionFlags,
  version: string,
  identity?: Identity,
): Promise<Session> {
  const running = await runningSandbox(context);
  return new OpenSession(context, flags, version, running?.base_url ?? null, identity);
}

class OpenSession implements Session {
  readonly userAgent: string;
  readonly #context: Context;
  readonly #flags: SessionFlags;
  readonly #running: string | null;
  readonly #hidden: string[] = [];
  #identity: Identity | undefined;
  readonly #vaults = new Map<VaultKind, Vault>();
  #store: Store | undefined;
  #journal: Journal | undefined;
  #transport: Promise<Transport> | undefined;
  #source: TokenSource | undefined;

  constructor(context: Context, flags: SessionFlags, version: string, running: string | null, identity?: Identity) {
    this.#context = context;
    this.#flags = flags;
    this.#running = running;
    this.#identity = identity;
    this.userAgent = `credicorp-cli/${version}`;
  }

  get identity(): Identity {
    const { env, cwd, home, paths } = this.#context;
    this.#identity ??= resolveIdentity({
      flags: this.#flags,
      env,
      pin: findPin(cwd, home),
      config: readConfig(paths.config),
      runningSandbox: this.#running === null ? null : { base: this.#running },
      provider: (name) => findProvider(name, paths.config),
    });
    return this.#identity;
  }

  async client(options?: { signal: AbortSignal }): Promise<Client> {
    const { identity } = this;
    // The keychain's helper starts while undici loads.
    this.#tokens().prefetch();
    const [{ createClient }, transport] = await Promise.all([import('../api/client.ts'), this.transport()]);
    const { now, random, uuid, signal } = this.#context;
    return createClient({
      base: identity.base.value,
      userAgent: this.userAgent,
      token: (ask) => this.token(ask),
      send: transport.send,
      newKey: uuid,
      timeoutMs: this.#flags.timeoutMs,
      maxRetries: this.#flags.maxRetries,
      now,
      random,
      environment: identity.environment.value,
      signal: options?.signal ?? signal,
      record: this.writeDown(),
      onWait: ({ reason, ms, attempt }) => {
        if (ms >= 1000)
          note(
            this.#context,
            `${reason.replaceAll('_', ' ')}: trying again in ${Math.ceil(ms / 1000)} s (try ${attempt + 1})`,
          );
      },
      secrets: () => this.#hidden,
      ...(this.#flags.debug ? { onTrace: (record: ExchangeRecord) => note(this.#context, traceLines(record)) } : {}),
    });
  }

  async token(ask: { refused: string | null }): Promise<string> {
    const token = await this.#tokens().lend(ask);
    this.hide(token);
    return token;
  }

  transport(): Promise<Transport> {
    const { env } = this.#context;
    this.#transport ??= import('../api/transport.ts').then(({ createTransport }) =>
      createTransport({
        timeoutMs: this.#flags.timeoutMs,
        userAgent: this.userAgent,
        proxy: { https: env['HTTPS_PROXY'] ?? env['https_proxy'], none: env['NO_PROXY'] ?? env['no_proxy'] },
      }),
    );
    return this.#transport;
  }

  async currentToken(): Promise<TokenEntry | null> {
    const entry = await this.#tokens().current();
    if (entry) this.hide(entry.token);
    return entry;
  }

  vault(): Vault {
    return this.vaultOfKind(this.identity.vault);
  }

  vaultOfKind(kind: VaultKind): Vault {
    const { env, keychainHelper, paths } = this.#context;
    const open =
      this.#vaults.get(kind) ??
      openVault(kind, {
        keychain: { command: keychainHelper, env },
        folder: paths.config,
        passphrase: () => this.#passphrase(),
      });
    this.#vaults.set(kind, open);
    return open;
  }

  store(): Store {
    this.#store ??= openLocalStore(this.#context);
    return this.#store;
  }

  writeDown(): WriteDown {
    this.#journal ??= createJournal({
      open: () => this.store(),
      now: this.#context.now,
      secrets: () => this.#hidden,
      onTrouble: (error) =>
        note(
          this.#context,
          `warning: the journal cannot be written: ${error instanceof Error ? error.message : 'unknown'}`,
        ),
    });
    return this.#journal.write;
  }

  hide(secret: string): void {
    if (secret.length >= 8 && !this.#hidden.includes(secret)) this.#hidden.push(secret);
  }

  /** Where tokens come from: the vault, else the token endpoint. */
  #tokens(): TokenSource {
    this.#source ??= tokenSource({
      identity: this.identity,
      vault: this.vault(),
      send: async (request) => (await this.#plainSend())(request),
      now: this.#context.now,
      lockFolder: this.#context.paths.state,
      notice: (text) => note(this.#context, `note: ${text}`),
      signal: this.#context.signal,
    });
    return this.#source;
  }

  async #plainSend(): Promise<Send> {
    const [{ createPlainSend }, { sleep }, transport] = await Promise.all([
      import('../api/plain-send.ts'),
      import('../api/sleep.ts'),
      this.transport(),
    ]);
    const { now, random, signal } = this.#context;
    const { timeoutMs, maxRetries } = this.#flags;
    return createPlainSend({
      ...{ send: transport.send, now, random, signal, sleep },
      limits: { maxRetries, totalMs: timeoutMs * (maxRetries + 1), maxWaitMs: 60_000 },
      record: this.writeDown(),
      environment: this.identity.environment.value,
    });
  }

  /** The encrypted file's passphrase: from the environment, else asked for. */
  async #passphrase(): Promise<string> {
    const given = this.#context.env['CREDICORP_STORE_PASSPHRASE'];
    if (given !== undefined && given !== '') return given;
    if (!this.#flags.mayAsk) {
      throw usage('the encrypted file needs its passphrase', { next: 'set CREDICORP_STORE_PASSPHRASE' });
    }
    const { askSecret } = await import('./prompt.ts');
    return askSecret(this.#context, 'Passphrase of the encrypted file');
  }

  async close(): Promise<void> {
    this.#journal?.close();
    this.#store?.close();
    await (await this.#transport)?.close();
  }
}
