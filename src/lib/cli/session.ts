/**
 * Where the rooms meet: who we are, a client, a store, a journal, each opened when first asked for. The rooms do not know each
 * other; this file hands one to the other as a function.
 */
import { existsSync } from 'node:fs';
import type { Client } from '../api/client.ts';
import type { Transport } from '../api/transport.ts';
import { resolveIdentity } from '../auth/credentials.ts';
import type { Flags, Identity, VaultKind } from '../auth/identity.ts';
import { findPin } from '../auth/pin.ts';
import { readConfig } from '../auth/profiles.ts';
import { findProvider } from '../auth/providers/provider.ts';
import { secretOf } from '../auth/stored-secret.ts';
import type { TokenEntry } from '../auth/token-entry.ts';
import { type TokenSource, tokenSource } from '../auth/token.ts';
import { type Vault } from '../auth/vault.ts';
import { openVault, vaultPath } from '../auth/open-vault.ts';
import type { Send, WriteDown } from '../contract/exchange.ts';
import { usage } from '../failure.ts';
import type { Store } from '../store/store.ts';
import type { Context } from './context.ts';
import { secretsOf, watched } from './known-secrets.ts';
import { note } from './output/write.ts';
import { Records } from './records.ts';
import { runningSandbox } from './sandbox/running-sandbox.ts';
import { traceLines } from './output/format.ts';
import { Wire } from './wire.ts';

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
  /** For calls outside the client. Adds nothing, repeats nothing; writes down, but for looks that come again and again. */
  transport(options?: { unwritten: true }): Promise<Transport>;
  /** Sends without a credential of its own, repeats what may be repeated, and writes down: for the token plane. */
  plainSend(environment: string): Promise<Send>;
  /** The token with its end, minted if need be; null where there are no tokens. */
  currentToken(): Promise<TokenEntry | null>;
  /** Where this identity's token and webhook secrets rest. */
  vault(): Vault;
  vaultOfKind(kind: VaultKind): Vault;
  /** The client's own secret, for introspection. */
  secret(): Promise<string>;
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
  const base = running?.provider === 'credicorp' ? running.base_url : null;
  return new OpenSession(context, flags, version, base, identity);
}

class OpenSession implements Session {
  readonly userAgent: string;
  readonly #context: Context;
  readonly #flags: SessionFlags;
  readonly #running: string | null;
  readonly #hidden: string[] = [];
  #identity: Identity | undefined;
  readonly #vaults = new Map<VaultKind, Vault>();
  readonly #records: Records;
  readonly #wire: Wire;
  #source: TokenSource | undefined;

  constructor(context: Context, flags: SessionFlags, version: string, running: string | null, identity?: Identity) {
    this.#context = context;
    this.#flags = flags;
    this.#running = running;
    this.#identity = identity;
    this.#records = new Records(context, () => this.#hidden);
    this.userAgent = `credicorp-cli/${version}`;
    this.#wire = new Wire(context, flags, this.userAgent);
  }

  get identity(): Identity {
    if (this.#identity) return this.#identity;
    const { env, cwd, home, paths } = this.#context;
    this.#identity = resolveIdentity({
      flags: this.#flags,
      env,
      pin: findPin(cwd, home),
      config: readConfig(paths.config),
      runningSandbox: this.#running === null ? null : { base: this.#running },
      provider: (name) => findProvider(name, paths.config),
    });
    for (const secret of secretsOf(this.#identity)) this.hide(secret);
    return this.#identity;
  }

  async client(options?: { signal: AbortSignal }): Promise<Client> {
    const { identity } = this;
    // The keychain's helper starts while undici loads.
    if (identity.mode !== 'headers') this.#tokens().prefetch();
    const [{ createClient }, transport, pace] = await Promise.all([
      import('../api/client.ts'),
      this.#wire.transport(),
      this.#wire.pace(),
    ]);
    const { now, random, uuid, signal } = this.#context;
    return createClient({
      base: identity.base.value,
      userAgent: this.userAgent,
      ...(identity.mode === 'headers'
        ? { token: null, credentials: () => this.#headerCredentials() }
        : { token: (ask) => this.token(ask) }),
      keys: identity.provider.idempotency,
      send: transport.send,
      newKey: uuid,
      timeoutMs: this.#flags.timeoutMs,
      maxRetries: this.#flags.maxRetries,
      now,
      random,
      environment: identity.environment.value,
      ...(identity.provider.partnerApi ? {} : { foreign: identity.provider.title }),
      signal: options?.signal ?? signal,
      pace,
      record: this.writeDown(),
      onWait: this.#wire.tellWait,
      secrets: () => this.#hidden,
    });
  }

  async token(ask: { refused: string | null }): Promise<string> {
    const { mode, provider } = this.identity;
    if (mode === 'headers') {
      throw usage(`${provider.title} has no tokens: its credentials travel as headers on each call`, {
        code: 'no_tokens',
        next: 'use credicorp api METHOD PATH, which sends them',
      });
    }
    const token = await this.#tokens().lend(ask);
    this.hide(token);
    return token;
  }

  async transport(options?: { unwritten: true }): Promise<Transport> {
    if (options?.unwritten === true) return this.#wire.transport();
    const [transport, { writtenDown }] = await Promise.all([this.#wire.transport(), import('./written-down.ts')]);
    return writtenDown(transport, this.writeDown(), this.#context.now);
  }

  plainSend(environment: string): Promise<Send> {
    return this.#wire.plainSend(environment, this.writeDown());
  }

  async currentToken(): Promise<TokenEntry | null> {
    if (this.identity.mode === 'headers') return null;
    const entry = await this.#tokens().current();
    if (entry) this.hide(entry.token);
    return entry;
  }

  vault(): Vault {
    return this.vaultOfKind(this.identity.vault);
  }

  vaultOfKind(kind: VaultKind): Vault {
    const { env, keychainHelper: command, paths } = this.#context;
    const keychain = { command, env };
    const places = { keychain, folder: paths.config, passphrase: () => this.#passphrase() };
    const hide = (secret: string): void => this.hide(secret);
    const open = this.#vaults.get(kind) ?? watched(openVault(kind, places), this.#context, hide);
    this.#vaults.set(kind, open);
    return open;
  }

  async secret(): Promise<string> {
    const { secret: place } = this.identity;
    const vault = place.where === 'vault' ? this.vaultOfKind(place.store) : this.vault();
    const secret = await secretOf(this.identity, vault);
    this.hide(secret);
    return secret;
  }

  store(): Store {
    return this.#records.store();
  }

  writeDown(): WriteDown {
    const keep = this.#records.writeDown();
    if (!this.#flags.debug) return keep;
    return (record) => {
      keep(record);
      // What the sandbox, the proxy and the listener see is not what this command sends.
      if (record.source === 'cli') note(this.#context, traceLines(record, this.#hidden));
    };
  }

  hide(secret: string): void {
    if (secret.length >= 8 && !this.#hidden.includes(secret)) this.#hidden.push(secret);
  }

  /** Where tokens come from: the vault, else the token endpoint. */
  #tokens(): TokenSource {
    this.#source ??= tokenSource({
      identity: this.identity,
      vault: this.vault(),
      send: async (request) => (await this.plainSend(this.identity.environment.value))(request),
      now: this.#context.now,
      lockFolder: this.#context.paths.state,
      notice: (text) => note(this.#context, `note: ${text}`),
      signal: this.#context.signal,
    });
    return this.#source;
  }

  async #headerCredentials(): Promise<Record<string, string>> {
    const { clientId, provider } = this.identity;
    const { clientId: idHeader, clientSecret: secretHeader } = provider.headers;
    if (clientId === null || idHeader === null || secretHeader === null) return {};
    return { [idHeader]: clientId.value, [secretHeader]: await this.secret() };
  }

  /** The encrypted file's passphrase: from the environment, else asked for. */
  async #passphrase(): Promise<string> {
    const given = this.#context.env['CREDICORP_STORE_PASSPHRASE'];
    if (given !== undefined && given !== '') return given;
    if (!this.#flags.mayAsk) {
      throw usage('the encrypted file needs its passphrase', { next: 'set CREDICORP_STORE_PASSPHRASE' });
    }
    const { askPassphrase } = await import('./ask/prompt.ts');
    return askPassphrase(this.#context, existsSync(vaultPath('file', this.#context.paths.config)));
  }

  async close(): Promise<void> {
    this.#records.close();
    await this.#wire.close();
  }
}
