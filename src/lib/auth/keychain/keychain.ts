/**
 * Reads and writes the OS keychain through a helper process, which is killed when the keychain does not answer in time.
 * Secrets are passed over the helper's pipes, never in arguments or environment variables.
 */
import { redactStart } from '../../contract/secrets.ts';
import { Failure } from '../../failure.ts';
import { type Helper, type HelperPool, startHelper } from './helper-pool.ts';

export interface KeychainOptions {
  /** How to start the helper: interpreter, its flags, the helper's file. */
  command: readonly [string, ...string[]];
  /** Environment variables of the helper. Credentials and Node's own options are removed. */
  env: Readonly<Record<string, string | undefined>>;
  /** Reuses helpers between requests. Without it each request starts its own. */
  pool?: HelperPool;
  /** How long the keychain may take, in milliseconds. */
  limitMs?: number;
  /** How long the helper may take to start and to accept the request, in milliseconds. Separate, because a slow start on a busy machine is not the keychain's fault. */
  startMs?: number;
  service?: string;
}

/** A request under way. It does not keep the program alive until `results` is called. */
export interface KeychainAnswer {
  /** @throws Failure `auth`: `keychain_missing`, `keychain_locked`, `keychain_timeout`, `keychain_failed`. */
  results(): Promise<readonly KeychainResult[]>;
}

/** The service name of all secrets of this program in the keychain. */
const SERVICE = 'credicorp-cli';
const LIMIT_MS = 3000;
const START_MS = 7000;

/** Sends these operations to a helper and returns at once. They run in order; the first that fails ends the request. */
export function askKeychain(operations: readonly KeychainOperation[], options: KeychainOptions): KeychainAnswer {
  const child = options.pool?.take() ?? startHelper(options.command, options.env);
  const request: KeychainRequest = { service: options.service ?? SERVICE, operations };
  return new Exchange(child, request, options);
}

/** One request. After its answer the helper is free for another; without an answer in time the helper is killed. */
class Exchange implements KeychainAnswer {
  readonly #child: Helper;
  readonly #options: KeychainOptions;
  readonly #reply = Promise.withResolvers<readonly KeychainResult[]>();
  #timer: NodeJS.Timeout | undefined;
  #awaited = false;
  #over = false;
  #text = '';

  constructor(child: Helper, request: KeychainRequest, options: KeychainOptions) {
    this.#child = child;
    this.#options = options;
    this.#limit('not_started', options.startMs ?? START_MS);
    // The failure of a request whose results are never read is not an unhandled rejection; `results` returns the same promise.
    this.#reply.promise.catch(() => undefined);
    child.stdout.on('data', this.#read);
    child.once('error', this.#unstarted).once('close', this.#ended);
    child.stdin.write(`${JSON.stringify(request)}\n`);
  }

  results(): Promise<readonly KeychainResult[]> {
    this.#awaited = true;
    if (!this.#over) this.#timer?.ref();
    return this.#reply.promise;
  }

  readonly #read = (text: string): void => {
    this.#text += text;
    for (let end = this.#text.indexOf('\n'); end >= 0 && !this.#over; end = this.#text.indexOf('\n')) {
      const line = this.#text.slice(0, end);
      this.#text = this.#text.slice(end + 1);
      // An empty line: the helper has the request and calls the keychain now.
      if (line === '') this.#limit('timeout', this.#options.limitMs ?? LIMIT_MS);
      else this.#readAnswer(readReply(line));
    }
  };
  readonly #unstarted = (): void => this.#fail('failed', 'its helper could not be started');
  readonly #ended = (): void => this.#fail('failed', 'its helper ended without an answer');

  #readAnswer(reply: KeychainReply | null): void {
    if (reply === null) return this.#fail('failed', "its helper's answer could not be read");
    if ('trouble' in reply) return this.#fail(reply.trouble, reply.detail);
    this.#end();
    if (this.#options.pool) this.#options.pool.put(this.#child);
    else this.#child.kill('SIGKILL');
    this.#reply.resolve(reply.results);
  }

  /** Reads an answer that is already in the pipe before the request times out: in the event loop, timers run before I/O. */
  #limit(trouble: 'timeout' | 'not_started', ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => setImmediate(() => this.#fail(trouble, '', ms)), ms);
    if (!this.#awaited) this.#timer.unref();
  }

  #fail(trouble: KeychainTrouble | 'timeout' | 'not_started', detail: string, ms = 0): void {
    if (this.#over) return;
    this.#end();
    this.#child.kill('SIGKILL');
    this.#child.stdin.destroy();
    this.#child.stdout.destroy();
    this.#reply.reject(failureOf(trouble, detail, ms));
  }

  #end(): void {
    this.#over = true;
    clearTimeout(this.#timer);
    this.#child.stdout.off('data', this.#read);
    this.#child.off('error', this.#unstarted).off('close', this.#ended);
  }
}

/** Parses a line from the helper; null when it is not an answer. */
function readReply(line: string): KeychainReply | null {
  try {
    // The line comes from our own program, so no more is checked.
    const reply = JSON.parse(line) as KeychainReply | null;
    return typeof reply === 'object' ? reply : null;
  } catch {
    return null;
  }
}

const WITHOUT =
  'sign in with credicorp login --store file to use an encrypted file, or set CC_CLIENT_ID and CC_CLIENT_SECRET';

/** The failure for each cause, with its own message (command-line.md#profiles-credentials-and-precedence). */
function failureOf(trouble: KeychainTrouble | 'timeout' | 'not_started', detail: string, limitMs: number): Failure {
  switch (trouble) {
    case 'no_library':
      return missing(
        "the keychain library could not be loaded; on Linux it needs libsecret's",
        'install libsecret-1-0',
      );
    case 'no_bus':
      return missing('there is no D-Bus session', 'sign in to a desktop, or run the command under dbus-run-session');
    case 'no_service':
      return missing('no secret service answers on D-Bus', 'install gnome-keyring or KeePassXC');
    case 'no_keyring':
      return missing('its secret service has no keyring', 'create a default keyring in Passwords and Keys');
    case 'locked':
      return new Failure('auth', 'the keychain is locked', {
        code: 'keychain_locked',
        next: `unlock it (sign in to the desktop, or open it in its app) and try again; or ${WITHOUT}`,
      });
    case 'timeout':
      return new Failure('auth', `the keychain did not answer in ${limitMs / 1000} s`, {
        code: 'keychain_timeout',
        next: `answer its dialog if it shows one, and try again; or ${WITHOUT}`,
      });
    case 'not_started':
      return new Failure('auth', `the keychain's helper did not start in ${limitMs / 1000} s`, {
        code: 'keychain_timeout',
        next: 'try again when this machine is less busy',
      });
    case 'failed':
      return new Failure('auth', `the keychain failed: ${redactStart(detail, 200).trim()}`, {
        code: 'keychain_failed',
        next: `see credicorp doctor; or ${WITHOUT}`,
      });
  }
}

function missing(why: string, cure: string): Failure {
  return new Failure('auth', `no keychain on this machine: ${why}`, {
    code: 'keychain_missing',
    next: `${cure}; or ${WITHOUT}`,
  });
}

export type KeychainOperation =
  | { do: 'get'; account: string }
  | { do: 'set'; account: string; secret: string }
  | { do: 'remove'; account: string }
  /** Every account that starts with `prefix`. */
  | { do: 'remove_under'; prefix: string };

/** `get`: the secret or null. `set`: true. `remove`: whether there was one. `remove_under`: how many there were. */
export type KeychainResult = string | number | boolean | null;

export interface KeychainRequest {
  service: string;
  operations: readonly KeychainOperation[];
}

/** Why the keychain could not be used, as the helper sees it. */
export type KeychainTrouble = 'no_library' | 'no_bus' | 'no_service' | 'no_keyring' | 'locked' | 'failed';

export type KeychainReply =
  | { results: readonly KeychainResult[] }
  /** `detail` is the library's own message. */
  | { trouble: KeychainTrouble; detail: string };
