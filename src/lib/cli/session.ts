/**
 * Where the rooms meet: who we are, a client, a store, a journal, each opened when first asked for. The rooms do not know each
 * other; this file hands one to the other as a function.
 */
import { existsSync } from 'node:fs';
import type { Client, SendOptions, WriteTracker } from '../api/client.ts';
import type { RateLimiter } from '../api/rate-limit.ts';
import type { Transport } from '../api/transport.ts';
import type { Flags, Identity, Sources, VaultKind } from '../auth/credentials/client-identity.ts';
import { findPin, type Pin } from '../auth/credentials/directory-pin.ts';
import { readConfig } from '../auth/credentials/profiles.ts';
import { resolveIdentity } from '../auth/credentials/resolve-identity.ts';
import { findProvider } from '../auth/providers/provider.ts';
import { readClientSecret, type TokenEntry, type TokenSource, tokenSource } from '../auth/token/access-token.ts';
import { openVault, vaultPath } from '../auth/vaults/open-vault.ts';
import type { Vault } from '../auth/vaults/vault.ts';
import { isLoopback } from '../contract/environments.ts';
import type { HttpRequest, RecordExchange, Send } from '../contract/exchange.ts';
import { waitText } from '../contract/time.ts';
import { Failure, usage } from '../failure.ts';
import type { Store } from '../store/store.ts';
import type { Context } from './context.ts';
import { LocalRecords } from './local-store.ts';
import { traceLines } from './output/format.ts';
import { withSpinner } from './output/status-line.ts';
import { note } from './output/write.ts';
import { type RunningSandbox, runningSandbox } from './sandbox/running-sandbox.ts';

/** What the global flags say about a session. */
export interface SessionFlags extends Flags {
  timeoutMs: number;
  maxRetries: number;
  maxWaitMs: number;
  debug: boolean;
  mayAsk: boolean;
}

export interface Session {
  /** Who we are. @throws Failure of kind auth when nobody is signed in, usage when sources contradict each other. */
  readonly identity: Identity;
  readonly userAgent: string;
  client(options?: { signal?: AbortSignal; writes?: WriteTracker }): Promise<Client>;
  /** A valid token; `refused` is one the server turned down. */
  token(ask: { refused: string | null }): Promise<string>;
  /** For calls outside the client: adds nothing, retries nothing. Recorded, but for polls. */
  transport(options?: { unrecorded: true }): Promise<Transport>;
  /** Sends without a credential of its own, repeats what may be repeated, and records: for the token plane. */
  sendWithoutCredential(environment: string): Promise<Send>;
  /** The token with its end, minted if need be; null where there are no tokens. */
  currentToken(): Promise<TokenEntry | null>;
  /** Where this identity's token and webhook secrets rest. */
  vault(): Vault;
  vaultOfKind(kind: VaultKind): Vault;
  /** The client's own secret, for introspection. */
  secret(): Promise<string>;
  store(): Store;
  /** Records exchanges in the journal, and with `--debug` on stderr. */
  exchangeRecorder(): RecordExchange;
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
  return new OpenSession(context, flags, version, running, identity);
}

class OpenSession implements Session {
  readonly userAgent: string;
  readonly #context: Context;
  readonly #flags: SessionFlags;
  readonly #running: RunningSandbox | null;
  readonly #hidden: string[] = [];
  #identity: Identity | undefined;
  readonly #vaults = new Map<VaultKind, Vault>();
  readonly #records: LocalRecords;
  #transport: Promise<Transport> | undefined;
  #rateLimiter: RateLimiter | undefined;
  #source: TokenSource | undefined;
  /** Until when the waits that were announced last, in milliseconds since the epoch. */
  #announcedUntil = 0;

  constructor(
    context: Context,
    flags: SessionFlags,
    version: string,
    running: RunningSandbox | null,
    identity?: Identity,
  ) {
    this.#context = context;
    this.#flags = flags;
    this.#running = running;
    this.#identity = identity;
    this.#records = new LocalRecords(context, () => this.#hidden);
    this.userAgent = `credicorp-cli/${version}`;
  }

  get identity(): Identity {
    if (this.#identity) return this.#identity;
    const { env, cwd, home, paths } = this.#context;
    const pin = findPin(cwd, home, { state: paths.state, onIgnored: (line) => note(this.#context, line) });
    const sources = {
      flags: this.#flags,
      env,
      pin,
      config: readConfig(paths.config),
      runningSandbox: this.#running?.provider === 'credicorp' ? { base: this.#running.base_url } : null,
      provider: (name: string) => findProvider(name, paths.config),
    };
    const identity = resolveIdentity(sources);
    if (pin !== null && raisesToLive(identity, sources)) {
      if (!pin.allowed) throw notAllowed(pin);
      note(this.#context, `note: LIVE by ${pin.path}`);
    }
    this.#context.assertSameIdentity?.(identity);
    this.#identity = identity;
    for (const secret of secretsOf(identity)) this.hide(secret);
    return identity;
  }

  async client(options: { signal?: AbortSignal; writes?: WriteTracker } = {}): Promise<Client> {
    const { identity } = this;
    // The keychain is read while undici loads.
    if (identity.mode !== 'headers') this.#tokens().prefetch();
    const [{ createClient }, { createRateLimiter }, { sleep }, sending] = await Promise.all([
      import('../api/client.ts'),
      import('../api/rate-limit.ts'),
      import('../api/retry.ts'),
      this.#sendOptions(),
    ]);
    const { now, uuid } = this.#context;
    // One for all clients: the server counts by project (partner-api.md#rate-limits).
    this.#rateLimiter ??= createRateLimiter({ now, sleep, maxWaitMs: this.#flags.maxWaitMs, onWait: this.#onWait });
    return createClient({
      ...sending,
      userAgent: this.userAgent,
      newKey: uuid,
      rateLimiter: this.#rateLimiter,
      base: identity.base.value,
      environment: identity.environment.value,
      ...(identity.mode === 'headers'
        ? { token: null, credentials: () => this.#headerCredentials() }
        : { token: (ask) => this.token(ask) }),
      keys: identity.provider.idempotency,
      ...(identity.provider.partnerApi ? {} : { foreign: identity.provider.title }),
      ...options,
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
    const token = await this.#tokens().get(ask);
    this.hide(token);
    return token;
  }

  async transport(options?: { unrecorded: true }): Promise<Transport> {
    if (options?.unrecorded === true) return this.#openTransport();
    const [transport, { recordingTransport }] = await Promise.all([
      this.#openTransport(),
      import('../api/recording.ts'),
    ]);
    return recordingTransport(transport, { record: this.exchangeRecorder(), now: this.#context.now });
  }

  async sendWithoutCredential(environment: string): Promise<Send> {
    const [{ createSendWithoutCredential }, sending] = await Promise.all([
      import('../api/client.ts'),
      this.#sendOptions(),
    ]);
    return this.#withSpinner(createSendWithoutCredential({ ...sending, environment }));
  }

  /** One transport for everything this command sends. */
  #openTransport(): Promise<Transport> {
    const { env } = this.#context;
    this.#transport ??= import('../api/transport.ts').then(({ createTransport }) => {
      const transport = createTransport({
        timeoutMs: this.#flags.timeoutMs,
        userAgent: this.userAgent,
        proxy: { https: env['HTTPS_PROXY'] ?? env['https_proxy'], none: env['NO_PROXY'] ?? env['no_proxy'] },
      });
      const send = this.#withSpinner(transport.send);
      return {
        ...transport,
        send: (request) => send(this.#withAdminToken(request)),
        stream: (request, idleMs) => transport.stream(this.#withAdminToken(request), idleMs),
      };
    });
    return this.#transport;
  }

  /** Admin routes of a sandbox on this machine get its token (sandbox.md#admin-routes), in the place of any other credential. */
  #withAdminToken(request: HttpRequest): HttpRequest {
    const { origin, hostname, pathname } = new URL(request.url);
    if (!pathname.startsWith('/_sandbox/') || !isLoopback(hostname)) return request;
    const isRunning = this.#running !== null && new URL(this.#running.base_url).origin === origin;
    const token = isRunning ? this.#running?.admin_token : this.#context.env['CREDICORP_SANDBOX_ADMIN_TOKEN'];
    if (!token) return request;
    this.hide(token);
    const others = Object.entries(request.headers).filter(([name]) => name.toLowerCase() !== 'authorization');
    return { ...request, headers: { ...Object.fromEntries(others), authorization: `Bearer ${token}` } };
  }

  /** What every call is sent with, whether by a client or without a credential. */
  async #sendOptions(): Promise<Omit<SendOptions, 'environment'>> {
    const { send } = await this.#openTransport();
    const { now, random, signal } = this.#context;
    const { timeoutMs, maxRetries, maxWaitMs } = this.#flags;
    return {
      timeoutMs,
      maxRetries,
      maxWaitMs,
      send,
      now,
      random,
      signal,
      record: this.exchangeRecorder(),
      onWait: this.#onWait,
    };
  }

  /** A wait of more than a second is announced; of calls that wait at the same time, the first does. */
  readonly #onWait = ({ reason, ms, attempt }: { reason: string; ms: number; attempt?: number }): void => {
    const until = this.#context.now() + ms;
    if (ms < 1000 || until < this.#announcedUntil + 1000) return;
    this.#announcedUntil = until;
    const then =
      attempt === undefined ? `going on in ${waitText(ms)}` : `trying again in ${waitText(ms)} (try ${attempt + 1})`;
    note(this.#context, `${reason.replaceAll('_', ' ')}: ${then}`);
  };

  /** A request that takes long shows a spinner, unless a caller shows one already. */
  #withSpinner<A>(send: (request: HttpRequest) => Promise<A>): (request: HttpRequest) => Promise<A> {
    return (request) => withSpinner(this.#context, `waiting for ${new URL(request.url).host}`, send(request));
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
    const open = this.#vaults.get(kind) ?? withHiding(openVault(kind, places), this.#context, hide);
    this.#vaults.set(kind, open);
    return open;
  }

  async secret(): Promise<string> {
    const { secret: place } = this.identity;
    const vault = place.where === 'vault' ? this.vaultOfKind(place.store) : this.vault();
    const secret = await readClientSecret(this.identity, vault);
    this.hide(secret);
    return secret;
  }

  store(): Store {
    return this.#records.store();
  }

  exchangeRecorder(): RecordExchange {
    const keep = this.#records.exchangeRecorder();
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
      send: async (request) => (await this.sendWithoutCredential(this.identity.environment.value))(request),
      now: this.#context.now,
      lockFolder: this.#context.paths.state,
      notice: (text) => note(this.#context, `note: ${text}`),
      signal: this.#context.signal,
      timeoutMs: this.#flags.timeoutMs,
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
    await (await this.#transport)?.close();
  }
}

/** Whether it is live by the pin, and would not be without it. */
function raisesToLive(identity: Identity, sources: Sources): boolean {
  if (identity.environment.value !== 'live') return false;
  if (![identity.profile, identity.base, identity.tokenUrl].some((chosen) => chosen?.source.from === 'pin'))
    return false;
  try {
    return resolveIdentity({ ...sources, pin: null }).environment.value !== 'live';
  } catch (error) {
    if (error instanceof Failure) return true;
    throw error;
  }
}

function notAllowed({ path }: Pin): Failure {
  return usage(`${path} would make live of what is not live without it, and was not allowed with these contents`, {
    code: 'pin_not_allowed',
    next: 'read the file; if it says what you want: credicorp profiles allow. Or choose with --profile',
  });
}

/** The secrets in the identity itself. Those in a vault are hidden when they are read (`withHiding`). */
function secretsOf({ secret, webhookSecret }: Identity): string[] {
  const own = secret.where === 'vault' ? [] : [secret.secret.reveal()];
  return webhookSecret === null ? own : [...own, webhookSecret.secret.reveal()];
}

/**
 * The same vault; `hide` gets every secret that is read from it or written to it, so that no output shows it. While the keychain is
 * asked there is a spinner, and Ctrl-C ends the wait.
 */
export function withHiding(
  vault: Vault,
  context: Pick<Context, 'stderr' | 'env' | 'signal'>,
  hide: (secret: string) => void,
): Vault {
  const shown = <T>(work: Promise<T>): Promise<T> =>
    vault.kind === 'os' ? withSpinner(context, 'waiting for the keychain', unlessStopped(work, context.signal)) : work;
  // A token is stored in a JSON document, and is hidden by the code that parses it.
  const conceal = (value: string): void => {
    if (!value.startsWith('{')) hide(value);
  };
  return {
    kind: vault.kind,
    prefetch: (accounts) => vault.prefetch(accounts),
    get: async (account, options) => {
      const value = await shown(vault.get(account, options));
      if (value !== null) conceal(value);
      return value;
    },
    set: (account, secret) => {
      conceal(secret);
      return shown(vault.set(account, secret));
    },
    remove: (account) => shown(vault.remove(account)),
    removeUnder: (prefix) => shown(vault.removeUnder(prefix)),
  };
}

/** Work that begins after the stop is cleaning up, and is done. */
function unlessStopped<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  if (signal.aborted) return work;
  const { promise, reject } = Promise.withResolvers<never>();
  const stop = (): void => reject(new Failure('interrupted', 'stopped while the keychain was asked'));
  signal.addEventListener('abort', stop, { once: true });
  return Promise.race([work, promise]).finally(() => signal.removeEventListener('abort', stop));
}
